package ops_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/ops"
	"sparsevk/ops/optest"
	"sparsevk/shaders"
)

func TestMain(m *testing.M) { optest.Main(m) }

// plain lists the tables of the ops without convolution.
var plain = []string{"relu", "stats", "batchnorm", "maxpool", "avgpool", "globalpool", "concat", "copy",
	"linear", "softmax", "dropout", "sgd", "norm2", "batch", "actpool", "actmaxpool"}

// change returns c with its steps changed by f.
func change(c optest.Case, f func([]ops.Step) []ops.Step) optest.Case {
	steps := c.Steps
	c.Steps = func() []ops.Step { return f(steps()) }
	return c
}

// within reports the first binding of the steps that spans more than limit
// bytes.
func within(steps []ops.Step, limit uint64) string {
	for _, s := range steps {
		for _, p := range s.Args {
			if _, bytes := p.Range(); bytes > limit {
				return s.String()
			}
		}
	}
	return ""
}

// TestRanges holds every case with a small range to it.
func TestRanges(t *testing.T) {
	seen := 0
	for _, name := range plain {
		for _, c := range optest.Cases(name) {
			if c.Env == nil || c.Env.Range == ops.DefaultRange {
				continue
			}
			seen++
			assert.Empty(t, within(c.Steps(), c.Env.Range), "%s %s", name, c.Name)
		}
	}
	assert.NotZero(t, seen)
	b := optest.NewBlock("x", 4, 1, 8, 8)
	fault := ops.Fill{Env: ops.NewEnv(), Label: "fault", Y: b.All()}
	assert.NotEmpty(t, within(fault.Steps(), 512))
}

// TestAnyGroupCount runs the cases with at most two workgroups: kernels walk
// their work with a stride, as they must where it needs more than MaxGroups.
func TestAnyGroupCount(t *testing.T) {
	dev := optest.Device(t)
	for _, name := range plain {
		for _, c := range optest.Cases(name) {
			_, err := optest.Check(dev, change(c, func(steps []ops.Step) []ops.Step {
				for i := range steps {
					steps[i].Groups = [3]uint32{min(2, steps[i].Groups[0]), min(2, steps[i].Groups[1]), 1}
				}
				return steps
			}))
			assert.NoError(t, err, name)
		}
	}
}

// TestGroupsStayWithinTheLimit asks for the steps of shapes with more planes,
// rows and elements than there may be workgroups.
func TestGroupsStayWithinTheLimit(t *testing.T) {
	env := ops.NewEnv()
	block := func(name string, c, n, h, w uint32) *ops.Block {
		return &ops.Block{Name: name, C: c, N: n, H: h, W: w}
	}
	x, y, words, state := block("x", 100_000, 7, 4, 4), block("y", 100_000, 7, 2, 2), block("words", 100_000, 1, 1, 1), ops.NewState()
	bn := ops.NewBatchNorm(ops.BatchNorm{Env: env, Label: "bn", X: x.All(), Y: x.All(), DY: x.All(), DX: x.All(),
		Gamma: words.All(), Beta: words.All(), DGamma: words.All(), DBeta: words.All(),
		RunningMean: words.All(), RunningVar: words.All(), State: state.All()})
	pool := ops.MaxPool{Env: env, Label: "pool", Window: ops.Window{R: 2, S: 2, Stride: 2}, X: x.All(), Y: y.All(), DY: y.All(), DX: x.All()}
	steps := slices.Concat(bn.Forward(), bn.Evaluate(), bn.Backward(), pool.Forward(), pool.Backward(),
		ops.Fill{Env: env, Label: "fill", Y: x.All()}.Steps())
	most := uint32(0)
	for _, s := range steps {
		for _, g := range s.Groups {
			assert.LessOrEqual(t, g, uint32(ops.MaxGroups), s.Label)
			assert.NotZero(t, g, s.Label)
			most = max(most, g)
		}
	}
	assert.Equal(t, uint32(ops.MaxGroups), most, "no shape reached the limit")
}

// TestDroppedStepsAreNoticed leaves out each step of a case in turn: every step
// has an effect that some comparison sees. Links stay: what they write are
// addresses, and SwiftShader ends the process where garbage is read through.
func TestDroppedStepsAreNoticed(t *testing.T) {
	dev := optest.Device(t)
	for _, name := range plain {
		c := optest.Cases(name)[2]
		for i := range c.Steps() {
			label := c.Steps()[i].Label
			if c.Steps()[i].Kernel == &shaders.Links {
				continue
			}
			_, err := optest.Check(dev, change(c, func(s []ops.Step) []ops.Step { return slices.Delete(s, i, i+1) }))
			assert.Error(t, err, "%s %s without %s", name, c.Name, label)
		}
	}
}

// faults are small mistakes, one or more for each op, by the push constants or
// specialization constants that make them.
var faults = map[string]struct {
	table string
	plant func(*ops.Step)
}{
	"other epsilon":        {"stats", func(s *ops.Step) { on(s, func(p *shaders.StatsMergePush) { p.Epsilon *= 2 }) }},
	"short tile":           {"stats", func(s *ops.Step) { on(s, func(p *shaders.StatsTilePush) { p.M-- }) }},
	"tile miscounted":      {"stats", func(s *ops.Step) { on(s, func(p *shaders.StatsMergePush) { p.M-- }) }},
	"relu flipped":         {"batchnorm", func(s *ops.Step) { spec(s, &shaders.BnFwd, 0) }},
	"mask flipped":         {"batchnorm", func(s *ops.Step) { spec(s, &shaders.BnBwdReduce, 0) }},
	"mask of dx flipped":   {"batchnorm", func(s *ops.Step) { spec(s, &shaders.BnBwdData, 0) }},
	"= for +=":             {"batchnorm", func(s *ops.Step) { spec(s, &shaders.BnBwdData, 1) }},
	"gamma for beta":       {"batchnorm", func(s *ops.Step) { swap(s, &shaders.BnFwd, 2, 3) }},
	"row too narrow":       {"maxpool", func(s *ops.Step) { on(s, func(p *shaders.PoolMaxFwdPush) { p.W-- }) }},
	"max window too small": {"maxpool", func(s *ops.Step) { less(s, &shaders.PoolMaxBwd, 0) }},
	"avg window too small": {"avgpool", func(s *ops.Step) { less(s, &shaders.PoolAvgFwd, 1) }},
	"avg = for +=":         {"avgpool", func(s *ops.Step) { spec(s, &shaders.PoolAvgBwd, 4) }},
	"pixel left out":       {"globalpool", func(s *ops.Step) { on(s, func(p *shaders.PoolGlobalFwdPush) { p.Area-- }) }},
	"image not scaled":     {"globalpool", func(s *ops.Step) { on(s, func(p *shaders.PoolGlobalBwdPush) { p.Area-- }) }},
	"last element":         {"concat", func(s *ops.Step) { on(s, func(p *shaders.CopyPush) { p.N-- }) }},
	"wrong value":          {"copy", func(s *ops.Step) { on(s, func(p *shaders.FillPush) { p.Value++ }) }},
	"term left out":        {"linear", func(s *ops.Step) { on(s, func(p *shaders.LinearFwdPush) { p.Inputs-- }) }},
	"image left out":       {"linear", func(s *ops.Step) { on(s, func(p *shaders.LinearBwdWeightsPush) { p.Images-- }) }},
	"class left out":       {"linear", func(s *ops.Step) { on(s, func(p *shaders.LinearBwdDataPush) { p.Outputs-- }) }},
	"smoothed":             {"softmax", func(s *ops.Step) { on(s, func(p *shaders.SoftmaxXentPush) { p.Smoothing += 1e-3 }) }},
	"loss left out":        {"softmax", func(s *ops.Step) { on(s, func(p *shaders.SoftmaxReducePush) { p.Images-- }) }},
	"other layer's mask":   {"dropout", func(s *ops.Step) { on(s, func(p *shaders.DropoutPush) { p.Layer++ }) }},
	"mask shifted":         {"dropout", func(s *ops.Step) { on(s, func(p *shaders.DropoutPush) { p.First++ }) }},
	"plain momentum":       {"sgd", func(s *ops.Step) { spec(s, &shaders.Sgd, 0) }},
	"word left out":        {"norm2", func(s *ops.Step) { on(s, func(p *shaders.NormTilePush) { p.N-- }) }},
	"tile left out":        {"norm2", func(s *ops.Step) { on(s, func(p *shaders.NormMergePush) { p.Tiles-- }) }},
	"act row left out":     {"actmaxpool", func(s *ops.Step) { on(s, func(p *shaders.ActPoolMaxPush) { p.RowsOut-- }) }},
	"activated otherwise":  {"actmaxpool", func(s *ops.Step) { on(s, func(p *shaders.ActPoolMaxBwdPush) { p.Link ^= 1 }) }},
	"act window too small": {"actmaxpool", func(s *ops.Step) { less(s, &shaders.ActPoolMaxBwd, 0) }},
	"act padding":          {"actmaxpool", func(s *ops.Step) { less(s, &shaders.ActPoolMax, 3) }},
	"shared by windows":    {"actmaxgather", func(s *ops.Step) { less(s, &shaders.ConvGather, shaders.ConvGather.SpecIndex("SOURCE")) }},
	"act pixel left out":   {"actpool", func(s *ops.Step) { on(s, func(p *shaders.ActPoolPush) { p.Area-- }) }},
	"mirrored or not":      {"batch", func(s *ops.Step) { on(s, func(p *shaders.BatchPush) { p.Flip ^= 1 }) }},
	"other padding":        {"batch", func(s *ops.Step) { on(s, func(p *shaders.BatchPush) { p.Pad++ }) }},
	"black beyond edges":   {"batch", func(s *ops.Step) { on(s, func(p *shaders.BatchPush) { p.Edge ^= 1 }) }},
	"one mean for all":     {"batch", func(s *ops.Step) { on(s, func(p *shaders.BatchPush) { p.Pixels ^= 1 }) }},
	"channels swapped":     {"batch", func(s *ops.Step) { on(s, func(p *shaders.BatchPush) { p.Mean0, p.Mean1 = p.Mean1, p.Mean0 }) }},
}

// on changes the push constants of a step that has them of type T.
func on[T any](s *ops.Step, change func(*T)) {
	if p, ok := s.Push.(*T); ok {
		change(p)
	}
}

func spec(s *ops.Step, k *shaders.Kernel, i int) {
	if s.Kernel == k {
		s.Spec[i] ^= 1
	}
}

func less(s *ops.Step, k *shaders.Kernel, i int) {
	if s.Kernel == k && s.Spec[i] > 1 {
		s.Spec[i]--
	}
}

func swap(s *ops.Step, k *shaders.Kernel, i, j int) {
	if s.Kernel == k {
		s.Args[i], s.Args[j] = s.Args[j], s.Args[i]
	}
}

// TestFaultsAreNoticed plants each fault in every case of its table; one at
// least must fail.
func TestFaultsAreNoticed(t *testing.T) {
	dev := optest.Device(t)
	for name, f := range faults {
		noticed := slices.ContainsFunc(optest.Cases(f.table), func(c optest.Case) bool {
			_, err := optest.Check(dev, change(c, func(steps []ops.Step) []ops.Step {
				for i := range steps {
					f.plant(&steps[i])
				}
				return steps
			}))
			return err != nil
		})
		assert.True(t, noticed, name)
	}
	require.Empty(t, dev.Messages())
}
