package train

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"sparsevk/sparsenet"
	"sparsevk/train/safetensors"
)

// ErrNonFinite says that the loss or the gradient was NaN or infinite.
var ErrNonFinite = errors.New("the loss or the gradient is not finite")

// A NonFiniteError is an ErrNonFinite of a step of a Trainer, and where it began.
type NonFiniteError struct {
	Step       uint64 // updates before it
	Rate       float64
	Loss, Norm float32 // as the step reported them
	Finding    sparsenet.Finding
	Checkpoint string // path of the newest one whose tensors are all finite; "" if there is none

	flight flight
	cause  error // ErrNonFinite, or an error that wraps it
}

// Error names the step, the layer that first had it, and the last good checkpoint.
func (e *NonFiniteError) Error() string {
	what := "the gradient is not finite"
	switch {
	case !finite(float64(e.Loss)):
		what = fmt.Sprintf("loss is %g", e.Loss)
	case !finite(float64(e.Norm)):
		what = fmt.Sprintf("gradient norm is %g", e.Norm)
	}
	if e.cause != ErrNonFinite {
		what += ": " + e.cause.Error()
	}
	out := "lower the rate, and start again"
	if e.Checkpoint != "" {
		out = "lower the rate, or go on from checkpoint " + e.Checkpoint
	}
	return fmt.Sprintf("train: step %d, learning rate %g: %s: %s: %s", e.Step, e.Rate, what, e.Finding, out)
}

// Unwrap returns an error that is ErrNonFinite.
func (e *NonFiniteError) Unwrap() error { return e.cause }

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// nonFinite is what landed returns of a step that was not finite; explain
// completes it when nothing is in flight any more.
func nonFinite(f flight, r sparsenet.Result, cause error) error {
	return &NonFiniteError{Step: f.step, Rate: f.rate, Loss: r.Loss, Norm: r.GradientNorm, flight: f, cause: cause}
}

// explain adds to an error that is a NonFiniteError where it began, and from where
// the run can go on; others it returns as they are. No step may be in flight. One
// that was, behind the bad one, may have changed the parameters: then a value that
// was not finite by a hair may be found finite.
func (t *Trainer) explain(err error) error {
	var bad *NonFiniteError
	if !errors.As(err, &bad) {
		return err
	}
	if e := t.saver.wait(); e != nil {
		err = errors.Join(err, e)
	}
	if t.Run != nil {
		bad.Checkpoint = lastFinite(t.Run.Dir)
	}
	var e error
	if bad.Finding, e = t.diagnose(bad.flight); e != nil {
		err = errors.Join(err, e)
	}
	return err
}

// diagnose looks through the batches of an update up to that of f, which was the
// one that told.
func (t *Trainer) diagnose(f flight) (sparsenet.Finding, error) {
	batches, last := t.Train.Train(t.state.Epoch), f.part
	for f.part, f.batch = 0, f.batch-last; f.part <= last; f.part, f.batch = f.part+1, f.batch+1 {
		b := batches.At(f.batch)
		if err := feed(t.Model.Lane(0), b); err != nil {
			return sparsenet.Finding{}, err
		}
		f.images = b.Valid()
		if found, err := t.Model.Diagnose(0, t.hyper(f)); err != nil || found.Found() {
			return found, err
		}
	}
	return sparsenet.Finding{}, nil
}

// lastFinite returns the path of the newest checkpoint in a run directory that is
// whole and whose tensors are all finite, "" if there is none. An update that
// overflows shows in the step after it, and a checkpoint may lie between.
func lastFinite(dir string) string {
	steps, err := listSteps(dir)
	if err != nil {
		return "" // the run's error is the one to report
	}
	for _, s := range steps {
		if allFinite(s.path) {
			return s.path
		}
	}
	return ""
}

func allFinite(path string) bool {
	c, err := LoadCheckpoint(path)
	if err != nil {
		return false
	}
	defer c.Close()
	for _, info := range c.Tensors() {
		if info.DType != safetensors.F32 { // of imported statistics, which do not change
			continue
		}
		v, err := c.Float32(info.Name)
		if err != nil || slices.ContainsFunc(v, func(x float32) bool { return !finite(float64(x)) }) {
			return false
		}
	}
	return true
}

// checkRate refuses a rate that float32 does not hold before it is trained with.
func (t *Trainer) checkRate(f flight) error {
	if finite(float64(float32(f.rate))) {
		return nil
	}
	return fmt.Errorf("train: step %d: the learning rate %g of schedule %s is more than float32 holds: lower it", f.step, f.rate, t.LR)
}
