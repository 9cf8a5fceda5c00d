package ref

// A Reader is one convolution, or a head, that reads a map, seen from the map.
type Reader struct {
	Geometry
	// GlobalPool marks a head, global average pooling in place of a convolution: DY
	// is then the gradient of the pooled features, [Cj][N][1][1], and Geometry and W
	// are unused.
	GlobalPool  bool
	DY          *Tensor // [Kj][N][P][Q]: gradient of the reader's output
	W           *Tensor // [Kj][Cj][R][S]
	C0          int     // the map's first channel among the reader's Cj
	Gamma, Beta *Tensor // Cj values; nil for a reader without batch norm and ReLU
}

// D returns the gradient of what the reader reads, for planes channels of h by w
// pixels from C0 on: the transposed convolution Wᵀ·dY, unpooled for a transition;
// dY/(H·W) at every pixel for a head.
func (r Reader) D(planes, h, w int) *Tensor {
	if r.GlobalPool {
		return GlobalAvgPoolBackward(r.DY.Slice(r.C0, r.C0+planes), h, w)
	}
	return ConvBackwardData(r.Geometry, r.DY, columns(r.W, r.C0, r.C0+planes), h, w)
}

// columns returns the weights of input channels [lo, hi).
func columns(w *Tensor, lo, hi int) *Tensor {
	check(0 <= lo && lo <= hi && hi <= w.N, "gather: input channels [%d,%d) of %d", lo, hi, w.N)
	out := New(w.C, hi-lo, w.H, w.W)
	for i := range out.Data {
		tap := i % (w.H * w.W)
		c, k := i/(w.H*w.W)%out.N, i/(w.H*w.W)/out.N
		out.set(i, w.at((k*w.N+lo+c)*w.H*w.W+tap))
	}
	return out
}

// Gathered is what one map receives from all its readers.
type Gathered struct {
	G    *Tensor // gradient of xhat, shape of the map
	Plus *Tensor // gradient of x from readers without batch norm, shape of the map
	Coef *Tensor // [C][1][1][4]: A, B, K, 0 of each plane
	// DGamma and DBeta are, for each reader, the gradients for the map's channels;
	// nil for a reader without batch norm.
	DGamma, DBeta []*Tensor
}

// Gather returns, for a map x with batch statistics s and all its readers j
// (KERNELS.md section 1), with z_j = gamma_j·xhat + beta_j and M = N·H·W:
//
//	G       = Σ_j gamma_j·[z_j > 0]·D_j        Plus = Σ D_j of readers without batch norm
//	dbeta_j = Σ_p [z_j > 0]·D_j        dgamma_j = Σ_p [z_j > 0]·D_j·xhat
//	m1 = Σ_j gamma_j·dbeta_j / M        m2 = Σ_j gamma_j·dgamma_j / M
//	A = istd     B = -istd²·m2     K = istd·(mean·istd·m2 - m1)
//
// Magnitudes: Σ|terms| over all readers, taps and channels.
func Gather(x *Tensor, s Stats, readers []Reader) Gathered {
	out := Gathered{DGamma: make([]*Tensor, len(readers)), DBeta: make([]*Tensor, len(readers))}
	g, plus := make(sums, len(x.Data)), make(sums, len(x.Data))
	m1, m2 := make(sums, x.C), make(sums, x.C)
	for j, r := range readers {
		d := r.D(x.C, x.H, x.W)
		sameShape("gather", x, d)
		if r.Gamma == nil {
			for i := range plus {
				plus[i].add(d.at(i))
			}
			continue
		}
		gamma, beta := r.Gamma.Slice(r.C0, r.C0+x.C), r.Beta.Slice(r.C0, r.C0+x.C)
		d = ReLUBackward(Activate(x, NewLinks(s, gamma, beta)), d)
		for i := range g {
			g[i].add(mul(gamma.at(i/x.Plane()), d.at(i)))
		}
		out.DBeta[j], out.DGamma[j] = planeSums(d, nil), planeSums(d, normalized(x, s))
		for c := range x.C {
			m1[c].add(mul(gamma.at(c), out.DBeta[j].at(c)))
			m2[c].add(mul(gamma.at(c), out.DGamma[j].at(c)))
		}
	}
	out.G, out.Plus = g.tensor(x.C, x.N, x.H, x.W, 0), plus.tensor(x.C, x.N, x.H, x.W, 0)
	out.Coef = coefficients(s, m1, m2, exact(float64(x.Plane())))
	return out
}

func coefficients(s Stats, sum1, sum2 sums, m num) *Tensor {
	coef := New(s.Mean.C, 1, 1, 4)
	for c := range s.Mean.C {
		mean, istd := s.Mean.at(c), s.Istd.at(c)
		m1, m2 := div(num(sum1[c]), m), div(num(sum2[c]), m)
		b := mul(mul(istd, istd), m2)
		k := mul(istd, sub(mul(mul(mean, istd), m2), m1))
		for i, a := range []num{istd, {-b.v, b.m}, k, {}} {
			coef.set(4*c+i, a)
		}
	}
	return coef
}

// Finalise returns the gradient of x,
//
//	dx = A·G + B·x + K + plus
//
// with coef (A, B, K, 0) per plane; plus may be nil. The result is small where B·x
// and K cancel, which the magnitude, Σ|terms|, shows.
func Finalise(x, g, coef, plus *Tensor) *Tensor {
	sameShape("finalise", x, g)
	dx := make(sums, len(x.Data))
	for i := range dx {
		c := 4 * (i / x.Plane())
		dx[i].add(mul(coef.at(c), g.at(i)))
		dx[i].add(mul(coef.at(c+1), x.at(i)))
		dx[i].add(coef.at(c + 2))
		if plus != nil {
			dx[i].add(plus.at(i))
		}
	}
	return dx.tensor(x.C, x.N, x.H, x.W, length(6, x, g, coef, plus))
}
