package ref

import "math"

// Adam is the optimizer of Kingma and Ba, ICLR 2015, algorithm 1, in the form of
// torch.optim.Adam; Decoupled makes it AdamW (Loshchilov and Hutter, ICLR 2019),
// and AMSGrad takes the largest second moment so far (Reddi et al., ICLR 2018).
type Adam struct {
	Rate, Beta1, Beta2, Epsilon, Decay float64
	Factor                             float64 // on the gradient, see Clip
	Updates                            int     // with this one, for the corrections of the bias
	Decoupled, AMSGrad                 bool
}

// Moments are what Adam keeps of each weight, 0 before the first step: first and
// second moment, and the largest second moment so far, which AMSGrad alone changes.
type Moments struct{ M, V, Top *Tensor }

// Step returns the weights and the moments after one step:
//
//	g = dw·factor + decay·w     m' = b1·m + (1-b1)·g     v' = b2·v + (1-b2)·g²
//	w' = w - rate/(1-b1^t) · m' / (√s/√(1-b2^t) + eps)       s = v', or max(v', top)
//
// Decoupled: w·(1 - rate·decay) takes the place of w, and the decay is not in g.
func (o Adam) Step(w, dw *Tensor, was Moments) (*Tensor, Moments) {
	sameShape("adam", w, dw)
	shape := func(x *Tensor) *Tensor { return New(x.C, x.N, x.H, x.W) }
	next, now := shape(w), Moments{shape(w), shape(w), shape(w)}
	now.M.Len, now.V.Len, now.Top.Len, next.Len = length(6, w, was.M, dw), length(8, w, was.V, dw), length(8, w, was.V, dw), length(20, w, was.M, was.V, dw)
	root2 := exact(math.Sqrt(1 - math.Pow(o.Beta2, float64(o.Updates))))
	step := exact(o.Rate / (1 - math.Pow(o.Beta1, float64(o.Updates))))
	for i := range w.Data {
		old, g := w.at(i), mul(dw.at(i), exact(o.Factor))
		if o.Decoupled {
			old = mul(old, sub(exact(1), exact(o.Rate*o.Decay)))
		} else {
			g = add(g, mul(exact(o.Decay), old))
		}
		m := add(mul(exact(o.Beta1), was.M.at(i)), mul(exact(1-o.Beta1), g))
		v := add(mul(exact(o.Beta2), was.V.at(i)), mul(exact(1-o.Beta2), mul(g, g)))
		top := was.Top.at(i)
		s := v
		if o.AMSGrad && top.v > v.v {
			s = top
		}
		if o.AMSGrad {
			top = s
		}
		now.M.set(i, m)
		now.V.set(i, v)
		now.Top.set(i, top)
		next.set(i, sub(old, div(mul(step, m), add(div(root(s), root2), exact(o.Epsilon)))))
	}
	return next, now
}

// Average returns d·a + (1-d)·w, an exponential moving average of weights.
func Average(d float64, a, w *Tensor) *Tensor {
	sameShape("average", a, w)
	out := New(w.C, w.N, w.H, w.W)
	out.Len = length(4, a, w)
	for i := range w.Data {
		out.set(i, add(mul(exact(d), a.at(i)), mul(exact(1-d), w.at(i))))
	}
	return out
}
