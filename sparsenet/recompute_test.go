package sparsenet

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/ops"
	"sparsevk/ops/optest"
	"sparsevk/shaders"
)

// recomputeNets are bottlenecks behind both stems, in both families of wiring,
// with dropout, and of sizes that the quad kernels take.
var recomputeNets = []struct {
	name string
	Config
	Options
}{
	{"sparse", Config{Blocks: []int{5, 3}, Growth: []int{4, 6}, Bottleneck: true, Input: Input{16, 16, 3}}, Options{Batch: 2, Floats: true}},
	{"dense", Config{Blocks: []int{4, 2}, Growth: []int{3}, Wiring: Dense(), Bottleneck: true, Input: Input{15, 13, 3}}, Options{Batch: 3, Floats: true}},
	{"dropout", Config{Blocks: []int{3, 2}, Growth: []int{4}, Bottleneck: true, Dropout: 0.2, Input: Input{8, 16, 3}}, Options{Batch: 4, Floats: true}},
	{"imagenet", Config{Stem: ImageNet, Blocks: []int{3, 1}, Growth: []int{4}, Bottleneck: true, Input: Input{37, 29, 3}}, Options{Batch: 2, Floats: true}},
}

// A step that computes bottlenecks again gives the bits of one that keeps them:
// logits, gradients, and parameters and running statistics after more steps.
func TestRecomputeGivesTheSameBits(t *testing.T) {
	for _, n := range recomputeNets {
		for _, class := range classes(optest.Device(t)) {
			t.Run(fmt.Sprintf("%s_%s", n.name, class), func(t *testing.T) {
				o := n.Options
				o.Class = class
				want := run(t, open(t, n.Config, o), 3)
				o.Recompute = true
				got := run(t, open(t, n.Config, o), 3)
				assert.Equal(t, hash(want.gradients), hash(got.gradients), "gradients %v", spreadOf(got.gradients, want.gradients))
				assert.Equal(t, want.logits, got.logits)
				assert.Equal(t, want.loss, got.loss)
				assert.Equal(t, hash(want.values), hash(got.values))
				assert.Equal(t, want.after, got.after)
			})
		}
	}
}

// The bits tell when a gradient is put together wrongly.
func TestRecomputeGivesTheSameBitsCatches(t *testing.T) {
	n := recomputeNets[2]
	want := run(t, open(t, n.Config, n.Options), 1)
	g, err := Build(n.Config)
	require.NoError(t, err)
	o := n.Options
	o.Recompute = true
	for fault, plant := range map[string]func(s *ops.Step){
		"": func(*ops.Step) {},
		"sums begin anew": func(s *ops.Step) {
			if p, ok := s.Push.(*shaders.ConvGatherPush); ok {
				p.Add = 0
			}
		},
		"products begin anew": func(s *ops.Step) {
			if p, ok := s.Push.(*shaders.GatherMergePush); ok {
				p.First = 1
			}
		},
	} {
		m := openWith(t, g, o, plant)
		got := run(t, m, 1)
		assert.Equal(t, fault == "", hash(want.gradients) == hash(got.gradients), fault)
		require.NoError(t, m.Close())
	}
}

// What recompute saves, in MiB of maps, scratch and workspace at batch 64.
func TestRecomputeSaves(t *testing.T) {
	for _, c := range []struct {
		preset string
		most   float64 // MiB
	}{
		{"sparse-bc-100-24", 210},
		{"dense-bc-100-12", 135},
	} {
		kept := network(t, c.preset, Options{Batch: 64}).Memory().Features()
		again := network(t, c.preset, Options{Batch: 64, Recompute: true}).Memory().Features()
		t.Logf("%s: %.1f MiB, recomputed %.1f, %.2f an image", c.preset, float64(kept)/(1<<20), float64(again)/(1<<20), float64(again)/(1<<20)/64)
		assert.LessOrEqual(t, float64(again)/(1<<20), c.most, c.preset)
	}
	g, err := Build(Config{Depth: 13, Growth: []int{4}})
	require.NoError(t, err)
	_, err = NewNetwork(g, Options{Batch: 1, Recompute: true})
	assert.ErrorContains(t, err, "bottlenecks")
}
