package ops

import "sparsevk/shaders"

// SGD updates weights in place, as torch.optim.SGD with momentum does:
//
//	g = dw/scale + decay·w     v = momentum·v + g     w -= rate·(g + momentum·v)
//
// or w -= rate·v with Plain momentum. rate, momentum, decay and scale (loss
// scale) come from State. V starts at 0.
type SGD struct {
	Env      *Env
	Label    string
	W, V, DW View // equal shapes: a parameter, or the whole region of parameters
	State    View
	Plain    bool // momentum without Nesterov's step ahead
}

// Steps reads DW and updates V and W.
func (o SGD) Steps() []Step {
	var steps []Step
	for _, v := range o.Env.runs(o.DW, o.V, o.W) {
		n := v[0].Elems()
		steps = append(steps, Step{
			Label: o.Label + "/sgd", Kernel: &shaders.Sgd, Spec: []uint32{flag(!o.Plain)}, Args: bind(v[0], o.State, v[1], v[2]),
			Push:   &shaders.SgdPush{N: uint32(n), DW: where(v[0]), State: where(o.State), V: where(v[1]), W: where(v[2])},
			Groups: elementGroups(n),
		})
	}
	return steps
}
