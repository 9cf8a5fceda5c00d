package ops

import (
	"math"

	"sparsevk/shaders"
)

// AdamCorrections returns 1 - beta1^t and 1 - beta2^t for the update that is the
// updates-th: StateCorrect1 and StateCorrect2.
func AdamCorrections(beta1, beta2 float32, updates uint64) (correct1, correct2 float32) {
	t := float64(updates)
	return float32(1 - math.Pow(float64(beta1), t)), float32(1 - math.Pow(float64(beta2), t))
}

// Adam updates weights in place, as torch.optim.Adam does:
//
//	g = dw·factor + decay·w     m = b1·m + (1-b1)·g     v = b2·v + (1-b2)·g²
//	w -= rate/(1-b1^t) · m / (√v/√(1-b2^t) + eps)
//
// The numbers come from State. M, V and Top start at 0. (Kingma and Ba, ICLR 2015.)
type Adam struct {
	Env   *Env
	Label string
	Update
	W, M, V View // shaped as DW
	// Top, where it is set, makes this AMSGrad: it keeps the largest V so far, which
	// takes V's place in the denominator. (Reddi et al., ICLR 2018.)
	Top View
	// Decoupled makes this AdamW: w is first multiplied by 1 - rate·decay, and the
	// decay is not in g. (Loshchilov and Hutter, ICLR 2019.)
	Decoupled bool
}

// Steps reads DW and updates M, V, Top and W.
func (o Adam) Steps() []Step {
	top, largest := o.Top, o.Top.Block != nil
	if !largest {
		top = o.V // bound, but untouched
	}
	var steps []Step
	for _, v := range o.Env.runs(o.DW, o.M, o.V, top, o.W) {
		n := v[0].Elems()
		steps = append(steps, Step{
			Label: o.Label + "/adam", Kernel: &shaders.Adam, Spec: []uint32{flag(o.Decay), flag(o.Decoupled), flag(largest)},
			Args: bind(v[0], o.State, o.Norm, v[1], v[2], v[3], v[4]),
			Push: &shaders.AdamPush{N: uint32(n), DW: where(v[0]), State: where(o.State), Results: where(o.Norm),
				M: where(v[1]), V: where(v[2]), Top: where(v[3]), W: where(v[4])},
			Groups: elementGroups(n),
		})
	}
	return steps
}

// Average keeps an exponential moving average A of the weights W:
//
//	a = d·a + (1-d)·w
//
// d is StateAverage. Like the optimizers it changes nothing if Norm says that the
// gradient is not finite. A starts as W.
type Average struct {
	Env         *Env
	Label       string
	W, A        View // equal shapes
	State, Norm View
}

// Steps reads W and updates A.
func (o Average) Steps() []Step {
	var steps []Step
	for _, v := range o.Env.runs(o.W, o.A) {
		n := v[0].Elems()
		steps = append(steps, Step{
			Label: o.Label + "/average", Kernel: &shaders.Average, Args: bind(v[0], o.State, o.Norm, v[1]),
			Push:   &shaders.AveragePush{N: uint32(n), W: where(v[0]), State: where(o.State), Results: where(o.Norm), A: where(v[1])},
			Groups: elementGroups(n),
		})
	}
	return steps
}
