package ops

import "sparsevk/shaders"

// An Update is what every optimizer reads. Each element of DW is multiplied by
// one over the loss scale, and by less where the norm would exceed StateClip. If
// Norm says that the gradient is not finite, nothing is updated.
type Update struct {
	DW    View
	Norm  View // two words, as Norm2 leaves them: of the whole gradient, not of DW alone
	State View
	Decay bool // StateDecay applies to these weights
}

// SGD updates weights in place, as torch.optim.SGD with momentum does:
//
//	g = dw·factor + decay·w     v = momentum·v + g     w -= rate·(g + momentum·v)
//
// or w -= rate·v with Plain momentum. rate, momentum and decay come from State. V
// starts at 0.
type SGD struct {
	Env   *Env
	Label string
	Update
	W, V  View // shaped as DW: a parameter, or the whole region of parameters
	Plain bool // momentum without Nesterov's step ahead
}

// Steps reads DW and updates V and W.
func (o SGD) Steps() []Step {
	var steps []Step
	for _, v := range o.Env.runs(o.DW, o.V, o.W) {
		n := v[0].Elems()
		steps = append(steps, Step{
			Label: o.Label + "/sgd", Kernel: &shaders.Sgd, Spec: []uint32{flag(!o.Plain), flag(o.Decay)},
			Args:   bind(v[0], o.State, o.Norm, v[1], v[2]),
			Push:   &shaders.SgdPush{N: uint32(n), DW: where(v[0]), State: where(o.State), Results: where(o.Norm), V: where(v[1]), W: where(v[2])},
			Groups: elementGroups(n),
		})
	}
	return steps
}
