package optest

import (
	"fmt"
	"math"

	"sparsevk/ops"
)

// Unit is the unit roundoff of float32.
const Unit = 1.0 / (1 << 24)

// Slack is the default constant c of the tolerance formula: measured dot
// products err by 0.5 to 1.7 units at any length, so 16 leaves room for another
// order of summation and none for a wrong term.
const Slack = 16

// Tolerance is the largest error that Compare accepts of one element: c·u·m
// where m is the magnitude, the sum of the absolute values of the terms. Terms,
// if not zero, caps c by the length bound of a sum of so many terms (Higham,
// Accuracy and Stability of Numerical Algorithms, section 3.1).
//
// A result that is stored with 16 bits may err by the unit roundoff of that
// besides, once of its value, and of its magnitude for every time that a part of it
// was stored before.
type Tolerance struct {
	C      float64
	Terms  int
	Stored ops.Precision // of the result
	// Before is how often parts of the result were rounded to Through on the way.
	Before  int
	Through ops.Precision
}

// roundoff is the unit roundoff of 16-bit elements, and half of their least step.
var roundoff = map[ops.Precision]struct{ unit, least float64 }{
	ops.FP16: {0x1p-11, 0x1p-25}, ops.BF16: {0x1p-8, 0},
}

func (t Tolerance) of(want, mag float64) float64 {
	c := t.C
	if c == 0 {
		c = Slack
	}
	if k := float64(t.Terms); k > 0 {
		c = min(c, k/(1-k*Unit))
	}
	stored, before := roundoff[t.Stored], roundoff[t.Through]
	computed := c*Unit*mag + math.SmallestNonzeroFloat32*(1<<23) // below it a device may flush to zero
	computed += float64(t.Before) * (before.unit*mag + before.least)
	return computed*(1+stored.unit) + stored.unit*math.Abs(want) + stored.least
}

// Deviation is the worst element of a comparison.
type Deviation struct {
	Index           int
	Got, Want, Tol  float64
	Share           float64 // error / tolerance of the worst element
	Failures, Count int
}

// String tells the worst element and its tolerance, and how many elements fail.
func (d Deviation) String() string {
	return fmt.Sprintf("element %d: got %.9g, want %.9g, tolerance %.3g (%.2f of it); %d of %d elements fail",
		d.Index, d.Got, d.Want, d.Tol, d.Share, d.Failures, d.Count)
}

// Compare holds got against want element by element. It returns an error if
// the lengths differ, if there is nothing to compare, or if any element is
// outside of its tolerance; NaN never passes.
func Compare(got []float32, want, mag []float64, t Tolerance) (Deviation, error) {
	if len(got) != len(want) || len(mag) != len(want) {
		return Deviation{}, fmt.Errorf("optest: %d values compared with %d, %d magnitudes", len(got), len(want), len(mag))
	}
	if len(got) == 0 {
		return Deviation{}, fmt.Errorf("optest: nothing to compare")
	}
	worst := Deviation{Share: -1, Count: len(got)}
	for i := range got {
		err, tol := math.Abs(float64(got[i])-want[i]), t.of(want[i], mag[i])
		share := err / tol
		if !(err <= tol) {
			worst.Failures++
			if math.IsNaN(share) {
				share = math.Inf(1)
			}
		}
		if share > worst.Share {
			f := worst.Failures
			worst = Deviation{i, float64(got[i]), want[i], tol, share, f, len(got)}
		}
	}
	if worst.Failures > 0 {
		return worst, fmt.Errorf("optest: %v", worst)
	}
	return worst, nil
}
