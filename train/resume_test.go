package train

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/sparsenet"
	"sparsevk/train/data"
)

// A run that is stopped after any step and goes on in another process has the bits
// of one that was not: within an epoch, in the validation at its end, with crops,
// mirrors, dropout and a rate that rises over one and a half epochs.
func TestResumeHasTheSameBits(t *testing.T) {
	open := func(y toy) *Trainer {
		tr := newTrainer(t, y)
		tr.LR = Warmup(1.5, 0.1, StepLR(0.05, 0.1, 2))
		tr.Valid = data.Loader{Set: toySet(22, 2), Size: 4}
		return tr
	}
	for _, engine := range engines {
		setup := toy{Options: sparsenet.Options{Engine: engine, Pad: 2, Flip: true}, dropout: 0.2, epochs: 3, dir: t.TempDir()}
		want := resumed(t, open, setup, 4, 10, 17)
		// what the comparison must catch: a run that skips one batch
		skips := open(toy{Options: setup.Options, dropout: 0.2, epochs: 3})
		require.NoError(t, skips.check())
		skips.state.Position = 1
		_, err := loop(t.Context(), skips)
		require.NoError(t, err)
		got, _ := bits(t, skips)
		assert.NotEqual(t, want, got)
	}
}

// resumed trains a run of thirty steps in one go, and with a stop after each of the
// given steps, demands the same bits, and returns them.
func resumed(t *testing.T, open func(toy) *Trainer, setup toy, stops ...uint64) map[string][]byte {
	t.Helper()
	whole := open(setup)
	_, err := loop(t.Context(), whole)
	require.NoError(t, err)
	want, state := bits(t, whole)
	require.EqualValues(t, 30, state.Step)

	for _, stop := range stops {
		setup.dir = t.TempDir()
		first := open(setup)
		epochs := stopAfter(t, first, stop)
		require.NoError(t, first.Run.Close())
		done := stopped(stop)
		assert.Equal(t, done, epochs[len(epochs)-1].Step)
		assert.True(t, epochs[len(epochs)-1].Stopped)

		second := open(setup)
		c, damaged, err := Newest(setup.dir)
		require.NoError(t, err)
		require.Empty(t, damaged)
		require.Equal(t, done, c.State.Step)
		require.NoError(t, second.Resume(c, false))
		require.NoError(t, c.Close())
		_, err = loop(t.Context(), second)
		require.NoError(t, err)
		got, now := bits(t, second)
		assert.Equal(t, want, got, "%s, stopped after %d", setup.Engine, stop)
		assert.Equal(t, asJSON(t, state), asJSON(t, now))
	}
	return want
}

// The moments of Adam, the average of the parameters and where a plateau stands
// are part of a checkpoint.
func TestResumeOfARecipe(t *testing.T) {
	open := func(y toy) *Trainer {
		tr := newTrainer(t, y)
		tr.LR, tr.Plateau = Constant(0.01), &Plateau{Factor: 0.5, Patience: 0}
		tr.Beta2, tr.Epsilon, tr.Clip, tr.Average = 0.99, 1e-8, 1.5, 0.8
		tr.Valid = data.Loader{Set: toySet(22, 2), Size: 4}
		return tr
	}
	o := sparsenet.Options{Engine: sparsenet.Arena, Optimizer: sparsenet.AMSGrad, Decays: sparsenet.DecayWeights, Average: true}
	want := resumed(t, open, toy{Options: o, epochs: 3, dir: t.TempDir()}, 4, 10)
	for _, name := range []string{"second.", "largest.", "average."} {
		assert.Contains(t, want, name+"features.conv0.weight")
	}
	o.Average = false
	tr := newTrainer(t, toy{Options: o})
	assert.ErrorContains(t, tr.check(), "set Beta2, as to 0.999")
	tr.Beta2, tr.Epsilon, tr.Average = 0.99, 1e-8, 0.9
	assert.ErrorContains(t, tr.check(), "average 0.9 for a model whose Options.Average is false")
}

// Statistics that were imported and differ among the readers of a map differ to the
// same bit after a resume.
func TestResumeKeepsImportedDifferences(t *testing.T) {
	for _, engine := range engines {
		setup := toy{Options: sparsenet.Options{Engine: engine}, epochs: 2}
		whole := newTrainer(t, setup)
		loadUneven(t, whole.Model)
		_, err := loop(t.Context(), whole)
		require.NoError(t, err)
		want, _ := bits(t, whole)

		setup.dir = t.TempDir()
		first := newTrainer(t, setup)
		loadUneven(t, first.Model)
		stopAfter(t, first, 4)
		c, _, err := Newest(setup.dir)
		require.NoError(t, err)
		second := newTrainer(t, toy{Options: setup.Options, epochs: 2})
		require.NoError(t, second.Resume(c, false))
		assert.Equal(t, first.Model.Imported(), second.Model.Imported())
		_, err = loop(t.Context(), second)
		require.NoError(t, err)
		got, _ := bits(t, second)
		for name := range want {
			assert.Equal(t, want[name], got[name], "%s: %s", engine, name)
		}

		// without momentum the file is that of a model: values alone
		list, err := Tensors(first.Model, false)
		require.NoError(t, err)
		assert.Len(t, list, len(first.Model.Graph.Params.All))
		assert.NoError(t, c.Close())
	}
}

// loadUneven gives every channel of every reader running statistics of its own.
func loadUneven(t *testing.T, m *sparsenet.Model) {
	t.Helper()
	values, err := m.Values()
	require.NoError(t, err)
	for i, p := range m.Graph.Params.Running {
		for j := range values[p.Name] {
			values[p.Name][j] += float32((7*i+j)%17) * 0.0137
		}
	}
	require.NoError(t, m.Load(values))
}

// stopped returns at which step a run ends that is cancelled when one is done: the
// next is in flight then, unless the epoch, of ten steps, is at its end.
func stopped(step uint64) uint64 { return min(step+1, (step+9)/10*10) }

// stopAfter cancels the run when a step is done.
func stopAfter(t *testing.T, tr *Trainer, step uint64) []Epoch {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	tr.Progress = func(p Progress) {
		if p.Step == step {
			cancel()
		}
	}
	epochs, err := loop(ctx, tr)
	require.NoError(t, err)
	return epochs
}

// Ctrl-C ends the run after the steps in flight, with a checkpoint of them.
func TestStopLeavesACheckpoint(t *testing.T) {
	tr := newTrainer(t, toy{dir: t.TempDir(), epochs: 3})
	epochs := stopAfter(t, tr, 13)
	require.Len(t, epochs, 2)
	assert.False(t, epochs[0].Stopped)
	last := epochs[1]
	assert.True(t, last.Stopped)
	assert.EqualValues(t, 14, last.Step)
	assert.Equal(t, 1, last.N)
	c, err := LoadCheckpoint(last.Checkpoint)
	require.NoError(t, err)
	defer c.Close()
	assert.Equal(t, [3]uint64{14, 1, 4}, [3]uint64{c.State.Step, c.State.Epoch, c.State.Position})
}

// A run that is stopped in a validation, resumed, and killed before the epoch that it
// closed is saved closes it again, with one line of it in the metrics.
func TestResumeInAValidationCountsEpochsOnce(t *testing.T) {
	setup := toy{dir: t.TempDir(), epochs: 2}
	open := func(resume bool) *Trainer {
		tr := newTrainer(t, setup)
		tr.Valid = data.Loader{Set: toySet(22, 2), Size: 4}
		if resume {
			c, _, err := Newest(setup.dir)
			require.NoError(t, err)
			require.Equal(t, [3]uint64{10, 0, 10}, [3]uint64{c.State.Step, c.State.Epoch, c.State.Position})
			require.NoError(t, tr.Resume(c, false))
			require.NoError(t, c.Close())
		}
		var err error
		tr.Metrics, err = OpenMetrics(setup.dir, tr.State())
		require.NoError(t, err)
		return tr
	}
	end := func(tr *Trainer) {
		require.NoError(t, tr.Metrics.Close())
		require.NoError(t, tr.Run.Close())
	}
	first := open(false)
	stopAfter(t, first, 10)
	end(first)

	killed := open(true)
	run := killed.Run
	killed.Run = nil // nothing more is saved
	for e, err := range killed.Loop(t.Context()) {
		require.NoError(t, err)
		require.Equal(t, 1, e.N)
		break
	}
	killed.Run = run
	lines := read(t, setup.dir, metricsJSON)
	require.Equal(t, 1, strings.Count(lines, `"kind":"valid"`), "the epoch was closed")
	end(killed)

	last := open(true)
	_, err := loop(t.Context(), last)
	require.NoError(t, err)
	end(last)
	lines = read(t, setup.dir, metricsJSON)
	for _, kind := range []string{KindEpoch, KindValid} {
		assert.Equal(t, 2, strings.Count(lines, `"kind":"`+kind+`"`), kind)
		assert.Equal(t, 1, strings.Count(lines, `"kind":"`+kind+`","epoch":1,`), kind)
	}
	assert.Equal(t, 20, strings.Count(lines, `"kind":"step"`))
}

// Checkpoints between the ends of epochs are as good: here one that a killed run
// left, whose later steps are lost.
func TestResumeAfterAKill(t *testing.T) {
	setup := toy{dir: t.TempDir(), epochs: 1}
	tr := newTrainer(t, setup)
	tr.Every = 3
	tr.Run.Keep = 10
	_, err := loop(t.Context(), tr)
	require.NoError(t, err)
	want, _ := bits(t, tr)
	require.NoError(t, tr.Run.Close())
	steps, err := listSteps(setup.dir)
	require.NoError(t, err)
	require.Len(t, steps, 5, "before the first, and after 3, 6, 9 and 10 steps")
	for _, s := range steps[:2] {
		require.NoError(t, os.Remove(s.path))
	}
	again := newTrainer(t, setup)
	c, _, err := Newest(setup.dir)
	require.NoError(t, err)
	defer c.Close()
	require.EqualValues(t, 6, c.State.Step)
	require.NoError(t, again.Resume(c, false))
	_, err = loop(t.Context(), again)
	require.NoError(t, err)
	got, _ := bits(t, again)
	assert.Equal(t, want, got)
}

func TestResumeRefuses(t *testing.T) {
	setup := toy{dir: t.TempDir(), epochs: 1}
	tr := newTrainer(t, setup)
	_, err := loop(t.Context(), tr)
	require.NoError(t, err)
	require.NoError(t, tr.Run.Close())
	c, _, err := Newest(setup.dir)
	require.NoError(t, err)
	defer c.Close()
	for want, change := range map[string]func(tr *Trainer){
		"seed was 9, is 10":                 func(tr *Trainer) { tr.Seed = 10 },
		"schedule was step(0.05 x0.1 at 2)": func(tr *Trainer) { tr.LR = Constant(0.05) },
		"momentum was 0.9, is 0.8":          func(tr *Trainer) { tr.Momentum = 0.8 },
		"hash of the data was":              func(tr *Trainer) { tr.Train.Set.Images[0]++ },
		"images was 42, is 8":               func(tr *Trainer) { tr.Train.Index = []int32{0, 1, 2, 3, 4, 5, 6, 7} },
		"engine was unset, is tree":         func(tr *Trainer) { tr.Config = map[string]string{"engine": "tree"} },
	} {
		again := newTrainer(t, toy{epochs: 1})
		before, _ := bits(t, again)
		change(again)
		err := again.Resume(c, false)
		assert.ErrorIs(t, err, ErrChanged)
		assert.ErrorContains(t, err, want)
		after, _ := bits(t, again)
		assert.Equal(t, before, after, "a refused checkpoint changes nothing")
		assert.NoError(t, again.Resume(c, true), "unless it is forced")
	}
	// no force makes tensors fit
	for want, o := range map[string]sparsenet.Options{
		"optimizer was sgd, is adam: --force is no help, since tensor second.": {Optimizer: sparsenet.Adam},
		"average was 0, is 0.9: --force is no help, since tensor average.":     {Average: true},
	} {
		again := newTrainer(t, toy{Options: o, epochs: 1})
		again.Beta2, again.Epsilon = 0.999, 1e-8
		if o.Average {
			again.Average = 0.9
		}
		for _, force := range []bool{false, true} {
			before, _ := bits(t, again)
			err := again.Resume(c, force)
			assert.ErrorIs(t, err, ErrChanged)
			assert.ErrorContains(t, err, want[strings.Index(want, "--force"):])
			assert.ErrorContains(t, err, want[:strings.Index(want, ":")])
			after, _ := bits(t, again)
			assert.Equal(t, before, after)
		}
	}
	assert.NoError(t, newTrainer(t, toy{epochs: 1}).Resume(c, false))
}
