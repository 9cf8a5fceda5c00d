package train

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/ops/optest"
	"sparsevk/sparsenet"
	"sparsevk/train/data"
)

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

// Evaluating several batches at once changes nothing of a score but the order in which
// the losses are summed: of sets that fill no wide batch, some, and one that falls short.
func TestEvaluateWide(t *testing.T) {
	for _, engine := range engines {
		o := sparsenet.Options{Engine: engine, Pad: 2, Flip: true}
		narrow := newTrainer(t, toy{Options: o, deep: true}).Model
		o.WideEval = true
		wide := newTrainer(t, toy{Options: o, deep: true}).Model
		batches := wide.EvalBatch / wide.Batch
		require.Greater(t, batches, 1)
		for _, n := range []int{3, wide.EvalBatch - 4, wide.EvalBatch - 1, wide.EvalBatch, 3*wide.EvalBatch + 5} {
			l := data.Loader{Set: toySet(n, 5), Size: 4}
			want, counts, err := EvaluateClasses(t.Context(), narrow, l)
			require.NoError(t, err)
			got, wideCounts, err := EvaluateClasses(t.Context(), wide, l)
			require.NoError(t, err)
			assert.Equal(t, [3]int{n, want.Hits, want.Hits5}, [3]int{got.Images, got.Hits, got.Hits5}, "%s, %d images", engine, n)
			assert.Equal(t, counts, wideCounts, "%s, %d images", engine, n)
			_, err = optest.Compare([]float32{float32(got.Loss)}, []float64{want.Loss}, []float64{1}, optest.Tolerance{})
			assert.NoError(t, err, "%s, %d images: mean loss", engine, n)
			piped, err := Evaluate(t.Context(), wide, l) // with two steps in flight
			require.NoError(t, err)
			piped.ImagesPerSecond = got.ImagesPerSecond
			assert.Equal(t, got, piped, "%s, %d images", engine, n)
			l.Set.Labels[n-1] ^= 1 // the last image counts
			other, err := Evaluate(t.Context(), wide, l)
			require.NoError(t, err)
			assert.NotEqual(t, got.Hits, other.Hits, "%s, %d images", engine, n)
		}
	}
}

// A run that validates several batches at once, the last falling short, goes on with the
// same bits: also one that was stopped in a validation.
func TestResumeWithWideEvaluation(t *testing.T) {
	setup := toy{Options: sparsenet.Options{Pad: 2, Flip: true, WideEval: true}, epochs: 3, deep: true}
	resumed(t, func(y toy) *Trainer {
		tr := newTrainer(t, y)
		require.Greater(t, tr.Model.EvalBatch, tr.Model.Batch)
		tr.Valid = data.Loader{Set: toySet(22, 2), Size: 4}
		return tr
	}, setup, 10, 17)
}

func TestEvaluateStops(t *testing.T) {
	tr := newTrainer(t, toy{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Evaluate(ctx, tr.Model, data.Loader{Set: toySet(10, 5), Size: 4})
	assert.True(t, errors.Is(err, context.Canceled), "%v", err)
}
