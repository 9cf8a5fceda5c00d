package ref

// Accumulate returns share·x + y.
func Accumulate(share float64, x, y *Tensor) *Tensor {
	sameShape("accumulate", x, y)
	out := New(x.C, x.N, x.H, x.W)
	out.Len = length(2, x, y)
	for i := range x.Data {
		out.set(i, add(mul(exact(share), x.at(i)), y.at(i)))
	}
	return out
}
