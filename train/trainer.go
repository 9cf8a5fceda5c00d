package train

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"time"

	"sparsevk/sparsenet"
	"sparsevk/train/data"
)

// A Trainer trains a model on a data set. Fill in the fields, then range over
// Loop; what belongs to the loop around it, such as printing, stays with the
// caller.
type Trainer struct {
	Model *sparsenet.Model
	Train data.Loader
	Valid data.Loader // evaluated after each epoch; no set: none

	Epochs          int
	Seed            uint64 // of order and augmentation
	LR              Schedule
	Plateau         *Plateau // lowers LR further; nil: nothing does
	Momentum, Decay float64  // Momentum is Adam's first decay rate
	Beta2, Epsilon  float64  // of Adam
	Clip            float64  // largest norm of the gradient; 0: any
	Average         float64  // weight of the old value in the parameters' moving average, for a model that keeps one
	Accumulate      int      // batches of an update, whose gradients' mean it takes; 0 is 1, more needs Options.Accumulate

	Run     *Run              // where checkpoints go; nil: nowhere
	Every   uint64            // steps between checkpoints; 0: at the end of each epoch only
	Metrics *Metrics          // nil: none
	Config  map[string]string // what else must be the same to resume
	// Patience is how many epochs in a row may pass without a better validation
	// before the run ends; 0: any.
	Patience int
	// Reopen, if not nil, makes device and model anew after the device was lost, and
	// closes the old ones. The run then goes on from its newest checkpoint, with the
	// same bits, and Restarted, if not nil, is told of the loss and of that file.
	Reopen    func() (*sparsenet.Model, error)
	Restarted func(cause error, checkpoint string)
	// Progress, if not nil, is told of every step.
	Progress func(Progress)
	// Saved, if not nil, is told of every checkpoint that is on disk, soon after it is.
	Saved func(Save)
	// Observe, if not nil, is told of what goes into the metrics, also where
	// there are none. It must not keep the loop waiting.
	Observe func(Metric)

	state State
	data  string // hash of the training set
	steps pipeline[flight]
	sums  sums // of the update
	saver saver
	speed speed

	restarted   bool   // after a loss of the device
	restartedAt uint64 // the step of the checkpoint
}

// Progress is where a run stands after a step.
type Progress struct {
	Epoch, Batch, Batches int    // batches of this epoch done, and all of them
	Step                  uint64 // updates done
	Rate                  float64
	Loss                  float64 // of this step
	ImagesPerSecond       float64 // of the last few steps
	Skipped               uint64  // updates left out so far, since the scaled gradient was not finite
}

// An Epoch is what one epoch came to.
type Epoch struct {
	N               int // epochs finished
	Step            uint64
	Rate            float64 // of the last step
	Images          uint64  // of the epoch that were trained on: 0 if it was stopped before the first
	Loss, Accuracy  float64 // means over them
	ImagesPerSecond float64 // training alone
	Valid           *Score  // nil without held-out images
	Stopped         bool    // the context ended before the epoch did
	Checkpoint      string  // path of the checkpoint, if there is one
	Saved           bool    // it is on disk; else it is written while the next epoch begins
}

// Loop trains epoch after epoch. A new run begins with a checkpoint, so that one
// that is killed can always go on, and that a directory which cannot be written
// to is found before the first step. When ctx ends, the steps in flight are
// finished, a checkpoint written, and a last Epoch with Stopped yielded. An error
// ends the loop; checkpoints written before it stay. A lost device is an error
// only without Reopen, or if it is lost again at once.
func (t *Trainer) Loop(ctx context.Context) iter.Seq2[Epoch, error] {
	return func(yield func(Epoch, error) bool) {
		if err := t.begin(); err != nil {
			yield(Epoch{}, err)
			return
		}
		defer func() { _ = t.saver.wait() }() // only a loop that was broken off has not waited
		for t.state.Epoch < uint64(t.Epochs) && !t.exhausted() {
			e, err := t.epoch(ctx)
			if t.lost(err) {
				if err = t.restart(err); err == nil {
					continue
				}
			}
			if e.Stopped || err != nil || t.state.Epoch == uint64(t.Epochs) || t.exhausted() {
				err = errors.Join(err, t.saver.wait())
				e.Saved = err == nil && e.Checkpoint != ""
			}
			if !yield(e, err) || err != nil || e.Stopped {
				return
			}
		}
	}
}

// begin checks what will be trained, and keeps where a new run starts from.
func (t *Trainer) begin() error {
	if err := t.check(); err != nil {
		return err
	}
	t.steps = pipeline[flight]{m: t.Model, done: t.landed}
	if t.state.Step > 0 {
		return nil
	}
	_, err := t.save(false, false)
	return errors.Join(err, t.saver.wait())
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
	case t.Patience < 0 || t.Patience > 0 && t.Valid.Set == nil:
		return fmt.Errorf("train: patience of %d epochs: want 0 or more, and images to validate on", t.Patience)
	case t.Epochs < 1:
		return fmt.Errorf("train: %d epochs: want at least 1", t.Epochs)
	case m.Optimizer != sparsenet.SGD && !(t.Beta2 > 0 && t.Beta2 < 1 && t.Epsilon > 0):
		return fmt.Errorf("train: %s with beta2 %g and epsilon %g: set Beta2, as to 0.999, and Epsilon, as to 1e-8", m.Optimizer, t.Beta2, t.Epsilon)
	case m.Optimizer != sparsenet.SGD && !share(t.Momentum):
		return fmt.Errorf("train: momentum %g: want at least 0 and less than 1", t.Momentum)
	case m.Average != (t.Average > 0) || !share(t.Average):
		return fmt.Errorf("train: average %g for a model whose Options.Average is %v: want both, with less than 1, or neither", t.Average, m.Average)
	case t.Accumulate < 0 || t.Accumulate > 1 && !m.Accumulate:
		return fmt.Errorf("train: %d batches in an update, in a network whose Options.Accumulate is %t", t.Accumulate, m.Accumulate)
	case t.Train.Train(0).Len() == 0:
		return fmt.Errorf("train: %d images do not fill one batch of %d: use a smaller batch", t.Train.Eval().Images(), m.Batch)
	}
	t.data = t.Train.Set.Hash()
	t.state.Seed, t.state.Schedule, t.state.Data, t.state.Config = t.Seed, t.LR.String(), t.data, t.config()
	if s := newLossScale(t.Model.Precision); (s.Now == 0) != (t.state.LossScale.Now == 0) { // not what a resumed run goes on with
		t.state.LossScale = s
	}
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
	c["momentum"], c["decay"], c["precision"] = number(t.Momentum), number(t.Decay), t.Model.Precision.String()
	c["optimizer"], c["decay on"] = string(t.Model.Optimizer), string(t.Model.Decays)
	c["clip"], c["average"] = number(t.Clip), number(t.Average)
	if t.Model.Optimizer != sparsenet.SGD {
		c["beta2"], c["epsilon"] = number(t.Beta2), number(t.Epsilon)
	}
	if t.Plateau != nil {
		c["plateau"] = t.Plateau.String()
	}
	c["batch"] = fmt.Sprint(t.Model.Batch)
	if t.Accumulate > 1 {
		c["accumulate"] = fmt.Sprint(t.Accumulate)
	}
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
	t.speed = speed{last: start}
	if err := t.batches(ctx, batches, &e); err != nil {
		t.steps.abandon()
		return e, t.explain(err)
	}
	images := float64(t.state.Position-first) * float64(t.Model.Batch)
	e.ImagesPerSecond = images / time.Since(start).Seconds()
	return t.finish(ctx, e)
}

// rate is the learning rate of batch i of n in the current epoch.
func (t *Trainer) rate(i, n int) float64 {
	return t.Plateau.rate(t.LR.At(float64(t.state.Epoch)+float64(i)/float64(n)), t.state.Plateau)
}

// batches trains on what is left of the batches of an epoch. It stops between
// updates only, so that what is saved is never half of one.
func (t *Trainer) batches(ctx context.Context, all data.Batches, e *Epoch) error {
	step := t.state.Step
	for i := int(t.state.Position); i < all.Len(); {
		if err := t.steps.room(); err != nil {
			return err
		}
		if ctx.Err() != nil {
			e.Stopped = true
			break
		}
		if t.state.LossScale.Now != 0 && t.Model.Optimizer != sparsenet.SGD {
			// Adam's corrections count updates, and the step in flight may be left out.
			if err := t.steps.drain(); err != nil {
				return err
			}
		}
		if err := t.saver.failed(); err != nil {
			return err
		}
		e.Rate = t.rate(i, all.Len())
		f := flight{step: step, batches: all.Len(), rate: e.Rate, parts: min(t.parts(), all.Len()-i), scale: t.state.LossScale.of(step - t.state.Step)}
		f.updates = step + 1 - t.state.LossScale.Skipped
		for ; f.part < f.parts; f.part++ {
			f.batch = i + f.part
			if err := t.submit(all.At(f.batch), f); err != nil {
				return err
			}
		}
		i, step = i+f.parts, step+1
		if t.Every > 0 && step%t.Every == 0 && i < all.Len() {
			if err := t.steps.drain(); err != nil {
				return err
			}
			if _, err := t.save(false, false); err != nil {
				return err
			}
		}
	}
	return t.steps.drain()
}

// parts is how many batches make an update; at the end of an epoch it may be fewer.
func (t *Trainer) parts() int { return max(1, t.Accumulate) }

// A flight is what a batch was submitted with.
type flight struct {
	step           uint64 // steps before it
	updates        uint64 // with its own, without those that were left out; for Adam
	batch, batches int    // of the epoch: batches before it, and all
	part, parts    int    // of the update
	rate           float64
	images         int
	scale          float32 // of the loss
}

// submit starts a step on one batch.
func (t *Trainer) submit(b data.Batch, f flight) error {
	if err := t.steps.room(); err != nil {
		return err
	}
	if err := t.checkRate(f); err != nil {
		return err
	}
	lane := t.steps.lane()
	if err := feed(lane, b); err != nil {
		return err
	}
	f.images = b.Valid()
	if err := lane.SubmitTrain(t.hyper(f)); err != nil {
		return fmt.Errorf("train: step %d: %w", f.step, err)
	}
	t.steps.submitted(f)
	return nil
}

// hyper is what a batch is trained with. The step that keys the random numbers is
// another for each batch.
func (t *Trainer) hyper(f flight) sparsenet.Hyper {
	return sparsenet.Hyper{
		Rate: float32(f.rate), Momentum: float32(t.Momentum), Decay: float32(t.Decay), Clip: float32(t.Clip),
		Beta2: float32(t.Beta2), Epsilon: float32(t.Epsilon), Updates: f.updates, Average: float32(t.Average), Part: f.part, Parts: f.parts,
		Step: uint32(f.step)*uint32(t.parts()) + uint32(f.part), Epoch: uint32(t.state.Epoch), Seed: t.Seed, Valid: f.images, LossScale: f.scale,
	}
}

// sums are those of the batches of an update that have landed.
type sums struct {
	loss         float64
	hits, images int
}

// finite takes in whether what a batch came to is finite; whether the gradient of
// an update is, its last batch tells.
func (t *Trainer) finite(f flight, r sparsenet.Result) error {
	if f.part+1 == f.parts {
		return t.state.LossScale.landed(r, f.scale)
	}
	if r.NonFinite {
		return ErrNonFinite
	}
	return nil
}

// landed takes in the result of a batch.
func (t *Trainer) landed(f flight, r sparsenet.Result, err error) error {
	if err != nil {
		return fmt.Errorf("train: step %d: %w", f.step, err)
	}
	if err := t.finite(f, r); err != nil {
		return nonFinite(f, r, err)
	}
	t.state.Position++
	t.state.Loss += float64(r.Loss)
	t.state.Correct += uint64(r.Hits)
	t.state.Images += uint64(f.images)
	if f.part == 0 {
		t.sums = sums{}
	}
	s := &t.sums
	s.loss, s.hits, s.images = s.loss+float64(r.Loss), s.hits+r.Hits, s.images+f.images
	if f.part+1 < f.parts {
		return nil
	}
	t.state.Step++
	loss, speed := s.loss/float64(f.parts), t.speed.landed(time.Now(), s.images)
	if t.Progress != nil {
		t.Progress(Progress{int(t.state.Epoch), f.batch + 1, f.batches, t.state.Step, f.rate, loss, speed, t.state.LossScale.Skipped})
	}
	return t.metric(KindStep, f.rate, loss, float64(s.hits)/float64(s.images), speed, float64(r.GradientNorm))
}
