package ref

import "math"

// Fill returns planes of one value. Exact.
func Fill(c, n, h, w int, value float64) *Tensor {
	t := New(c, n, h, w)
	for i := range t.Data {
		t.set(i, exact(value))
	}
	return t
}

// Norm2 returns Σ x² as one value, and whether every x is finite.
func Norm2(x *Tensor) (squares *Tensor, finite bool) {
	s := make(sums, 1)
	finite = true
	for i := range x.Data {
		s[0].add(mul(x.at(i), x.at(i)))
		finite = finite && !math.IsNaN(x.Data[i]) && !math.IsInf(x.Data[i], 0)
	}
	return s.tensor(1, 1, 1, 1, length(len(x.Data), x)), finite
}
