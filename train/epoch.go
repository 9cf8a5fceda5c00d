package train

import (
	"context"
	"errors"
	"time"
)

// finish closes an epoch: validation, metrics, checkpoint. One that was stopped,
// in its validation too, is not closed: it has no line in the metrics, and the
// resumed run does the rest of it, of which nothing but the validation may be left.
func (t *Trainer) finish(ctx context.Context, e Epoch) (Epoch, error) {
	if !e.Stopped && t.Valid.Set != nil {
		s, err := t.Score(ctx, t.Valid)
		switch {
		case err == nil:
			e.Valid = &s
		case ctx.Err() != nil && errors.Is(err, ctx.Err()):
			e.Stopped = true
		default:
			return e, err
		}
	}
	if !e.Stopped {
		t.state.Epoch++
		t.state.Position = 0
	}
	e.N, e.Step = int(t.state.Epoch), t.state.Step
	if e.Images = t.state.Images; e.Images > 0 {
		e.Loss = t.state.Loss / float64(t.state.Images) * float64(t.Model.Batch)
		e.Accuracy = float64(t.state.Correct) / float64(t.state.Images)
	}
	best := false
	if !e.Stopped {
		var err error
		if best, err = t.record(e); err != nil {
			return e, err
		}
	}
	var err error
	e.Checkpoint, err = t.save(best, e.Stopped)
	return e, err
}

// record writes the lines of a closed epoch, and reports whether its validation is
// the best so far.
func (t *Trainer) record(e Epoch) (best bool, err error) {
	loss, accuracy := e.Loss, e.Accuracy
	if e.Valid != nil {
		loss, accuracy = e.Valid.Loss, e.Valid.Accuracy()
	}
	t.Plateau.observe(&t.state.Plateau, loss, accuracy)
	if err := t.metric(KindEpoch, e.Rate, e.Loss, e.Accuracy, e.ImagesPerSecond, 0); err != nil || e.Valid == nil {
		return false, err
	}
	s := e.Valid
	t.state.Stale++
	if best = t.state.BestStep == 0 || s.Accuracy() > t.state.Best; best {
		t.state.Best, t.state.BestStep, t.state.Stale = s.Accuracy(), t.state.Step, 0
	}
	return best, t.metric(KindValid, e.Rate, s.Loss, s.Accuracy(), s.ImagesPerSecond, 0)
}

func (t *Trainer) metric(kind string, rate, loss, accuracy, speed, norm float64) error {
	m := Metric{
		Time: time.Now(), Kind: kind, Epoch: t.state.Epoch, Step: t.state.Step, LR: Number(rate), Loss: Number(loss),
		Accuracy: Number(accuracy), ImagesPerSecond: Number(speed), GradNorm: Number(norm), DeviceBytes: t.Model.Device.Allocated(),
		LossScale: Number(t.state.LossScale.Now), Skipped: t.state.LossScale.Skipped,
	}
	if t.Observe != nil {
		t.Observe(m)
	}
	if t.Metrics == nil {
		return nil
	}
	if err := t.Metrics.Write(m); err != nil {
		if t.Run != nil {
			err = t.Run.kept(err)
		}
		return err
	}
	return nil
}

// Tested puts the evaluation of the test split into the metrics.
func (t *Trainer) Tested(s Score) error {
	return t.metric(KindTest, 0, s.Loss, s.Accuracy(), s.ImagesPerSecond, 0)
}
