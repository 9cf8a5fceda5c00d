package ref

import "math"

// Clip returns the factor on each element of a gradient: one over the loss scale,
// and less if the norm of the gradient, after that division, exceeds limit; 0 is
// no limit. squares is the squared norm of the gradient as it is. (Pascanu et al.,
// ICML 2013, in the form of torch.nn.utils.clip_grad_norm_.)
func Clip(squares, scale, limit float64) float64 {
	if norm := math.Sqrt(squares) / scale; limit > 0 && norm+1e-6 > limit {
		return limit / (norm + 1e-6) / scale
	}
	return 1 / scale
}

// SGD is stochastic gradient descent with momentum and weight decay, as in
// PyTorch with dampening 0 (Sutskever et al., ICML 2013, in torch.optim.SGD's form).
type SGD struct {
	Rate, Momentum, Decay float64
	Factor                float64 // on the gradient, see Clip
	Nesterov              bool
}

// Step returns the weights and the momentum after one step; the momentum starts
// at zero:
//
//	g = dw·factor + decay·w    v' = momentum·v + g
//	w' = w - rate·(g + momentum·v')     without Nesterov w - rate·v'
func (o SGD) Step(w, v, dw *Tensor) (newW, newV *Tensor) {
	sameShape("sgd", w, v)
	sameShape("sgd", w, dw)
	newW, newV = New(w.C, w.N, w.H, w.W), New(w.C, w.N, w.H, w.W)
	newV.Len, newW.Len = length(6, w, v, dw), length(10, w, v, dw)
	mu := exact(o.Momentum)
	for i := range w.Data {
		g := add(mul(dw.at(i), exact(o.Factor)), mul(exact(o.Decay), w.at(i)))
		m := add(mul(mu, v.at(i)), g)
		step := m
		if o.Nesterov {
			step = add(g, mul(mu, m))
		}
		newV.set(i, m)
		newW.set(i, sub(w.at(i), mul(exact(o.Rate), step)))
	}
	return newW, newV
}
