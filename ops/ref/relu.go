package ref

// ReLU returns y = max(x, 0). Exact.
func ReLU(x *Tensor) *Tensor {
	y := New(x.C, x.N, x.H, x.W)
	y.Len = x.Len
	for i := range x.Data {
		y.set(i, positive(x.at(i)))
	}
	return y
}

// ReLUBackward returns dx = dy·[y > 0]; the derivative at 0 is 0. Exact.
func ReLUBackward(y, dy *Tensor) *Tensor {
	sameShape("relu", y, dy)
	dx := New(y.C, y.N, y.H, y.W)
	dx.Len = dy.Len
	for i := range dy.Data {
		kept := num{}
		if y.Data[i] > 0 {
			kept = dy.at(i)
		}
		dx.set(i, kept)
	}
	return dx
}
