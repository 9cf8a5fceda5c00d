package ref

// pointwise is the convolution that a linear layer is.
var pointwise = Geometry{R: 1, S: 1, Stride: 1}

// Linear returns y[k,n] = b[k] + Σ_c w[k,c]·x[c,n] for features x [C][N][1][1]
// and weights [K][C][1][1].
func Linear(x, w, b *Tensor) *Tensor {
	checkFeatures(x)
	return Conv(pointwise, []*Tensor{x}, nil, w, b)
}

// LinearBackward returns
//
//	dx[c,n] = Σ_k w[k,c]·dy[k,n]     dw[k,c] = Σ_n dy[k,n]·x[c,n]     db[k] = Σ_n dy[k,n]
func LinearBackward(x, w, dy *Tensor) (dx, dw, db *Tensor) {
	checkFeatures(x)
	checkFeatures(dy)
	return ConvBackwardData(pointwise, dy, w, 1, 1), ConvBackwardWeights(pointwise, []*Tensor{x}, nil, dy), ConvBackwardBias(dy)
}

func checkFeatures(x *Tensor) {
	check(x.H == 1 && x.W == 1, "linear: %d by %d pixels, want features", x.H, x.W)
}
