package train

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/gpu"
	"sparsevk/ops/optest"
	"sparsevk/sparsenet"
	"sparsevk/train/data"
)

// A loser holds the device and the model of a run that loses them.
type loser struct {
	t       *testing.T
	network *sparsenet.Network
	dev     *gpu.Device
	model   *sparsenet.Model
}

// open makes device and model anew.
func (l *loser) open() (*sparsenet.Model, error) {
	l.close()
	var err error
	l.dev, err = optest.Another(l.t)
	require.NoError(l.t, err)
	l.model, err = l.network.Open(l.dev, 1)
	require.NoError(l.t, err)
	return l.model, nil
}

func (l *loser) close() {
	if l.dev != nil {
		_ = l.model.Close() // of a lost device: it says so
		_ = l.dev.Close()
		l.dev = nil
	}
}

// newLoser is newTrainer with a device of its own, which Reopen makes anew.
func newLoser(t *testing.T, y toy) (*Trainer, *loser) {
	tr := newTrainer(t, y)
	tr.Valid = data.Loader{Set: toySet(22, 2), Size: 4}
	tr.Every = 4
	if y.dir != "" {
		var err error
		tr.Metrics, err = OpenMetrics(y.dir, State{})
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, tr.Metrics.Close()) })
	}
	l := &loser{t: t, network: tr.Model.Network}
	t.Cleanup(l.close)
	_, err := l.open()
	require.NoError(t, err)
	tr.Model, tr.Reopen = l.model, l.open
	return tr, l
}

// A run whose device is lost at a random dispatch, in training, in validation or
// while a checkpoint is taken, ends with the bits of one whose device was not.
func TestLostDevice(t *testing.T) {
	setup := toy{Options: sparsenet.Options{Pad: 1, Flip: true}, dropout: 0.2, epochs: 3, dir: t.TempDir()}
	whole, _ := newLoser(t, setup)
	_, err := loop(t.Context(), whole)
	require.NoError(t, err)
	want, state := bits(t, whole)
	r := rand.New(rand.NewPCG(rand.Uint64(), 0))
	for range 2 {
		setup.dir = t.TempDir()
		tr, l := newLoser(t, setup)
		losses := 0
		tr.Restarted = func(cause error, checkpoint string) {
			losses++
			assert.ErrorIs(t, cause, gpu.ErrLost)
			assert.FileExists(t, checkpoint)
		}
		n, dispatch := 1+r.IntN(40), r.IntN(len(l.network.Train.Steps()))
		at := fmt.Sprintf("dispatch %d of submission %d", dispatch, n)
		l.dev.InjectLoss(n, dispatch)
		epochs, err := loop(t.Context(), tr)
		require.NoError(t, err, "lost at %s", at)
		require.Len(t, epochs, 3)
		assert.Equal(t, 1, losses, "lost at %s", at)
		got, now := bits(t, tr)
		assert.Equal(t, want, got, "lost at %s", at)
		assert.Equal(t, asJSON(t, state), asJSON(t, now))
	}
}

// A device that is lost again before there is a newer checkpoint ends the run, with
// the checkpoint that is kept; without Reopen the first loss does.
func TestDeviceLostForGood(t *testing.T) {
	setup := toy{epochs: 2, dir: t.TempDir()}
	tr, l := newLoser(t, setup)
	opened := 0
	tr.Reopen = func() (*sparsenet.Model, error) {
		opened++
		m, err := l.open()
		l.dev.InjectLoss(2, 0)
		return m, err
	}
	l.dev.InjectLoss(7, 1)
	_, err := loop(t.Context(), tr)
	require.ErrorIs(t, err, gpu.ErrLost)
	assert.ErrorContains(t, err, "lost before too")
	assert.ErrorContains(t, err, "step-000000000004.safetensors")
	assert.Equal(t, 1, opened)

	setup.dir = t.TempDir()
	tr, l = newLoser(t, setup)
	tr.Reopen = nil
	l.dev.InjectLoss(7, 1)
	_, err = loop(t.Context(), tr)
	require.ErrorIs(t, err, gpu.ErrLost)
	c, _, err := Newest(setup.dir)
	require.NoError(t, err)
	assert.EqualValues(t, 4, c.State.Step)
	assert.NoError(t, c.Close())
}

// The run ends after Patience epochs without a better validation, also if it was
// stopped and resumed in between.
func TestPatience(t *testing.T) {
	setup := toy{epochs: 9, dir: t.TempDir()}
	open := func() *Trainer {
		tr := newTrainer(t, setup)
		tr.LR = Constant(1e-12) // nothing is learned but running statistics
		tr.Valid = data.Loader{Set: toySet(22, 2), Size: 4}
		tr.Patience = 2
		return tr
	}
	tr := open()
	epochs, err := loop(t.Context(), tr)
	require.NoError(t, err)
	best := 0
	for i, e := range epochs {
		if e.Valid.Accuracy() > epochs[best].Valid.Accuracy() {
			best = i
		}
	}
	require.Len(t, epochs, best+1+tr.Patience)
	require.Less(t, len(epochs), setup.epochs, "the run ended by itself")
	want := epochs[len(epochs)-1].Step

	score := func() float64 {
		s, err := tr.Score(t.Context(), tr.Valid)
		require.NoError(t, err)
		return s.Loss
	}
	assert.Equal(t, epochs[len(epochs)-1].Valid.Loss, score())
	path, err := tr.TakeBest()
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(setup.dir, checkpointsDir, bestName), path)
	assert.Equal(t, epochs[best].Valid.Loss, score())
	assert.NotEqual(t, epochs[best].Valid.Loss, epochs[len(epochs)-1].Valid.Loss, "else it makes no difference")

	setup.dir = t.TempDir()
	first := open()
	stopAfter(t, first, 25)
	require.NoError(t, first.Run.Close())
	c, _, err := Newest(setup.dir)
	require.NoError(t, err)
	second := open()
	require.NoError(t, second.Resume(c, false))
	require.NoError(t, c.Close())
	epochs, err = loop(t.Context(), second)
	require.NoError(t, err)
	assert.Equal(t, want, epochs[len(epochs)-1].Step)

	second.Valid.Set = nil
	assert.ErrorContains(t, second.check(), "patience of 2 epochs: want 0 or more, and images to validate on")
}
