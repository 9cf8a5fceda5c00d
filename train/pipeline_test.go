package train

import (
	"errors"
	"math"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/sparsenet"
	"sparsevk/train/data"
	"sparsevk/train/internal/durable"
)

// A training step takes no memory from Go: feed, submission, result, progress and
// metrics included. A step that does is noticed.
func TestStepsDoNotAllocate(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	for _, engine := range engines {
		tr := newTrainer(t, toy{Options: sparsenet.Options{Engine: engine, Pad: 1, Flip: true}})
		tr.Train.Set = toySet(400, 1)
		var err error
		tr.Metrics, err = OpenMetrics(t.TempDir(), State{})
		require.NoError(t, err)
		defer tr.Metrics.Close()
		var sink []byte
		// The runtime may start a thread, which takes memory too, but not in each of
		// four times ten steps.
		at := make([]uint64, 0, 6)
		var m runtime.MemStats
		tr.Progress = func(p Progress) {
			if p.Step >= 40 && p.Step <= 90 && p.Step%10 == 0 { // the pieces of the recordings are known
				runtime.ReadMemStats(&m)
				at = append(at, m.Mallocs)
			}
			if p.Step > 80 && p.Step < 90 {
				sink = make([]byte, 100+p.Step)
			}
		}
		_, err = loop(t.Context(), tr)
		require.NoError(t, err)
		require.Len(t, at, 6)
		least := ^uint64(0)
		for i := range 4 {
			least = min(least, at[i+1]-at[i])
		}
		assert.Zero(t, least, "%s: allocations in 10 steps", engine)
		assert.GreaterOrEqual(t, at[5]-at[4], uint64(9), "%d bytes are not noticed", len(sink))
	}
}

// slow is a disk that takes its time, and fails once bad is closed.
type slow struct {
	durable.OS
	bad chan struct{}
}

var errDisk = errors.New("the disk is on fire")

func (d slow) Create(path string) (durable.File, error) {
	select {
	case <-d.bad:
		return nil, errDisk
	case <-time.After(50 * time.Millisecond):
		return d.OS.Create(path)
	}
}

// The training goes on while a checkpoint is written; one that fails ends it, soon
// or at its end; and what was written is of the step that it says, however far the
// training has come.
func TestCheckpointsDoNotStall(t *testing.T) {
	want := map[uint64]map[string][]byte{}
	for _, stop := range []uint64{3, 6, 9} {
		tr := newTrainer(t, toy{})
		require.NoError(t, tr.begin())
		require.NoError(t, trainSteps(tr, int(stop)))
		want[stop], _ = bits(t, tr)
	}
	tr := newTrainer(t, toy{dir: t.TempDir()})
	tr.LR = Constant(0.05)
	disk := slow{bad: make(chan struct{})}
	tr.Every, tr.Run.Keep, tr.Run.disk = 3, 10, disk
	_, err := loop(t.Context(), tr)
	require.NoError(t, err)
	for step, values := range want {
		c, err := LoadCheckpoint(tr.Run.path(step))
		require.NoError(t, err)
		for _, x := range c.Tensors() {
			got, err := c.Float32(x.Name)
			require.NoError(t, err)
			for i, f := range got {
				b := values[x.Name][4*i:]
				require.Equal(t, math.Float32bits(f), uint32(b[0])|uint32(b[1])<<8|uint32(b[2])<<16|uint32(b[3])<<24, "%s after %d steps", x.Name, step)
			}
		}
		require.NoError(t, c.Close())
	}

	for _, fail := range []uint64{2, 10} { // the write after step 3 fails; that at the end
		tr := newTrainer(t, toy{dir: t.TempDir()})
		disk := slow{bad: make(chan struct{})}
		tr.Every, tr.Run.disk = 3, disk
		if fail == 10 {
			tr.Every = 0
		}
		tr.Progress = func(p Progress) {
			if p.Step == fail {
				assert.NoError(t, tr.saver.wait())
				close(disk.bad)
			}
		}
		_, err := loop(t.Context(), tr)
		assert.ErrorIs(t, err, errDisk)
		assert.ErrorContains(t, err, "kept is "+tr.Run.path(0))
	}
}

// trainSteps trains on the first batches of the first epoch.
func trainSteps(tr *Trainer, n int) error {
	all := tr.Train.Train(0)
	for i := range n {
		if err := tr.steps.room(); err != nil {
			return err
		}
		if err := tr.submit(all.At(i), flight{step: uint64(i), batch: i, batches: all.Len(), parts: 1, rate: 0.05}); err != nil {
			return err
		}
	}
	return tr.steps.drain()
}

// All at once: a run that accumulates ten batches by threes, the last by itself, with
// crops, mirrors, dropout, a validation and a rate that rises over one and a half
// epochs, and is stopped within an epoch or at its end, within the rise or behind it,
// goes on with the same bits: it stops between updates only. The number is part of
// what must be the same.
func TestResumeWithAccumulation(t *testing.T) {
	for _, engine := range engines {
		setup := toy{Options: sparsenet.Options{Engine: engine, Pad: 2, Flip: true, Accumulate: true}, dropout: 0.2, epochs: 2}
		open := func() *Trainer {
			tr := newTrainer(t, setup)
			tr.Accumulate = 3
			tr.LR = Warmup(1.5, 0.1, StepLR(0.05, 0.1, 2))
			tr.Valid = data.Loader{Set: toySet(22, 2), Size: 4}
			return tr
		}
		whole := open()
		var batches []int
		whole.Progress = func(p Progress) { batches = append(batches, p.Batch) }
		_, err := loop(t.Context(), whole)
		require.NoError(t, err)
		assert.Equal(t, []int{3, 6, 9, 10, 3, 6, 9, 10}, batches)
		want, state := bits(t, whole)
		skips := open() // what the comparison must catch: a run that skips one batch
		require.NoError(t, skips.check())
		skips.state.Position = 1
		_, err = loop(t.Context(), skips)
		require.NoError(t, err)
		other, _ := bits(t, skips)
		assert.NotEqual(t, want, other)
		for _, stop := range []uint64{1, 4, 6} {
			setup.dir = t.TempDir()
			first := open()
			stopAfter(t, first, stop)
			assert.True(t, first.state.Position%3 == 0 || first.state.Position == 10, "between updates, or in the validation")
			require.NoError(t, first.Run.Close())
			c, _, err := Newest(setup.dir)
			require.NoError(t, err)
			second := open()
			second.Accumulate = 2
			assert.ErrorContains(t, second.Resume(c, false), "accumulate was 3, is 2")
			second.Accumulate = 3
			require.NoError(t, second.Resume(c, false))
			_, err = loop(t.Context(), second)
			require.NoError(t, err)
			got, now := bits(t, second)
			assert.Equal(t, want, got, "%s, stopped after %d updates", engine, stop)
			assert.Equal(t, asJSON(t, state), asJSON(t, now))
			require.NoError(t, c.Close())
		}
		setup.dir = ""
		setup.Accumulate = false
		_, err = loop(t.Context(), open())
		assert.ErrorContains(t, err, "3 batches in an update, in a network whose Options.Accumulate is false")
	}
}
