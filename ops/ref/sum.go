package ref

// Sum returns the sum of x, tensors of equal shape, in their order.
func Sum(x ...*Tensor) *Tensor {
	y := New(x[0].C, x[0].N, x[0].H, x[0].W)
	y.Len = length(len(x)-1, x...)
	for i := range y.Data {
		s := x[0].at(i)
		for _, t := range x[1:] {
			sameShape("sum", t, x[0])
			s = add(s, t.at(i))
		}
		y.set(i, s)
	}
	return y
}
