package train

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/ops"
	"sparsevk/ops/optest"
	"sparsevk/sparsenet"
)

var (
	fine    = sparsenet.Result{Loss: 1}
	skipped = sparsenet.Result{Loss: 1, NonFinite: true, Skipped: true}
	lost    = sparsenet.Result{Loss: float32(math.NaN()), NonFinite: true, Skipped: true}
)

func TestLossScale(t *testing.T) {
	s := newLossScale(ops.FP16)
	assert.Equal(t, []float32{lossScale, lossScale}, []float32{s.of(0), s.of(1)})
	require.NoError(t, s.landed(skipped, lossScale))
	assert.Equal(t, []float32{lossScale, lossScale / 2}, []float32{s.of(0), s.of(1)}, "the next step had its scale before")
	require.NoError(t, s.landed(skipped, lossScale))
	assert.Equal(t, []float32{lossScale / 2, lossScale / 2}, []float32{s.of(0), s.of(1)}, "it does not halve again")
	assert.Equal(t, []uint64{2, 2}, []uint64{s.Skipped, s.Row})
	for range lossWindow - 1 {
		require.NoError(t, s.landed(fine, lossScale/2))
	}
	assert.Equal(t, []uint64{2, 0}, []uint64{s.Skipped, s.Row})
	assert.EqualValues(t, lossScale/2, s.Now)
	require.NoError(t, s.landed(fine, lossScale/2))
	assert.EqualValues(t, lossScale, s.Now, "doubled after a window of updates")
	for range 30 * lossWindow {
		require.NoError(t, s.landed(fine, float32(s.Now)))
	}
	assert.EqualValues(t, lossScaleMax, s.Now)
}

// TestLossScaleEnds: never below 1, and not for ever.
func TestLossScaleEnds(t *testing.T) {
	s := newLossScale(ops.FP16)
	for range lossSkips - 1 {
		require.NoError(t, s.landed(skipped, float32(s.Now)))
	}
	assert.EqualValues(t, 1, s.Now)
	err := s.landed(skipped, 1)
	require.ErrorIs(t, err, ErrNonFinite)
	assert.ErrorContains(t, err, "50 updates in a row were left out")
}

func TestLossScaleRefuses(t *testing.T) {
	for _, p := range []ops.Precision{ops.FP32, ops.BF16} {
		s := newLossScale(p)
		assert.EqualValues(t, 1, s.of(0))
		require.NoError(t, s.landed(fine, 1))
		assert.Zero(t, s)
		assert.ErrorIs(t, s.landed(skipped, 1), ErrNonFinite, "nothing was scaled, so nothing can be blamed on it")
	}
	s := newLossScale(ops.FP16)
	assert.ErrorIs(t, s.landed(lost, lossScale), ErrNonFinite, "no scale makes the loss itself finite")
}

// TestResumeInHalf: a float16 run that begins with a scale far too large leaves out
// its first updates on the device, finds one that serves, and, stopped anywhere on
// the way, goes on with the same bits. Without 16-bit storage there is no such run.
func TestResumeInHalf(t *testing.T) {
	if !optest.Device(t).Info().Features.Storage16 {
		return // package sparsenet tests that it is refused
	}
	open := func(y toy) *Trainer {
		tr := newTrainer(t, y)
		tr.LR = Constant(0.05)
		tr.state.LossScale = LossScale{Now: 0x1p27, Before: 0x1p27}
		return tr
	}
	setup := toy{Options: sparsenet.Options{Engine: sparsenet.Arena, Precision: ops.FP16, Pad: 2, Flip: true}, dropout: 0.2, epochs: 3, dir: t.TempDir()}
	resumed(t, open, setup, 3, 4, 11)

	setup.dir = ""
	tr := open(setup)
	before, _ := bits(t, tr)
	_, err := loop(t.Context(), tr)
	require.NoError(t, err)
	after, state := bits(t, tr)
	assert.NotEqual(t, before, after)
	s := state.LossScale
	assert.Greater(t, s.Skipped, uint64(2))
	assert.Less(t, s.Skipped, uint64(30), "in the end it trains")
	assert.Zero(t, s.Row)
	assert.Equal(t, "fp16", state.Config["precision"])
}
