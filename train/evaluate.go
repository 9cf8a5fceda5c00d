package train

import (
	"context"
	"errors"
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

// ErrorRate returns the share of misses.
func (s Score) ErrorRate() float64 { return 1 - s.Accuracy() }

// Accuracy5 returns the share of images whose label is among the five largest logits.
func (s Score) Accuracy5() float64 { return float64(s.Hits5) / float64(s.Images) }

// Evaluate runs the model with its running statistics over every image of l
// once, as many in a step as the model can (sparsenet.Network.EvalBatch); the last
// batch may be short. When ctx ends it returns ctx's error.
func Evaluate(ctx context.Context, m *sparsenet.Model, l data.Loader) (Score, error) {
	return EvaluateEach(ctx, m, l, nil)
}

// EvaluateEach is Evaluate, and calls each, unless it is nil, after every batch,
// while the model holds its logits; so no batch is in flight meanwhile. An error of
// each ends it.
func EvaluateEach(ctx context.Context, m *sparsenet.Model, l data.Loader, each func(data.Batch) error) (Score, error) {
	if err := l.Check(); err != nil {
		return Score{}, err
	}
	if err := fitsModel(m, l); err != nil {
		return Score{}, err
	}
	var s Score
	start := time.Now()
	p := pipeline[int]{m: m, done: func(images int, r sparsenet.Result, err error) error {
		if err != nil {
			return fmt.Errorf("train: evaluation, after %d images: %w", s.Images, err)
		}
		s.Images += images
		s.Hits += r.Hits
		s.Hits5 += r.Hits5
		s.Loss += float64(r.Loss) * float64(images)
		return nil
	}}
	defer p.abandon()
	for b := range l.EvalWide(m.EvalBatch) {
		if err := ctx.Err(); err != nil {
			return s, err
		}
		if err := evaluate(&p, b); err != nil {
			return s, err
		}
		if each == nil {
			continue
		}
		if err := p.drain(); err != nil {
			return s, err
		}
		if err := each(b); err != nil {
			return s, err
		}
	}
	if err := p.drain(); err != nil {
		return s, err
	}
	s.Loss /= float64(s.Images)
	s.ImagesPerSecond = float64(s.Images) / time.Since(start).Seconds()
	return s, nil
}

// evaluate submits one batch.
func evaluate(p *pipeline[int], b data.Batch) error {
	if err := p.room(); err != nil {
		return err
	}
	lane := p.lane()
	if err := feed(lane, b); err != nil {
		return err
	}
	submit := lane.SubmitEval
	if b.Size > p.m.Batch {
		submit = lane.SubmitWide
	}
	if err := submit(sparsenet.Hyper{Valid: b.Valid()}); err != nil {
		return fmt.Errorf("train: evaluation: %w", err)
	}
	p.submitted(b.Valid())
	return nil
}

// Score is Evaluate for the model that is being trained: with the moving average
// of its parameters, where it keeps one.
func (t *Trainer) Score(ctx context.Context, l data.Loader) (s Score, err error) {
	err = t.averaged(func() (err error) {
		s, err = Evaluate(ctx, t.Model, l)
		return err
	})
	return s, err
}

// ScoreClasses is Score that also counts what was taken for what.
func (t *Trainer) ScoreClasses(ctx context.Context, l data.Loader) (s Score, c *Confusion, err error) {
	err = t.averaged(func() (err error) {
		s, c, err = EvaluateClasses(ctx, t.Model, l)
		return err
	})
	return s, c, err
}

// TakeBest gives the model the parameters of the checkpoint that validated best, and
// returns its path: "" if there were no held-out images or no run directory, or if the
// last epoch is the best. It is for evaluation at the end; nothing may be trained after.
func (t *Trainer) TakeBest() (path string, err error) {
	if t.Run == nil || t.state.BestStep == 0 || t.state.BestStep == t.state.Step {
		return "", nil
	}
	c, err := Best(t.Run.Dir)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := LoadModel(t.Model, c.File, true); err != nil {
		return "", fmt.Errorf("train: %s: %w", c.Path, err)
	}
	return c.Path, nil
}

// averaged calls f while the model has the moving average of its parameters, where it
// keeps one.
func (t *Trainer) averaged(f func() error) (err error) {
	if !t.Model.Average {
		return f()
	}
	if err := t.Model.UseAverage(true); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Model.UseAverage(false)) }()
	return f()
}
