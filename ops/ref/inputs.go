package ref

import (
	"math"
	"math/rand/v2"
)

// Random returns normally distributed values that float32 represents.
func Random(r *rand.Rand, c, n, h, w int) *Tensor {
	t := New(c, n, h, w)
	for i := range t.Data {
		t.Data[i] = float64(float32(r.NormFloat64()))
	}
	return t
}

// Distinct returns values between -2 and 2 that float32 represents; two of one
// plane differ by at least 4/(N·H·W+1), so that no maximum is in doubt.
func Distinct(r *rand.Rand, c, n, h, w int) *Tensor {
	t := New(c, n, h, w)
	m := t.Plane()
	for k := range c {
		for i, j := range r.Perm(m) {
			t.Data[k*m+i] = float64(float32(4*float64(j+1)/float64(m+1) - 2))
		}
	}
	return t
}

// ClearKinks moves values of x up, to float32 values, until every reader's
// gamma·(x-mean)·istd + beta is at least margin away from 0, in absolute value:
// then float32 and float64 agree about every mask. A reader with gamma = 0 does
// not depend on x and is left alone. Without readers |x| itself is kept clear.
func ClearKinks(x *Tensor, margin float64, readers ...Links) {
	if len(readers) == 0 {
		one, zero := New(x.C, 1, 1, 1), New(x.C, 1, 1, 1)
		for i := range one.Data {
			one.Data[i] = 1
		}
		readers = []Links{{zero, one, one, zero}}
	}
	for i := range x.Data {
		c := i / x.Plane()
		for tries := 0; ; tries++ {
			check(tries < 1000, "clear kinks: value %d has no place %g clear of %d readers", i, margin, len(readers))
			push := 0.0
			for _, l := range readers {
				slope := l.Gamma.Data[c] * l.Istd.Data[c]
				z := slope*(x.Data[i]-l.Mean.Data[c]) + l.Beta.Data[c]
				if slope != 0 && math.Abs(z) < margin {
					push = math.Max(push, margin/math.Abs(slope))
				}
			}
			if push == 0 {
				break
			}
			x.Data[i] = float64(float32(x.Data[i] + push))
		}
	}
}
