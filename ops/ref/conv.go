package ref

// A Geometry is the window of a convolution.
type Geometry struct {
	R, S   int // kernel height and width
	Stride int
	Pad    int  // zeros around the activated input
	Pool   bool // average the activated input 2x2 (stride 2) before the convolution, a 1x1
}

// Out returns the output height and width for an input of h by w.
func (g Geometry) Out(h, w int) (p, q int) {
	if g.Pool {
		h, w = h/2, w/2
	}
	return outSize(h, g.R, g.Stride, g.Pad), outSize(w, g.S, g.Stride, g.Pad)
}

// outSize returns how many windows of r fit into n elements padded on both sides.
func outSize(n, r, stride, pad int) int {
	check(r > 0 && stride > 0 && pad >= 0, "window of %d, stride %d, padding %d", r, stride, pad)
	check(n+2*pad >= r, "window of %d over %d elements padded by %d", r, n, pad)
	return (n+2*pad-r)/stride + 1
}

// Conv returns
//
//	y[k,n,p,q] = b[k] + Σ_{c,r,s} w[k,c,r,s] · z[c, n, p·stride+r-pad, q·stride+s-pad]
//
// where z is the concatenation of x in order, activated if l is not nil (see
// Activate), then averaged 2x2 if g.Pool, and 0 outside the image. Without bias
// b is nil. Magnitude: Σ|terms|, with the magnitude of z where l is not nil.
func Conv(g Geometry, x []*Tensor, l *Links, w, b *Tensor) *Tensor {
	z := g.input(x, l)
	p, q := outSize(z.H, g.R, g.Stride, g.Pad), outSize(z.W, g.S, g.Stride, g.Pad)
	out := New(w.C, z.N, p, q)
	y := make(sums, len(out.Data))
	if b != nil {
		check(b.C == w.C && b.Plane() == 1, "conv: bias of %d planes, %d wanted", b.C, w.C)
		for i := range y {
			y[i].add(b.at(i / out.Plane()))
		}
	}
	g.terms(z, w, out, func(iz, iw, iy int) { y[iy].add(mul(w.at(iw), z.at(iz))) })
	return y.tensor(out.C, out.N, out.H, out.W, length(1+w.N*g.R*g.S, z, w))
}

// ConvBackwardData returns the gradient with respect to z, the activated input of
// h by w pixels, before pooling if g.Pool:
//
//	dz[c,n,y,x] = Σ w[k,c,r,s] · dy[k,n,p,q]     over p·stride+r-pad = y, q·stride+s-pad = x
//
// and with Pool a quarter of the gradient of the average, at each of its pixels.
func ConvBackwardData(g Geometry, dy, w *Tensor, height, width int) *Tensor {
	h, wd := height, width
	if g.Pool {
		h, wd = h/2, wd/2
	}
	in := New(w.N, dy.N, h, wd)
	dz := make(sums, len(in.Data))
	g.terms(in, w, dy, func(iz, iw, iy int) { dz[iz].add(mul(w.at(iw), dy.at(iy))) })
	out := dz.tensor(in.C, in.N, h, wd, length(w.C*g.R*g.S, dy, w))
	if g.Pool {
		return AvgPoolBackward(Window{2, 2, 2, 0}, out, height, width)
	}
	return out
}

// ConvBackwardWeights returns
//
//	dw[k,c,r,s] = Σ_{n,p,q} dy[k,n,p,q] · z[c, n, p·stride+r-pad, q·stride+s-pad]
//
// with z as for Conv, recomputed from x.
func ConvBackwardWeights(g Geometry, x []*Tensor, l *Links, dy *Tensor) *Tensor {
	z := g.input(x, l)
	w := New(dy.C, z.C, g.R, g.S)
	dw := make(sums, len(w.Data))
	g.terms(z, w, dy, func(iz, iw, iy int) { dw[iw].add(mul(dy.at(iy), z.at(iz))) })
	return dw.tensor(w.C, w.N, w.H, w.W, length(dy.Plane(), z, dy))
}

// ConvBackwardBias returns db[k] = Σ_{n,p,q} dy[k,n,p,q].
func ConvBackwardBias(dy *Tensor) *Tensor { return planeSums(dy, nil) }

// input returns z: what the convolution itself reads.
func (g Geometry) input(x []*Tensor, l *Links) *Tensor {
	z := Concat(x...)
	if l != nil {
		z = Activate(z, *l)
	}
	if g.Pool {
		z = AvgPool(Window{2, 2, 2, 0}, z)
	}
	return z
}

// terms visits every product of a convolution: the indices of its factors in z
// and w, and of the output that it is a term of. A convolution and its two
// gradients are this one sum, each taken over another index.
func (g Geometry) terms(z, w, y *Tensor, visit func(iz, iw, iy int)) {
	p, q := outSize(z.H, g.R, g.Stride, g.Pad), outSize(z.W, g.S, g.Stride, g.Pad)
	check(w.C == y.C && w.N == z.C && w.H == g.R && w.W == g.S,
		"conv: weights [%d][%d][%d][%d] for %d outputs, %d inputs and a window of %d by %d", w.C, w.N, w.H, w.W, y.C, z.C, g.R, g.S)
	check(y.N == z.N && y.H == p && y.W == q, "conv: output of %d images of %d by %d, want %d of %d by %d", y.N, y.H, y.W, z.N, p, q)
	for k := range y.C {
		for c := range z.C {
			for n := range z.N {
				g.windows(z, y, func(py, px, r, s, zy, zx int) {
					visit(z.Index(c, n, zy, zx), w.Index(k, c, r, s), y.Index(k, n, py, px))
				})
			}
		}
	}
}

// windows visits the taps (r, s) of every output pixel (py, px) that fall on a
// pixel (zy, zx) inside the image.
func (g Geometry) windows(z, y *Tensor, visit func(py, px, r, s, zy, zx int)) {
	for py := range y.H {
		for px := range y.W {
			for r := range g.R {
				for s := range g.S {
					zy, zx := py*g.Stride+r-g.Pad, px*g.Stride+s-g.Pad
					if 0 <= zy && zy < z.H && 0 <= zx && zx < z.W {
						visit(py, px, r, s, zy, zx)
					}
				}
			}
		}
	}
}

// planeSums returns Σ a over each plane, or Σ a·b if b is not nil.
func planeSums(a, b *Tensor) *Tensor {
	s := make(sums, a.C)
	for i := range a.Data {
		t := a.at(i)
		if b != nil {
			t = mul(t, b.at(i))
		}
		s[i/a.Plane()].add(t)
	}
	return s.tensor(a.C, 1, 1, 1, length(a.Plane(), a, b))
}
