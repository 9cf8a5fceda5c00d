package train

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/ops"
	"sparsevk/ops/optest"
	"sparsevk/sparsenet"
	"sparsevk/train/data"
	"sparsevk/train/internal/durable"
)

// A gate is a disk that gives one file its name only when it is open, or never.
type gate struct {
	durable.OS
	held string
	open chan struct{}
	err  error
}

func (g gate) Rename(from, to string) error {
	if to == g.held {
		<-g.open
		if g.err != nil {
			return g.err
		}
	}
	return g.OS.Rename(from, to)
}

// Nothing is called saved that is not on disk: not an epoch's checkpoint while it is
// being written, and none that cannot be.
func TestSavedIsOnDisk(t *testing.T) {
	for _, failure := range []error{nil, errDisk} {
		tr := newTrainer(t, toy{dir: t.TempDir(), epochs: 2})
		tr.Run.Keep = 10
		path := tr.Run.path
		g := gate{held: path(10), open: make(chan struct{}), err: failure}
		tr.Run.disk = g
		var saves []Save
		tr.Saved = func(s Save) {
			saves = append(saves, s)
			c, err := LoadCheckpoint(s.Path)
			require.NoError(t, err)
			assert.Equal(t, []any{s.Step, s.Epoch}, []any{c.State.Step, int(c.State.Epoch)})
			assert.NoError(t, c.Close())
		}
		var epochs []Epoch
		var ended error
		for e, err := range tr.Loop(t.Context()) {
			if err != nil {
				ended = err
				continue
			}
			if epochs = append(epochs, e); len(epochs) == 1 {
				assert.Equal(t, path(10), e.Checkpoint)
				assert.NoFileExists(t, e.Checkpoint)
				assert.False(t, e.Saved, "it is being written")
				close(g.open)
			}
		}
		if failure != nil {
			assert.ErrorIs(t, ended, errDisk)
			assert.Equal(t, []Save{{path(0), 0, 0, false}}, saves)
			continue
		}
		require.NoError(t, ended)
		require.Len(t, epochs, 2)
		assert.True(t, epochs[1].Saved, "nothing follows that it could be written beside")
		assert.Equal(t, []Save{{path(0), 0, 0, false}, {path(10), 10, 1, false}, {path(20), 20, 2, false}}, saves)
	}
}

// A run that is stopped when an epoch has just ended has nothing to tell of the next.
func TestStopBetweenEpochs(t *testing.T) {
	tr := newTrainer(t, toy{dir: t.TempDir(), epochs: 3})
	var last Save
	tr.Saved = func(s Save) { last = s }
	epochs := stopAfter(t, tr, 10)
	require.Len(t, epochs, 2)
	assert.EqualValues(t, []any{uint64(40), uint64(0)}, []any{epochs[0].Images, epochs[1].Images})
	assert.True(t, epochs[1].Stopped && epochs[1].Saved)
	assert.Equal(t, Save{tr.Run.path(10), 10, 1, true}, last)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	epochs, err := loop(ctx, newTrainer(t, toy{}))
	require.NoError(t, err)
	require.Len(t, epochs, 1)
	assert.Zero(t, epochs[0].Images)
	assert.False(t, epochs[0].Saved, "there is no run directory")
}

// An update that is left out does not count for Adam's corrections, as in PyTorch,
// whose GradScaler does not call the optimizer then. The first one that is done
// moves a parameter by the rate, whatever its gradient; counted as a later one, by less.
func TestAdamDoesNotCountWhatIsLeftOut(t *testing.T) {
	if !optest.Device(t).Info().Features.Storage16 {
		return // package sparsenet tests that float16 is refused
	}
	const rate, beta1, beta2 = 1e-3, 0.9, 0.999
	tr := newTrainer(t, toy{Options: sparsenet.Options{Precision: ops.FP16, Optimizer: sparsenet.Adam}})
	tr.LR, tr.Momentum, tr.Beta2, tr.Epsilon, tr.Decay = Constant(rate), beta1, beta2, 1e-12, 0
	tr.state.LossScale = LossScale{Now: 0x1p40, Before: 0x1p40}
	before, err := tr.Model.Values()
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	tr.Train = data.Loader{Set: toySet(402, 1), Size: 4, Seed: 9}
	var skipped uint64
	tr.Progress = func(p Progress) {
		if p.Skipped < p.Step { // an update was done
			skipped = p.Skipped
			cancel()
		}
	}
	epochs, err := loop(ctx, tr)
	require.NoError(t, err)
	require.Greater(t, skipped, uint64(10), "the scale was far too large")
	require.Equal(t, skipped+1, epochs[len(epochs)-1].Step, "none is in flight behind it")
	after, err := tr.Model.Values()
	require.NoError(t, err)
	most := 0.0
	for _, p := range tr.Model.Graph.Params.Trained {
		for i, v := range after[p.Name] {
			most = max(most, math.Abs(float64(v-before[p.Name][i])))
		}
	}
	moved := func(updates float64) float64 { // by an update after others whose gradient was 0
		return rate * (1 - beta1) / (1 - math.Pow(beta1, updates)) / math.Sqrt((1-beta2)/(1-math.Pow(beta2, updates)))
	}
	off := func(updates float64) float64 { return math.Abs(most/moved(updates) - 1) }
	assert.True(t, off(1) <= 1e-3, "moved by %g", most)
	assert.False(t, off(2) <= 1e-3 || off(float64(skipped+1)) <= 1e-3, "another count is not noticed")
}
