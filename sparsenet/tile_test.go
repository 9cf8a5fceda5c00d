package sparsenet

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/gpu"
	"sparsevk/ops"
	"sparsevk/ops/optest"
)

// A network in the tiles for GPUs, those with Winograd's algorithm too, takes the bytes
// that it plans, agrees with the plain kernels, and gives the same bits when it starts
// again.
func TestTilesTrain(t *testing.T) {
	c := Config{Blocks: []int{1, 1}, Growth: []int{5}, Classes: 3, Input: Input{8, 8, 3}}
	plain := Options{Batch: 2}
	tiles, winograd := plain, plain
	tiles.Class, winograd.Class = ops.Small, ops.Small
	winograd.Tuning = ops.Tuning{"forward 3x3": "winograd-32x64", "gather 3x3": "winograd-32x64"}
	train := func(o Options, variants ...ops.Variant) outcome {
		dev := optest.Device(t)
		open(t, c, o) // the device has its buffers for transfers now, which it keeps
		before := dev.Allocated()
		m := open(t, c, o)
		assert.Equal(t, m.Memory().Total-gpu.StagingBytes, dev.Allocated()-before, variants)
		got := map[ops.Variant]bool{}
		for _, c := range m.Choices() {
			got[c.Variant] = true
		}
		for _, v := range variants {
			assert.True(t, got[v], "%v: %v", v, m.Choices())
		}
		result := run(t, m, 2)
		require.NoError(t, m.Load(someValues(m.Graph.Params)))
		require.NoError(t, m.LoadSlot(SlotMomentum, zeros(m.Graph.Params)))
		again := run(t, m, 2)
		assert.Equal(t, hash(result.gradients), hash(again.gradients), variants)
		assert.Equal(t, hash(result.values), hash(again.values), variants)
		return result
	}
	want := train(plain, ops.PlainForm)
	g, err := Build(c)
	require.NoError(t, err)
	assert.Empty(t, disagreements(train(tiles, "tile-32x64", "tile-16k"), want, someValues(g.Params), sharp))
	assert.Empty(t, disagreements(train(winograd, "winograd-32x64", "tile-16k"), want, someValues(g.Params), sharp))
}

// The tiles take 16-bit maps as the plain kernels do. Software drivers compile for a
// minute: it runs with SPARSEVK_SLOW=1.
func TestTilesTakeHalf(t *testing.T) {
	if os.Getenv("SPARSEVK_SLOW") != "1" {
		t.Skip("SPARSEVK_SLOW=1 runs it")
	}
	if !optest.Device(t).Info().Features.Storage16 {
		t.Skip(gpu.ErrNoStorage16)
	}
	c := Config{Blocks: []int{1, 1}, Growth: []int{5}, Classes: 3, Input: Input{8, 8, 3}}
	var got []outcome
	for _, class := range []ops.Class{ops.Plain, ops.Small} {
		got = append(got, run(t, open(t, c, Options{Batch: 2, Class: class, Precision: ops.BF16}), 1))
	}
	assert.Less(t, strays(got[1].logits, got[0].logits, 0), 0.02)
	assert.Less(t, spreadOf(got[1].gradients, got[0].gradients).median, 0.02)
}
