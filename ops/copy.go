package ops

import "sparsevk/shaders"

// Copy copies X to Y, views of equal shape, as bits.
type Copy struct {
	Env   *Env
	Label string
	X, Y  View
}

// Steps reads X and writes Y.
func (o Copy) Steps() []Step {
	var steps []Step
	for _, v := range o.Env.runs(o.X, o.Y) {
		n := v[0].Elems()
		steps = append(steps, Step{
			Label: o.Label + "/copy", Kernel: &shaders.Copy, Args: bind(v...),
			Push:   &shaders.CopyPush{N: uint32(n), X: where(v[0]), Y: where(v[1])},
			Groups: elementGroups(n),
		})
	}
	return steps
}

// Add adds X to Y, views of equal shape.
type Add struct {
	Env   *Env
	Label string
	X, Y  View
}

// Steps reads X and accumulates into Y.
func (o Add) Steps() []Step {
	var steps []Step
	for _, v := range o.Env.runs(o.X, o.Y) {
		n := v[0].Elems()
		steps = append(steps, Step{
			Label: o.Label + "/add", Kernel: &shaders.Add, Args: bind(v...),
			Push:   &shaders.AddPush{N: uint32(n), X: where(v[0]), Y: where(v[1])},
			Groups: elementGroups(n),
		})
	}
	return steps
}

// Fill writes Value to every element of Y.
type Fill struct {
	Env   *Env
	Label string
	Value float32
	Y     View
}

// Steps writes Y.
func (o Fill) Steps() []Step {
	var steps []Step
	for _, v := range o.Env.runs(o.Y) {
		n := v[0].Elems()
		steps = append(steps, Step{
			Label: o.Label + "/fill", Kernel: &shaders.Fill, Args: bind(v...),
			Push:   &shaders.FillPush{N: uint32(n), Value: o.Y.Block.Precision.Encode(o.Value), Y: where(v[0])},
			Groups: elementGroups(n),
		})
	}
	return steps
}
