package sparsenet

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"sparsevk/gpu"
	"sparsevk/ops"
)

// The batch that is found fits and one more does not, in few plans, whatever the
// slope, the offset, the roughness and the largest batch that has a plan.
func TestBatchSearch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		perImage := rapid.Uint64Range(1, 1<<28).Draw(t, "bytes per image")
		base := rapid.Uint64Range(0, 1<<32).Draw(t, "base")
		jump := rapid.Uint64Range(0, perImage).Draw(t, "jump")
		largest := rapid.IntRange(1, 1<<21).Draw(t, "largest batch with a plan")
		limit := rapid.Uint64Range(0, 1<<42).Draw(t, "limit")
		plans := 0
		bytes := func(batch int) uint64 { return base + uint64(batch)*perImage + uint64(batch/37)*jump }
		s := batchSearch{limit: limit, plan: func(batch int) (uint64, error) {
			plans++
			if batch > largest {
				return 0, &ops.TooLargeError{}
			}
			return bytes(batch), nil
		}}
		got, err := s.run()
		require.NoError(t, err)
		fits := func(b int) bool { return b <= largest && bytes(b) <= limit }
		if got > 0 && !fits(got) || got < maxBatch && fits(got+1) {
			t.Fatalf("found %d in %d plans: %d bytes of %d, %d for one more", got, plans, bytes(got), limit, bytes(got+1))
		}
		assert.LessOrEqual(t, plans, 48)
	})
}

func TestBatchSearchStopsAtErrors(t *testing.T) {
	broken := errors.New("broken")
	s := batchSearch{limit: 1, plan: func(int) (uint64, error) { return 0, broken }}
	_, err := s.run()
	assert.ErrorIs(t, err, broken)
}

func TestLargestBatch(t *testing.T) {
	for _, c := range []struct {
		preset string
		Options
		limit uint64
	}{
		{"sparse-40-24", Options{}, 1 << 30},
		{"sparse-40-24", Options{Engine: Layered}, 1 << 30},
		{"dense-40-12", Options{}, 300 << 20},
		{"sparse-16-6", Options{Inference: true}, 100 << 20},
		{"sparse-bc-40-12", Options{WideEval: true}, 200 << 20},
	} {
		n := network(t, c.preset, Options{Batch: 1})
		got, err := LargestBatch(n.Graph, c.Options, c.limit)
		require.NoError(t, err)
		require.Positive(t, got)
		total := func(batch int) uint64 {
			c.Batch = batch
			return network(t, c.preset, c.Options).Memory().Total
		}
		assert.LessOrEqual(t, total(got), c.limit, c.preset)
		assert.Greater(t, total(got+1), c.limit, c.preset)
	}
	g := network(t, "sparse-16-6", Options{Batch: 1}).Graph
	none, err := LargestBatch(g, Options{}, 1<<20)
	require.NoError(t, err)
	assert.Zero(t, none)
	all, err := LargestBatch(g, Options{}, 1<<50)
	require.NoError(t, err)
	assert.Equal(t, 21824, all, "the largest batch whose widest map, 12 planes of 32 by 32, fits a memory object")
	_, err = LargestBatch(g, Options{Engine: "tree"}, 1<<30)
	assert.ErrorContains(t, err, "tree")
}

func TestRefusalTexts(t *testing.T) {
	e := &TooLittleMemoryError{Batch: 64, Need: 100, Have: 80, Taken: 10, Fits: 12}
	assert.EqualError(t, e, "sparsenet: batch 64 needs 100 bytes, the device has 80, of which 10 are taken: batch 12 fits")
	e.Fits = 0
	assert.EqualError(t, e, "sparsenet: batch 64 needs 100 bytes, the device has 80, of which 10 are taken: no batch fits: use a smaller network or another device")
	e.Fits, e.Got, e.Cause = 3, 40, gpu.ErrOutOfMemory
	assert.EqualError(t, e, "sparsenet: batch 64 needs 100 bytes, the device has 80, of which 10 are taken, and handed out 40: batch 3 fits: out of memory")
	assert.ErrorIs(t, e, gpu.ErrOutOfMemory)
}

func TestDeviceBytesAreDeviceLocal(t *testing.T) {
	assert.EqualValues(t, 8, deviceBytes([]gpu.Heap{{Bytes: 99}, {Bytes: 8, DeviceLocal: true}, {Bytes: 2, DeviceLocal: true}}))
}

// A plan that cannot fit is refused before anything is allocated.
func TestMemoryRefusedBeforeAllocation(t *testing.T) {
	d := openDevice(t)
	have := deviceBytes(d.Info().Heaps)
	g := network(t, "sparse-1000-12", Options{Batch: 1}).Graph
	fit, err := LargestBatch(g, Options{}, have)
	require.NoError(t, err)
	n, err := NewNetwork(g, Options{Batch: fit + 1})
	require.NoError(t, err)
	_, err = n.Open(d, 1)
	assert.Equal(t, &TooLittleMemoryError{Batch: fit + 1, Need: n.Memory().Total, Have: have, Fits: fit}, err)
	assert.Zero(t, d.Allocated())
}

// When the device says no half way, what was taken is freed, and the error says
// what fits.
func TestMemoryFreedWhenTheDeviceRunsOut(t *testing.T) {
	d := openDevice(t)
	have := deviceBytes(d.Info().Heaps)
	g := network(t, "sparse-1000-12", Options{Batch: 1}).Graph
	fit, err := LargestBatch(g, Options{}, have)
	require.NoError(t, err)
	n, err := NewNetwork(g, Options{Batch: 2 * fit})
	require.NoError(t, err)
	_, err = n.allocate(d)
	var little *TooLittleMemoryError
	require.ErrorAs(t, err, &little)
	assert.ErrorIs(t, err, gpu.ErrOutOfMemory)
	assert.NotZero(t, little.Got)
	assert.LessOrEqual(t, little.Got, have)
	assert.Positive(t, little.Fits)
	assert.LessOrEqual(t, little.Fits, fit)
	assert.Zero(t, d.Allocated())
}
