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
	return o.Env.elementwise(o.Label+"/copy", &shaders.Copy, func(n uint32, v []View) any {
		return &shaders.CopyPush{N: n, X: where(v[0]), Y: where(v[1])}
	}, o.X, o.Y)
}

// Add adds X to Y, views of equal shape.
type Add struct {
	Env   *Env
	Label string
	X, Y  View
}

// Steps reads X and accumulates into Y.
func (o Add) Steps() []Step {
	return o.Env.elementwise(o.Label+"/add", &shaders.Add, func(n uint32, v []View) any {
		return &shaders.AddPush{N: n, X: where(v[0]), Y: where(v[1])}
	}, o.X, o.Y)
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
	return o.Env.elementwise(o.Label+"/fill", &shaders.Fill, func(n uint32, v []View) any {
		return &shaders.FillPush{N: n, Value: o.Y.Block.Precision.Encode(o.Value), Y: where(v[0])}
	}, o.Y)
}

// Swap exchanges X and Y, views of equal shape, as bits.
type Swap struct {
	Env   *Env
	Label string
	X, Y  View
}

// Steps reads and writes X and Y.
func (o Swap) Steps() []Step {
	return o.Env.elementwise(o.Label+"/swap", &shaders.Swap, func(n uint32, v []View) any {
		return &shaders.SwapPush{N: n, X: where(v[0]), Y: where(v[1])}
	}, o.X, o.Y)
}
