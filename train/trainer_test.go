package train

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/ops/optest"
	"sparsevk/sparsenet"
	"sparsevk/train/data"
)

// toySet has n images of noise in two classes: those of the second are brighter in
// their upper half.
func toySet(n int, seed uint64) *data.Set {
	r := rand.New(rand.NewPCG(seed, 3))
	s := &data.Set{Name: "toy", H: 8, W: 8, C: 2, Classes: 2, Mean: []float32{0.4, 0.4}, Std: []float32{0.2, 0.2}}
	for i := range n {
		s.Labels = append(s.Labels, uint16(i%2))
		for p := range s.Record() {
			v := 40 + r.IntN(100)
			if i%2 == 1 && p%64 < 32 {
				v += 80
			}
			s.Images = append(s.Images, byte(v))
		}
	}
	return s
}

// A toy says how to train on a toySet.
type toy struct {
	sparsenet.Options
	dropout float64
	dir     string // of the run; "": none
	epochs  int
}

// newTrainer returns a trainer with a model of its own; what it holds is closed at
// the end of the test.
func newTrainer(t *testing.T, y toy) *Trainer {
	t.Helper()
	dev := optest.Device(t)
	g, err := sparsenet.Build(sparsenet.Config{Depth: 7, Growth: []int{2}, Classes: 2, Dropout: y.dropout, Input: sparsenet.Input{H: 8, W: 8, C: 2}})
	require.NoError(t, err)
	set := toySet(42, 1)
	o := y.Options
	o.Batch, o.Mean, o.Std, o.Class = 4, set.Mean, set.Std, classes(dev)[0]
	n, err := sparsenet.NewNetwork(g, o)
	require.NoError(t, err)
	m, err := n.Open(dev, 1)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, m.Close()) })
	tr := &Trainer{
		Model: m, Train: data.Loader{Set: set, Size: 4, Seed: 9}, Epochs: max(1, y.epochs), Seed: 9,
		LR: StepLR(0.05, 0.1, 2), Momentum: 0.9, Decay: 1e-4,
	}
	if y.dir != "" {
		tr.Run, err = OpenRun(y.dir)
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, tr.Run.Close()) })
	}
	return tr
}

// loop trains to the end and returns the epochs and the error.
func loop(ctx context.Context, t *Trainer) (epochs []Epoch, err error) {
	for e, err := range t.Loop(ctx) {
		if err != nil {
			return epochs, err
		}
		epochs = append(epochs, e)
	}
	return epochs, nil
}

func TestTrainerLearns(t *testing.T) {
	for _, engine := range engines {
		tr := newTrainer(t, toy{Options: sparsenet.Options{Engine: engine, Pad: 1, Flip: true}, epochs: 5, dir: t.TempDir()})
		test := data.Loader{Set: toySet(22, 2), Size: 4}
		before, err := Evaluate(t.Context(), tr.Model, test)
		require.NoError(t, err)
		assert.Less(t, before.Accuracy(), 0.8, "nothing is left to learn")
		tr.Valid = test
		var rates []float64
		tr.Progress = func(p Progress) { rates = append(rates, p.Rate) }
		epochs, err := loop(t.Context(), tr)
		require.NoError(t, err)
		require.Len(t, epochs, 5)
		first, last := epochs[0], epochs[4]
		t.Logf("%s: loss %.3f to %.3f, accuracy %.2f to %.2f", engine, first.Loss, last.Loss, before.Accuracy(), last.Valid.Accuracy())
		assert.Less(t, last.Loss, first.Loss/2)
		assert.Greater(t, last.Accuracy, 0.9)
		assert.Greater(t, last.Valid.Accuracy(), 0.9)
		assert.EqualValues(t, 50, last.Step)
		assert.Equal(t, []float64{tr.LR.At(0), tr.LR.At(2)}, []float64{rates[19], rates[20]}, "the rate drops after two epochs")

		// labels that are all wrong give the rest of the score
		wrong := toySet(22, 2)
		for i := range wrong.Labels {
			wrong.Labels[i] ^= 1
		}
		after, err := Evaluate(t.Context(), tr.Model, data.Loader{Set: wrong, Size: 4})
		require.NoError(t, err)
		assert.Equal(t, 22, after.Hits+last.Valid.Hits)

		best, err := Best(tr.Run.Dir)
		require.NoError(t, err)
		assert.Greater(t, best.State.Best, 0.9)
		assert.NoError(t, best.Close())
	}
}

// bits returns all that a run leaves: the file of its tensors, and its state.
func bits(t *testing.T, tr *Trainer) (map[string][]byte, State) {
	t.Helper()
	list, err := Tensors(tr.Model, true)
	require.NoError(t, err)
	all := map[string][]byte{}
	for _, x := range list {
		all[x.Name] = x.Data
	}
	return all, tr.State()
}

// asJSON is a state as a checkpoint has it.
func asJSON(t *testing.T, s State) string {
	t.Helper()
	b, err := json.Marshal(s)
	require.NoError(t, err)
	return string(b)
}

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
	assert.NoError(t, newTrainer(t, toy{epochs: 1}).Resume(c, false))
}

// What cannot be trained is refused before the first step.
func TestTrainerRefuses(t *testing.T) {
	for want, change := range map[string]func(tr *Trainer){
		"images of 8x9x2, the network takes 8x8x2: use --input 8x9x2": func(tr *Trainer) { padded(t, tr, 8, 9) },
		"has 3 classes, the network 2: use --classes 3":               func(tr *Trainer) { tr.Train.Set.Classes = 3 },
		"batches of 5 images for a network of 4":                      func(tr *Trainer) { tr.Train.Size = 5 },
		"no training set":                                             func(tr *Trainer) { tr.Train.Set = nil },
		"0 epochs: want at least 1":                                   func(tr *Trainer) { tr.Epochs = 0 },
		"3 images do not fill one batch of 4: use a smaller batch":    func(tr *Trainer) { tr.Train.Index = []int32{0, 1, 2} },
		"image 42 of 42":                                              func(tr *Trainer) { tr.Train.Index = []int32{42} },
		"image 1 has label 7, there are 2 classes":                    func(tr *Trainer) { tr.Train.Set.Labels[1] = 7 },
		"rate and factor must be positive":                            func(tr *Trainer) { tr.LR = Constant(0) },
		"toy has images of 4x4x2": func(tr *Trainer) {
			tr.Valid = data.Loader{Set: &data.Set{Name: "toy", H: 4, W: 4, C: 2, Classes: 2, Images: make([]byte, 32), Labels: make([]uint16, 1), Mean: []float32{0, 0}, Std: []float32{1, 1}}, Size: 4}
		},
	} {
		tr := newTrainer(t, toy{})
		change(tr)
		steps := 0
		tr.Progress = func(Progress) { steps++ }
		_, err := loop(t.Context(), tr)
		assert.ErrorContains(t, err, want)
		assert.Zero(t, steps, want)
	}
}

func padded(t *testing.T, tr *Trainer, h, w int) {
	t.Helper()
	var err error
	tr.Train.Set, err = tr.Train.Set.Pad(h, w)
	require.NoError(t, err)
}

// Every image counts once, whatever the batches: the score is what the logits of
// one image after the other say, and what the buffers held before does not matter.
func TestEvaluateCountsEveryImageOnce(t *testing.T) {
	for _, engine := range engines {
		tr := newTrainer(t, toy{Options: sparsenet.Options{Engine: engine, Pad: 2, Flip: true}, dropout: 0.3})
		m, set := tr.Model, toySet(10, 5)
		_, err := loop(t.Context(), tr)
		require.NoError(t, err)
		hits, loss := 0, 0.0
		for i := range set.Len() {
			require.NoError(t, feed(m.Lane(0), data.Batch{Set: set, Index: []int32{int32(i), 1, 2, 3}, Size: 4}))
			_, err := m.EvalStep(sparsenet.Hyper{Valid: 1})
			require.NoError(t, err)
			logits, err := m.Logits()
			require.NoError(t, err)
			mine, other := float64(logits[set.Labels[i]]), float64(logits[1-set.Labels[i]])
			loss += math.Log1p(math.Exp(other - mine))
			if mine > other {
				hits++
			}
		}
		got, err := Evaluate(t.Context(), m, data.Loader{Set: set, Size: 4})
		require.NoError(t, err)
		assert.Equal(t, [3]int{10, hits, 10}, [3]int{got.Images, got.Hits, got.Hits5})
		_, err = optest.Compare([]float32{float32(got.Loss)}, []float64{loss / 10}, []float64{1}, optest.Tolerance{})
		assert.NoError(t, err, "%s: mean loss", engine)
		again, err := Evaluate(t.Context(), m, data.Loader{Set: set, Size: 4})
		require.NoError(t, err)
		assert.Equal(t, math.Float64bits(got.Loss), math.Float64bits(again.Loss))

		part, err := Evaluate(t.Context(), m, data.Loader{Set: set, Index: []int32{9, 0, 3}, Size: 4})
		require.NoError(t, err)
		assert.Equal(t, 3, part.Images)
		assert.NotEqual(t, got.Loss, part.Loss)
	}
}

func TestEvaluateStops(t *testing.T) {
	tr := newTrainer(t, toy{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Evaluate(ctx, tr.Model, data.Loader{Set: toySet(10, 5), Size: 4})
	assert.True(t, errors.Is(err, context.Canceled), "%v", err)
}
