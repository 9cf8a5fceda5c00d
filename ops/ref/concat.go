package ref

// Concat returns the planes of x one after the other. Exact.
func Concat(x ...*Tensor) *Tensor {
	c := 0
	for _, t := range x {
		check(t.N == x[0].N && t.H == x[0].H && t.W == x[0].W, "concat: planes [%d][%d][%d] and [%d][%d][%d]",
			x[0].N, x[0].H, x[0].W, t.N, t.H, t.W)
		c += t.C
	}
	y, i := New(c, x[0].N, x[0].H, x[0].W), 0
	for _, t := range x {
		for j := range t.Data {
			y.set(i, t.at(j))
			i++
		}
	}
	y.Len = length(0, x...)
	return y
}

// ConcatBackward returns dx[i] plus the planes of dy that came from input i, for
// every input.
func ConcatBackward(dy *Tensor, dx []*Tensor) []*Tensor {
	out, lo := make([]*Tensor, len(dx)), 0
	for i, t := range dx {
		out[i] = Add(t, dy.Slice(lo, lo+t.C))
		lo += t.C
	}
	check(lo == dy.C, "concat: %d planes for inputs of %d", dy.C, lo)
	return out
}

// Add returns a + b.
func Add(a, b *Tensor) *Tensor {
	sameShape("add", a, b)
	y := New(a.C, a.N, a.H, a.W)
	y.Len = length(1, a, b)
	for i := range y.Data {
		y.set(i, add(a.at(i), b.at(i)))
	}
	return y
}
