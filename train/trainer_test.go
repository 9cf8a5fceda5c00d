package train

import (
	"context"
	"encoding/json"
	"math/rand/v2"
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
	deep    bool // with bottlenecks, of which an evaluation keeps few at a time
}

// newTrainer returns a trainer with a model of its own; what it holds is closed at
// the end of the test.
func newTrainer(t *testing.T, y toy) *Trainer {
	t.Helper()
	dev := optest.Device(t)
	c := sparsenet.Config{Depth: 7, Growth: []int{2}, Classes: 2, Dropout: y.dropout, Input: sparsenet.Input{H: 8, W: 8, C: 2}}
	if y.deep {
		c.Depth, c.Bottleneck = 22, true
	}
	g, err := sparsenet.Build(c)
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
