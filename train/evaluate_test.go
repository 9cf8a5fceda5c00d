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

func TestEvaluateStops(t *testing.T) {
	tr := newTrainer(t, toy{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Evaluate(ctx, tr.Model, data.Loader{Set: toySet(10, 5), Size: 4})
	assert.True(t, errors.Is(err, context.Canceled), "%v", err)
}
