package ops

import "sparsevk/shaders"

// Accumulate adds up the gradients of several batches:
//
//	y = share·x + y        or share·x alone, if State says that a sum begins
//
// With one over their number as the share of each the sum is their mean.
type Accumulate struct {
	Env   *Env
	Label string
	X, Y  View // equal shapes
	State View
}

// Steps reads X and updates Y.
func (o Accumulate) Steps() []Step {
	var steps []Step
	for _, v := range o.Env.runs(o.X, o.Y) {
		n := v[0].Elems()
		steps = append(steps, Step{
			Label: o.Label + "/accumulate", Kernel: &shaders.Accumulate, Args: bind(v[0], o.State, v[1]),
			Push:   &shaders.AccumulatePush{N: uint32(n), X: where(v[0]), State: where(o.State), Y: where(v[1])},
			Groups: elementGroups(n),
		})
	}
	return steps
}
