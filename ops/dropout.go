package ops

import "sparsevk/shaders"

// Dropout computes y = x·[u >= Rate]/(1-Rate) in training and y = x in evaluation
// (State). u is a uniform random number for each element, or with Channels for
// each channel of each image, drawn from Philox4x32-10 by seed, step, Layer and
// the number of the element: Backward draws the same and stores no mask. X and Y
// may be the same view, DY and DX too.
type Dropout struct {
	Env          *Env
	Label        string
	Rate         float32 // probability of a zero, below 1
	Layer        uint32  // tells the dropouts of a network apart
	Channels     bool    // one fate for a channel of an image
	X, Y, DX, DY View
	State        View
	Accumulate   bool // Backward adds to DX
}

// Forward reads X and writes Y.
func (o Dropout) Forward() []Step { return o.steps("/dropout", o.X, o.Y, false) }

// Backward reads DY and writes DX.
func (o Dropout) Backward() []Step { return o.steps("/dropout_bwd", o.DY, o.DX, o.Accumulate) }

func (o Dropout) steps(name string, x, y View, acc bool) []Step {
	group := uint32(1)
	if o.Channels {
		group = x.Block.H * x.Block.W
	}
	var steps []Step
	for _, v := range o.Env.runs(x, y) {
		n := v[0].Elems()
		steps = append(steps, Step{
			Label: o.Label + name, Kernel: &shaders.Dropout, Spec: []uint32{flag(acc)}, Args: bind(v[0], o.State, v[1]),
			Push: &shaders.DropoutPush{N: uint32(n), First: (v[0].Lo - x.Lo) * uint32(x.Block.Plane()), Group: group,
				Layer: o.Layer, Rate: o.Rate, X: where(v[0]), State: where(o.State), Y: where(v[1])},
			Groups: elementGroups(n),
		})
	}
	return steps
}
