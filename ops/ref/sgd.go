package ref

// SGD is stochastic gradient descent with momentum and weight decay, as in
// PyTorch with dampening 0 (Sutskever et al., ICML 2013, in torch.optim.SGD's form).
type SGD struct {
	Rate, Momentum, Decay float64
	Scale                 float64 // loss scale that gradients carry
	Nesterov              bool
}

// Step returns the weights and the momentum after one step; the momentum starts
// at zero:
//
//	g = dw/scale + decay·w     v' = momentum·v + g
//	w' = w - rate·(g + momentum·v')     without Nesterov w - rate·v'
func (o SGD) Step(w, v, dw *Tensor) (newW, newV *Tensor) {
	sameShape("sgd", w, v)
	sameShape("sgd", w, dw)
	newW, newV = New(w.C, w.N, w.H, w.W), New(w.C, w.N, w.H, w.W)
	newV.Len, newW.Len = length(6, w, v, dw), length(10, w, v, dw)
	mu := exact(o.Momentum)
	for i := range w.Data {
		g := add(div(dw.at(i), exact(o.Scale)), mul(exact(o.Decay), w.at(i)))
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
