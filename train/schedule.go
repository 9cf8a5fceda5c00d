package train

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A Schedule gives the learning rate. Its String names kind and all numbers, so
// that two schedules with the same text give the same rates: the text goes into
// checkpoints, to notice a changed one on resume.
type Schedule interface {
	fmt.Stringer
	// At returns the rate after the given number of epochs, a fraction inside
	// an epoch: step s of an epoch of n steps has epoch e + s/n.
	At(epoch float64) float64
	// Validate returns an error that names the number that cannot be.
	Validate() error
}

type stepLR struct {
	base, factor float64
	epochs       []float64
}

// StepLR is base, multiplied by factor at each of the epochs, which ascend.
// DenseNet and SparseNet are published with StepLR(0.1, 0.1, 150, 225) for 300
// epochs.
func StepLR(base, factor float64, epochs ...float64) Schedule {
	return stepLR{base, factor, epochs}
}

// Constant is always rate.
func Constant(rate float64) Schedule { return stepLR{base: rate, factor: 1} }

func (s stepLR) At(epoch float64) float64 {
	rate := s.base
	for _, e := range s.epochs {
		if epoch >= e {
			rate *= s.factor
		}
	}
	return rate
}

func (s stepLR) String() string {
	if len(s.epochs) == 0 {
		return fmt.Sprintf("constant(%s)", number(s.base))
	}
	list := make([]string, len(s.epochs))
	for i, e := range s.epochs {
		list[i] = number(e)
	}
	return fmt.Sprintf("step(%s x%s at %s)", number(s.base), number(s.factor), strings.Join(list, ","))
}

func (s stepLR) Validate() error {
	if !positive(s.base) || !positive(s.factor) {
		return fmt.Errorf("train: schedule %s: rate and factor must be positive", s)
	}
	last := 0.0
	for _, e := range s.epochs {
		if !positive(e) || e <= last {
			return fmt.Errorf("train: schedule %s: epoch %s does not follow %s", s, number(e), number(last))
		}
		last = e
	}
	return nil
}

type cosine struct{ base, last, epochs float64 }

// Cosine falls from base to last over the given epochs along half a cosine, and
// stays there. (Loshchilov and Hutter, "SGDR", 2017, equation 5, one period.)
func Cosine(base, last, epochs float64) Schedule { return cosine{base, last, epochs} }

func (c cosine) At(epoch float64) float64 {
	if epoch >= c.epochs {
		return c.last
	}
	// The conversion keeps the compiler from fusing the sum into one rounding,
	// which it does on some processors only.
	return c.last + float64((c.base-c.last)*(1+math.Cos(math.Pi*epoch/c.epochs))/2)
}

func (c cosine) String() string {
	return fmt.Sprintf("cosine(%s to %s over %s)", number(c.base), number(c.last), number(c.epochs))
}

func (c cosine) Validate() error {
	if !positive(c.base) || !(c.last >= 0 && c.last <= c.base) || !positive(c.epochs) {
		return fmt.Errorf("train: schedule %s: wants base > 0, 0 <= last <= base and epochs > 0", c)
	}
	return nil
}

type warmup struct {
	epochs, start float64
	next          Schedule
}

// Warmup rises linearly over the first epochs, from start times the rate of next
// to that rate; after them it is next. The epochs count from the same zero:
// next is not shifted.
func Warmup(epochs, start float64, next Schedule) Schedule { return warmup{epochs, start, next} }

func (w warmup) At(epoch float64) float64 {
	rate := w.next.At(epoch)
	if epoch >= w.epochs {
		return rate
	}
	return rate * (w.start + float64((1-w.start)*(epoch/w.epochs)))
}

func (w warmup) String() string {
	return fmt.Sprintf("warmup(%s from x%s) %s", number(w.epochs), number(w.start), w.next)
}

func (w warmup) Validate() error {
	if !positive(w.epochs) || !(w.start >= 0 && w.start <= 1) {
		return fmt.Errorf("train: schedule %s: wants epochs > 0 and a start from 0 to 1", w)
	}
	return w.next.Validate()
}

func positive(x float64) bool { return x > 0 && !math.IsInf(x, 0) }

// number writes a float so that it reads back with the same bits.
func number(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
