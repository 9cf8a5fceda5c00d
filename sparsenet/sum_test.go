package sparsenet

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/ops"
	"sparsevk/shaders"
)

// chain is the wiring without shortcuts: a map reads the one before it.
func chain() Wiring { return Wiring{Name: "chain", Reads: func(l int) []int { return []int{l - 1} }} }

// sumNets are networks of the sum form: sparse, dense and of the caller's own
// wiring, with bottlenecks and dropout, behind both stems, of odd sizes.
var sumNets = []struct {
	name string
	Config
	Options
}{
	{"powers", Config{Form: Sum, Blocks: []int{5, 2}, Growth: []int{5, 6}, Input: Input{8, 16, 3}}, Options{Batch: 3, Floats: true}},
	{"dense", Config{Form: Sum, Depth: 20, Growth: []int{3, 4, 8}, Wiring: Dense(), Input: Input{15, 13, 3}}, Options{Batch: 1, Floats: true}},
	{"bottleneck", Config{Form: Sum, Blocks: []int{3, 2}, Growth: []int{8, 12}, Wiring: Powers(3), Bottleneck: true, Dropout: 0.2, Input: Input{12, 12, 1}}, Options{Batch: 2, Pad: 2, Flip: true, Mean: []float32{0.4}, Std: []float32{0.3}}},
	{"chain", Config{Form: Sum, Blocks: []int{2, 2}, Growth: []int{4, 6}, Wiring: chain(), Input: Input{12, 12, 3}}, Options{Batch: 2, Floats: true}},
	{"imagenet", Config{Form: Sum, Stem: ImageNet, Blocks: []int{2, 2}, Growth: []int{4, 8}, Classes: 5, Input: Input{37, 29, 3}}, Options{Batch: 2, Floats: true}},
}

// Both engines agree in the sum form, in every kernel form, and where bindings are
// cut so that terms of a sum are added one by one.
func TestSumEnginesAgree(t *testing.T) {
	for _, n := range sumNets {
		t.Run(n.name, func(t *testing.T) {
			var want outcome
			var start map[string][]float32
			steps := map[string]int{}
			for _, v := range variants(t, n.Config, n.Options) {
				if strings.HasPrefix(v.name, "layered") && v.name != "layered_plain" || strings.HasSuffix(v.name, "groups") {
					continue // the concatenated form has them
				}
				o := n.Options
				v.alter(&o)
				m := open(t, n.Config, o)
				steps[v.name] = len(m.Train.Steps())
				got := run(t, m, 2)
				if want.logits == nil {
					want, start = got, someValues(m.Graph.Params)
				}
				t.Logf("%-16s logits %.1e, gradients %v, later %.1e", v.name, strays(got.logits, want.logits, 0), spreadOf(got.gradients, want.gradients), strays(got.after, want.after, 0))
				assert.Empty(t, disagreements(got, want, start, sharp), v.name)
				require.NoError(t, m.Close())
			}
			assert.Greater(t, steps["arena_segments"], steps["arena_plain"], "nothing was cut")
		})
	}
}

// The comparison sees a term that is missing from a sum, forward or backward, a
// gradient that misses a reader, and the statistics of another reader.
func TestSumEnginesAgreeCatches(t *testing.T) {
	n := sumNets[0]
	m := open(t, n.Config, n.Options)
	start, want := someValues(m.Graph.Params), run(t, m, 1)
	require.NoError(t, m.Close())
	g, err := Build(n.Config)
	require.NoError(t, err)
	short := func(label string) func(s *ops.Step) {
		return func(s *ops.Step) {
			if p, ok := s.Push.(*shaders.SumFwdPush); ok && s.Label == label {
				p.Terms--
			}
		}
	}
	for fault, plant := range map[string]func(s *ops.Step){
		"":                     func(*ops.Step) {},
		"a term":               short("stage0/layer4/conv1/sum_fwd"),
		"a term, backward":     short("stage0/layer4/conv1/again/sum_fwd"),
		"a reader that parts":  short("stage0/layer5/conv1/stage0/map4/sum_fwd"),
		"a reader that shares": func(s *ops.Step) { dropAdd(s, "stage1/shortcut/add") },
	} {
		planted := false
		m := openWith(t, g, n.Options, func(s *ops.Step) {
			before := fmt.Sprintf("%+v", s.Push)
			plant(s)
			planted = planted || before != fmt.Sprintf("%+v", s.Push)
		})
		found := disagreements(run(t, m, 1), want, start, sharp)
		assert.Equal(t, fault != "", planted, "%q: no such step", fault)
		assert.Equal(t, fault == "", len(found) == 0, "%q: %v", fault, found)
		require.NoError(t, m.Close())
	}
}

// dropAdd makes the addition of the given label do nothing.
func dropAdd(s *ops.Step, label string) {
	if p, ok := s.Push.(*shaders.AddPush); ok && s.Label == label {
		p.N = 0
	}
}

// ResNets are the dense case: the counts of pre-activation ResNets of widths 16, 32,
// 64, four times as wide with bottlenecks, with 1x1 projections and 10 classes
// (NETWORKS section 1). Wiring changes none of them.
func TestResNetCounts(t *testing.T) {
	for name, want := range map[string]int64{
		"sum-20-16x32x64": 272282, "sum-56-16x32x64": 855578, "sum-110-16x32x64": 1730522,
		"sum-bc-164-64x128x256": 1703258, "sum-bc-1001-64x128x256": 10327706,
	} {
		for _, wiring := range []string{"dense-", "sparse-", "powers3-"} {
			assert.Equal(t, want, build(t, wiring+name).Counts().Parameters, wiring+name)
			checkGraph(t, build(t, wiring+name))
		}
	}
}

// The gradients of a stage with dense wiring, whose maps have the same readers,
// share one block; memory stays near one copy of the maps with any wiring.
func TestSumMemory(t *testing.T) {
	for _, preset := range []string{"dense-sum-56-16x32x64", "sparse-sum-56-16x32x64", "sparse-sum-bc-164-64x128x256"} {
		n := network(t, preset, Options{Batch: 16})
		maps := n.Graph.Framework(16, ops.FP32).Efficient
		assert.Less(t, float64(n.Memory().Maps), 1.05*float64(maps), preset)
		assert.Less(t, n.Memory().Total, network(t, preset, Options{Batch: 16, Engine: Layered}).Memory().Total, preset)
	}
	n := network(t, "dense-sum-20-16x32x64", Options{Batch: 2})
	parted := 0
	for _, s := range n.Train.Phase(Backward) {
		if s.Kernel == &shaders.SumFwd && !strings.Contains(s.Label, "again") {
			parted++
		}
	}
	assert.Zero(t, parted, "dense wiring never parts the maps of a stage")
}

func TestSumConfig(t *testing.T) {
	good := Config{Depth: 20, Growth: []int{16, 32, 64}, Form: Sum}
	c, err := good.Resolve()
	require.NoError(t, err)
	assert.Equal(t, []int{3, 3, 3}, c.Blocks)
	assert.Equal(t, 16, c.InitChannels)
	assert.Equal(t, "sparse-sum-20-16x32x64", c.Name())
	for want, edit := range map[string]func(c *Config){
		"nearest are 20 and 26":       func(c *Config) { c.Depth = 22 },
		"must be a multiple of 9":     func(c *Config) { c.Depth, c.Bottleneck = 26, true },
		"use a multiple of 4":         func(c *Config) { c.Depth, c.Bottleneck, c.Growth = 20, true, []int{6} },
		"the sum form has no transit": func(c *Config) { c.Compression = 0.5 },
		"as blocks, such as 3,4,6,3":  func(c *Config) { c.Stem = ImageNet },
		"use concat or sum":           func(c *Config) { c.Form = "product" },
	} {
		c := good
		edit(&c)
		assert.ErrorContains(t, c.Validate(), want)
	}
	g, err := Build(Config{Blocks: []int{3, 4, 6, 3}, Growth: []int{256, 512, 1024, 2048}, Form: Sum, Bottleneck: true, Stem: ImageNet, Wiring: Dense()})
	require.NoError(t, err)
	assert.Equal(t, 50, g.Config.Depth)
	_, err = NewNetwork(g, Options{Batch: 1, Recompute: true})
	assert.ErrorContains(t, err, "recompute is for the concat form")
}
