package ref

// A Window is the window of a pooling.
type Window struct{ R, S, Stride, Pad int }

// Out returns the output height and width for an input of h by w.
func (p Window) Out(h, w int) (int, int) {
	return outSize(h, p.R, p.Stride, p.Pad), outSize(w, p.S, p.Stride, p.Pad)
}

// MaxPool returns y[c,n,p,q] = max over the window of x, which pixels outside the
// image take no part in. Exact.
func MaxPool(p Window, x *Tensor) *Tensor {
	h, w := p.Out(x.H, x.W)
	y := New(x.C, x.N, h, w)
	y.Len = x.Len
	for i, from := range p.winners(x, y) {
		y.set(i, x.at(from))
	}
	return y
}

// MaxPoolBackward returns dx: each dy goes to the pixel that won its window, the
// first maximum in row-major order. A pixel may win several windows: magnitude Σ|dy|.
func MaxPoolBackward(p Window, x, dy *Tensor) *Tensor {
	dx := make(sums, len(x.Data))
	for i, from := range p.winners(x, dy) {
		dx[from].add(dy.at(i))
	}
	return dx.tensor(x.C, x.N, x.H, x.W, length(p.R*p.S, dy))
}

// winners returns for each output the index of the first maximum of its window.
func (p Window) winners(x, y *Tensor) []int {
	p.check("max pool", x, y)
	won := make([]int, len(y.Data))
	for i := range won {
		won[i] = -1
	}
	p.each(x, y, func(ix, iy int) {
		if won[iy] < 0 || x.Data[ix] > x.Data[won[iy]] {
			won[iy] = ix
		}
	})
	for i, from := range won {
		check(from >= 0, "max pool: window of output %d lies outside the image", i)
	}
	return won
}

// AvgPool returns the mean of each window; no padding.
func AvgPool(p Window, x *Tensor) *Tensor {
	h, w := p.Out(x.H, x.W)
	y := New(x.C, x.N, h, w)
	p.checkAverage(x, y)
	s := make(sums, len(y.Data))
	p.each(x, y, func(ix, iy int) { s[iy].add(x.at(ix)) })
	y.Len = length(p.R*p.S+2, x)
	for i := range s {
		y.set(i, div(num(s[i]), exact(float64(p.R*p.S))))
	}
	return y
}

// AvgPoolBackward returns dx of h by w pixels: each pixel of a window gets
// dy/(R·S), and the sum where windows overlap. Pixels of no window get 0.
func AvgPoolBackward(p Window, dy *Tensor, h, w int) *Tensor {
	dx := New(dy.C, dy.N, h, w)
	p.checkAverage(dx, dy)
	s := make(sums, len(dx.Data))
	p.each(dx, dy, func(ix, iy int) { s[ix].add(div(dy.at(iy), exact(float64(p.R*p.S)))) })
	return s.tensor(dx.C, dx.N, h, w, length(p.R*p.S+2, dy))
}

// GlobalAvgPool returns y[c,n] = Σ x[c,n,:,:] / (H·W), features [C][N][1][1].
func GlobalAvgPool(x *Tensor) *Tensor {
	return AvgPool(Window{x.H, x.W, 1, 0}, x)
}

// GlobalAvgPoolBackward returns dx[c,n,y,x] = dy[c,n] / (H·W).
func GlobalAvgPoolBackward(dy *Tensor, h, w int) *Tensor {
	return AvgPoolBackward(Window{h, w, 1, 0}, dy, h, w)
}

// ActPool returns the head of a network up to its linear layer, the average over
// each image of the activated concatenation of x: features [C][N][1][1].
func ActPool(x []*Tensor, l Links) *Tensor { return GlobalAvgPool(Activate(Concat(x...), l)) }

// BNPool returns what the ImageNet stem makes of its convolution: the largest of
// max(gamma·(x-mean)·istd + beta, 0) over each window.
func BNPool(p Window, x *Tensor, l Links) *Tensor { return MaxPool(p, Activate(x, l)) }

// BNPoolBackward returns the gradients of BNPool over training's batch norm, s
// being the batch statistics of x.
func BNPoolBackward(p Window, x *Tensor, s Stats, gamma, beta, dy *Tensor) (dx, dgamma, dbeta *Tensor) {
	z := Activate(x, NewLinks(s, gamma, beta))
	return BatchNormBackward(x, s, gamma, ReLUBackward(z, MaxPoolBackward(p, z, dy)))
}

// each visits every pair of an output and a pixel in its window, for each output
// in row-major order of the window.
func (p Window) each(x, y *Tensor, visit func(ix, iy int)) {
	g := Geometry{R: p.R, S: p.S, Stride: p.Stride, Pad: p.Pad}
	for c := range x.C {
		for n := range x.N {
			g.windows(x, y, func(py, px, _, _, zy, zx int) { visit(x.Index(c, n, zy, zx), y.Index(c, n, py, px)) })
		}
	}
}

func (p Window) check(op string, x, y *Tensor) {
	h, w := p.Out(x.H, x.W)
	check(x.C == y.C && x.N == y.N && y.H == h && y.W == w, "%s: output [%d][%d][%d][%d], want [%d][%d][%d][%d]",
		op, y.C, y.N, y.H, y.W, x.C, x.N, h, w)
}

func (p Window) checkAverage(x, y *Tensor) {
	check(p.Pad == 0, "average pool: padding %d is not supported", p.Pad)
	p.check("average pool", x, y)
}
