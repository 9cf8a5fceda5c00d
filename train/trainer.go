package train

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"maps"
	"time"

	"sparsevk/sparsenet"
	"sparsevk/train/data"
)

// ErrNonFinite says that the loss or the gradient was NaN or infinite.
var ErrNonFinite = errors.New("the loss or the gradient is not finite")

// A Trainer trains a model on a data set. Fill in the fields, then range over
// Run; what belongs to the loop around it (printing, early stopping) stays with
// the caller.
type Trainer struct {
	Model *sparsenet.Model
	Train data.Loader
	Valid data.Loader // evaluated after each epoch; no set: none

	Epochs          int
	Seed            uint64 // of order and augmentation
	LR              Schedule
	Momentum, Decay float64

	Run     *Run              // where checkpoints go; nil: nowhere
	Every   uint64            // steps between checkpoints; 0: at the end of each epoch only
	Metrics *Metrics          // nil: none
	Config  map[string]string // what else must be the same to resume
	// Progress, if not nil, is told of every step.
	Progress func(Progress)
	// Observe, if not nil, is told of what goes into the metrics, also where
	// there are none. It must not keep the loop waiting.
	Observe func(Metric)

	state State
	data  string // hash of the training set
}

// Progress is where a run stands after a step.
type Progress struct {
	Epoch, Batch, Batches int // batches of this epoch done, and all of them
	Step                  uint64
	Rate                  float64
	Loss                  float64 // of this step
	ImagesPerSecond       float64 // of this step
}

// An Epoch is what one epoch came to.
type Epoch struct {
	N               int // epochs finished
	Step            uint64
	Rate            float64 // of the last step
	Loss, Accuracy  float64 // means over the epoch's training batches
	ImagesPerSecond float64 // training alone
	Valid           *Score  // nil without held-out images
	Stopped         bool    // the context ended before the epoch did
	Checkpoint      string  // path of the checkpoint, if one was written
}

// Loop trains epoch after epoch. A new run begins with a checkpoint, so that one
// that is killed can always go on, and that a directory which cannot be written
// to is found before the first step. When ctx ends, the step in flight is
// finished, a checkpoint written, and a last Epoch with Stopped yielded. An error
// ends the loop; checkpoints written before it stay.
func (t *Trainer) Loop(ctx context.Context) iter.Seq2[Epoch, error] {
	return func(yield func(Epoch, error) bool) {
		if err := t.check(); err != nil {
			yield(Epoch{}, err)
			return
		}
		if t.state.Step == 0 {
			if _, err := t.save(); err != nil {
				yield(Epoch{}, err)
				return
			}
		}
		for t.state.Epoch < uint64(t.Epochs) {
			e, err := t.epoch(ctx)
			if err != nil {
				yield(e, err)
				return
			}
			if !yield(e, nil) || e.Stopped {
				return
			}
		}
	}
}

// check reports what cannot be trained, before anything runs.
func (t *Trainer) check() error {
	m := t.Model
	for _, l := range []data.Loader{t.Train, t.Valid} {
		if l.Set == nil {
			continue
		}
		if err := l.Check(); err != nil {
			return err
		}
		if err := fitsModel(m, l); err != nil {
			return err
		}
	}
	switch {
	case t.Train.Set == nil:
		return errors.New("train: no training set")
	case t.Epochs < 1:
		return fmt.Errorf("train: %d epochs: want at least 1", t.Epochs)
	case t.Train.Train(0).Len() == 0:
		return fmt.Errorf("train: %d images do not fill one batch of %d: use a smaller batch", t.Train.Eval().Images(), m.Batch)
	}
	t.data = t.Train.Set.Hash()
	t.state.Seed, t.state.Schedule, t.state.Data, t.state.Config = t.Seed, t.LR.String(), t.data, t.config()
	t.state.Model = t.describe()
	return t.LR.Validate()
}

// fitsModel holds a data set against the network's input.
func fitsModel(m *sparsenet.Model, l data.Loader) error {
	in, s := m.Graph.Config.Input, l.Set
	if s.H != in.H || s.W != in.W || s.C != in.C {
		return fmt.Errorf("train: %s has images of %dx%dx%d, the network takes %v: use --input %dx%dx%d, or pad the images", s.Name, s.H, s.W, s.C, in, s.H, s.W, s.C)
	}
	if s.Classes > m.Graph.Config.Classes {
		return fmt.Errorf("train: %s has %d classes, the network %d: use --classes %d", s.Name, s.Classes, m.Graph.Config.Classes, s.Classes)
	}
	if l.Size != m.Batch {
		return fmt.Errorf("train: batches of %d images for a network of %d", l.Size, m.Batch)
	}
	return nil
}

// config is Config with what the trainer itself knows.
func (t *Trainer) config() map[string]string {
	c := maps.Clone(t.Config)
	if c == nil {
		c = map[string]string{}
	}
	c["momentum"], c["decay"] = number(t.Momentum), number(t.Decay)
	c["batch"] = fmt.Sprint(t.Model.Batch)
	c["images"] = fmt.Sprint(t.Train.Eval().Images())
	return c
}

// epoch trains from where the state stands to the end of its epoch.
func (t *Trainer) epoch(ctx context.Context) (Epoch, error) {
	batches := t.Train.Train(t.state.Epoch)
	n, first := batches.Len(), t.state.Position
	if first == 0 {
		t.state.Loss, t.state.Correct, t.state.Images = 0, 0, 0
	}
	e := Epoch{Rate: t.rate(max(1, int(first))-1, n)}
	start := time.Now()
	for i := first; i < uint64(n); i++ {
		if ctx.Err() != nil {
			e.Stopped = true
			break
		}
		var err error
		if e.Rate, err = t.step(batches.At(int(i)), int(i), n); err != nil {
			return e, err
		}
		if t.Every > 0 && t.state.Step%t.Every == 0 && i+1 < uint64(n) {
			if _, err := t.save(); err != nil {
				return e, err
			}
		}
	}
	images := float64(t.state.Position-first) * float64(t.Model.Batch)
	e.ImagesPerSecond = images / time.Since(start).Seconds()
	return t.finish(ctx, e)
}

// rate is the learning rate of batch i of n in the current epoch.
func (t *Trainer) rate(i, n int) float64 {
	return t.LR.At(float64(t.state.Epoch) + float64(i)/float64(n))
}

// finish closes an epoch: validation, metrics, checkpoint. One that was stopped,
// in its validation too, is not closed: it has no line in the metrics, and the
// resumed run does the rest of it, of which nothing but the validation may be left.
func (t *Trainer) finish(ctx context.Context, e Epoch) (Epoch, error) {
	if !e.Stopped && t.Valid.Set != nil {
		s, err := Evaluate(ctx, t.Model, t.Valid)
		switch {
		case err == nil:
			e.Valid = &s
		case ctx.Err() != nil:
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
	if t.state.Images > 0 {
		e.Loss = t.state.Loss / float64(t.state.Images) * float64(t.Model.Batch)
		e.Accuracy = float64(t.state.Correct) / float64(t.state.Images)
	}
	if !e.Stopped {
		if err := t.record(e); err != nil {
			return e, err
		}
	}
	var err error
	e.Checkpoint, err = t.save()
	return e, err
}

// record writes the lines of a closed epoch, and its model if it is the best.
func (t *Trainer) record(e Epoch) error {
	if err := t.metric(KindEpoch, e.Rate, e.Loss, e.Accuracy, e.ImagesPerSecond, 0); err != nil {
		return err
	}
	if s := e.Valid; s != nil {
		if err := t.metric(KindValid, e.Rate, s.Loss, s.Accuracy(), s.ImagesPerSecond, 0); err != nil {
			return err
		}
	}
	return t.saveBest(e)
}

// step trains on one batch and returns the learning rate it used.
func (t *Trainer) step(b data.Batch, i, n int) (float64, error) {
	start := time.Now()
	if err := feed(t.Model, b); err != nil {
		return 0, err
	}
	rate := t.rate(i, n)
	r, err := t.Model.TrainStep(sparsenet.Hyper{
		Rate: float32(rate), Momentum: float32(t.Momentum), Decay: float32(t.Decay),
		Step: uint32(t.state.Step), Epoch: uint32(t.state.Epoch), Seed: t.Seed, Valid: b.Valid(),
	})
	if err != nil {
		return rate, fmt.Errorf("train: step %d: %w", t.state.Step, err)
	}
	if r.NonFinite {
		return rate, fmt.Errorf("train: step %d, loss %g, learning rate %g: %w: lower the rate, or go on from the last checkpoint", t.state.Step, r.Loss, rate, ErrNonFinite)
	}
	t.state.Step++
	t.state.Position++
	t.state.Loss += float64(r.Loss)
	t.state.Correct += uint64(r.Hits)
	t.state.Images += uint64(b.Valid())
	speed := float64(b.Valid()) / time.Since(start).Seconds()
	if t.Progress != nil {
		t.Progress(Progress{int(t.state.Epoch), i + 1, n, t.state.Step, rate, float64(r.Loss), speed})
	}
	return rate, t.metric(KindStep, rate, float64(r.Loss), float64(r.Hits)/float64(b.Valid()), speed, float64(r.GradientNorm))
}

// feed puts a batch where the device reads it.
func feed(m *sparsenet.Model, b data.Batch) error {
	images, labels, index := m.Feed()
	if err := b.Fill(images, labels); err != nil {
		return err
	}
	for i, n := range b.Index {
		binary.LittleEndian.PutUint32(index[4*i:], uint32(n))
	}
	return nil
}

func (t *Trainer) metric(kind string, rate, loss, accuracy, speed, norm float64) error {
	m := Metric{
		Time: time.Now(), Kind: kind, Epoch: t.state.Epoch, Step: t.state.Step, LR: Number(rate), Loss: Number(loss),
		Accuracy: Number(accuracy), ImagesPerSecond: Number(speed), GradNorm: Number(norm), DeviceBytes: t.Model.Device.Allocated(),
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
