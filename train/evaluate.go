package train

import (
	"context"
	"fmt"
	"time"

	"sparsevk/sparsenet"
	"sparsevk/train/data"
)

// A Score is how a model does on a set of images.
type Score struct {
	Images          int     `json:"images"`
	Hits            int     `json:"hits"`  // first largest logit is that of the label
	Hits5           int     `json:"hits5"` // the label is among the five largest
	Loss            float64 `json:"loss"`  // mean cross-entropy in nats
	ImagesPerSecond float64 `json:"images_per_second"`
}

// Accuracy returns the share of hits.
func (s Score) Accuracy() float64 { return float64(s.Hits) / float64(s.Images) }

// Evaluate runs the model with its running statistics over every image of l
// once; the last batch may be short. When ctx ends it returns ctx's error.
func Evaluate(ctx context.Context, m *sparsenet.Model, l data.Loader) (Score, error) {
	return EvaluateEach(ctx, m, l, func(data.Batch) error { return nil })
}

// EvaluateEach is Evaluate, and calls each after every batch, while the model holds its
// logits. An error of each ends it.
func EvaluateEach(ctx context.Context, m *sparsenet.Model, l data.Loader, each func(data.Batch) error) (Score, error) {
	if err := l.Check(); err != nil {
		return Score{}, err
	}
	if err := fitsModel(m, l); err != nil {
		return Score{}, err
	}
	var s Score
	start := time.Now()
	for b := range l.Eval().From(0) {
		if err := ctx.Err(); err != nil {
			return s, err
		}
		if err := feed(m, b); err != nil {
			return s, err
		}
		r, err := m.EvalStep(sparsenet.Hyper{Valid: b.Valid()})
		if err != nil {
			return s, fmt.Errorf("train: evaluation of images from %d on: %w", s.Images, err)
		}
		if err := each(b); err != nil {
			return s, err
		}
		s.Images += b.Valid()
		s.Hits += r.Hits
		s.Hits5 += r.Hits5
		s.Loss += float64(r.Loss) * float64(b.Valid())
	}
	s.Loss /= float64(s.Images)
	s.ImagesPerSecond = float64(s.Images) / time.Since(start).Seconds()
	return s, nil
}
