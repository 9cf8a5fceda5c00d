package ref

// Links is what a reader knows of the channels that it reads: vectors of one
// value per input channel, in concat order.
type Links struct{ Mean, Istd, Gamma, Beta *Tensor }

// NewLinks returns the links of a reader of planes with statistics s.
func NewLinks(s Stats, gamma, beta *Tensor) Links { return Links{s.Mean, s.Istd, gamma, beta} }

// Normalize returns y[c] = gamma[c]·(x[c]-mean[c])·istd[c] + beta[c]. Magnitude:
// |gamma·xhat| and |beta|, and what inexact statistics add.
func Normalize(x *Tensor, l Links) *Tensor {
	check(l.Mean.C == x.C && l.Istd.C == x.C && l.Gamma.C == x.C && l.Beta.C == x.C,
		"links: mean, istd, gamma and beta of %d, %d, %d and %d channels for %d", l.Mean.C, l.Istd.C, l.Gamma.C, l.Beta.C, x.C)
	xhat, y := normalized(x, Stats{Mean: l.Mean, Istd: l.Istd}), New(x.C, x.N, x.H, x.W)
	y.Len = length(2, xhat)
	for i := range x.Data {
		c := i / x.Plane()
		var s sum
		s.add(mul(l.Gamma.at(c), xhat.at(i)))
		s.add(l.Beta.at(c))
		y.set(i, num(s))
	}
	return y
}

// normalized returns xhat = (x - mean)·istd.
func normalized(x *Tensor, s Stats) *Tensor {
	xhat := New(x.C, x.N, x.H, x.W)
	xhat.Len = length(2, x, s.Mean, s.Istd)
	for i := range x.Data {
		c := i / x.Plane()
		xhat.set(i, mul(sub(x.at(i), s.Mean.at(c)), s.Istd.at(c)))
	}
	return xhat
}

// Activate returns what a reader convolves: z = max(Normalize(x), 0).
func Activate(x *Tensor, l Links) *Tensor { return ReLU(Normalize(x, l)) }

// BatchNorm returns gamma·(x-mean)·istd + beta: in training s is BatchStats(x),
// in evaluation RunningStats.
func BatchNorm(x *Tensor, s Stats, gamma, beta *Tensor) *Tensor {
	return Normalize(x, NewLinks(s, gamma, beta))
}

// BatchNormBackward returns the gradients of training's batch norm, s being the
// batch statistics of x and M = N·H·W:
//
//	dbeta = Σ dy     dgamma = Σ dy·xhat
//	dx    = gamma·istd·(dy - dbeta/M - xhat·dgamma/M)
//
// Magnitudes: Σ|dy|, Σ|dy·xhat| and the sum of the three terms with these.
func BatchNormBackward(x *Tensor, s Stats, gamma, dy *Tensor) (dx, dgamma, dbeta *Tensor) {
	sameShape("batchnorm", x, dy)
	xhat := normalized(x, s)
	dbeta, dgamma = planeSums(dy, nil), planeSums(dy, xhat)
	dx = New(x.C, x.N, x.H, x.W)
	m := exact(float64(x.Plane()))
	for i := range x.Data {
		c := i / x.Plane()
		g := sub(sub(dy.at(i), div(dbeta.at(c), m)), mul(xhat.at(i), div(dgamma.at(c), m)))
		dx.set(i, mul(mul(gamma.at(c), s.Istd.at(c)), g))
	}
	return dx, dgamma, dbeta
}
