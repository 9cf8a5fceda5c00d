package ops_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/gpu"
	"sparsevk/ops"
	"sparsevk/ops/optest"
	"sparsevk/shaders"
)

// storage16 returns the device, or nil if it has no 16-bit storage: then it must
// refuse the first case for that reason.
func storage16(t *testing.T) *gpu.Device {
	dev := optest.Device(t)
	if optest.Unfit(dev, "fp16") == nil {
		return dev
	}
	_, err := optest.Check(dev, optest.Cases("fp16")[0])
	require.ErrorIs(t, err, gpu.ErrNoStorage16)
	assert.ErrorContains(t, err, "storageBuffer16BitAccess")
	return nil
}

func TestHalf(t *testing.T) {
	if storage16(t) == nil {
		return
	}
	for _, p := range []string{"fp16", "bf16"} {
		optest.RunAll(t, p)
	}
}

// TestHalfRunsEveryKernel: each kernel that touches maps is in the tables, in each
// precision.
func TestHalfRunsEveryKernel(t *testing.T) {
	for _, p := range []ops.Precision{ops.FP16, ops.BF16} {
		ran := map[*shaders.Kernel]bool{}
		tables := []string{p.String()}
		if p == ops.FP16 {
			tables = append(tables, optest.MatrixTables(false)[0], optest.MatrixTables(true)[0])
		}
		for _, table := range tables {
			for _, c := range optest.Cases(table) {
				for _, s := range c.Steps() {
					ran[s.Code()] = true
				}
			}
		}
		for _, k := range shaders.All {
			if form := k.In(p); form != nil {
				assert.True(t, ran[form], form.Name)
			}
		}
	}
}

// TestHalfCatches: the code of the other 16-bit precision is noticed.
func TestHalfCatches(t *testing.T) {
	dev := storage16(t)
	if dev == nil {
		return
	}
	other := func(steps []ops.Step) []ops.Step {
		for i := range steps {
			if k := steps[i].Kernel.In(ops.BF16); k != nil {
				wrong := *k
				wrong.Name, wrong.Precision = "wrong."+k.Name, ops.FP16
				steps[i].Kernel = &wrong
			}
		}
		return steps
	}
	// These move elements, which lie in the same order in both precisions.
	moves := []*shaders.Kernel{&shaders.Copy, &shaders.Fill, &shaders.ReluFwd, &shaders.ReluBwd, &shaders.PoolMaxFwd}
	for _, c := range optest.Cases("fp16") {
		left := func(s ops.Step) bool { return slices.Contains(moves, s.Kernel) || s.MACs > 0 } // or take long to compile
		if len(c.Steps()) > 3 || slices.ContainsFunc(c.Steps(), left) {
			continue
		}
		_, err := optest.Check(dev, change(c, other))
		assert.Error(t, err, c.Name)
	}
}

// TestCodePanics: what a step binds must fit its kernel.
func TestCodePanics(t *testing.T) {
	env, half := ops.NewEnv(), func(name string, p ops.Precision) ops.View {
		b := optest.NewBlock(name, 1, 1, 2, 2)
		b.Precision = p
		return b.All()
	}
	full, h, b := half("full", ops.FP32), half("fp16", ops.FP16), half("bf16", ops.BF16)
	code := func(x, y ops.View) func() {
		steps := ops.ReLU{Env: env, Label: "relu", X: x, Y: y}.Forward()
		return func() { steps[0].Code() }
	}
	assert.NotPanics(t, code(h, h))
	assert.PanicsWithValue(t, "ops: relu/relu_fwd: y of relu_fwd is fp16[0:1], fp16, beside maps of fp32", code(full, h))
	assert.Panics(t, code(b, h))
	state := ops.NewState()
	norm := ops.NewResults().View(ops.ResultNorm2, ops.ResultNormBad+1)
	sgd := ops.SGD{Env: env, Label: "update", W: full, V: h, Update: ops.Update{DW: full, Norm: norm, State: state.All()}}.Steps()
	assert.PanicsWithValue(t, "ops: update/sgd: v of sgd takes float32, and fp16[0:1] is fp16", func() { sgd[0].Code() })
}
