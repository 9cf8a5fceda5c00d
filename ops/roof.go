package ops

import (
	"fmt"

	"sparsevk/shaders"
)

// RoofFma measures how many multiply-adds a device does in a second: every
// element of Y is the sum of ten chains of 16·Rounds of them, a = a·M + C, each
// from a small whole number. The default of M and C, which is 0.5, leads every
// chain to 1 without rounding.
type RoofFma struct {
	Env    *Env
	Label  string
	Rounds uint32
	M, C   float32
	Y      View
}

// The chains and the steps of a round, as in the shader.
const (
	roofChains = 10
	roofSteps  = 16
)

// Steps writes Y.
func (o RoofFma) Steps() []Step {
	if o.M == 0 && o.C == 0 {
		o.M, o.C = 0.5, 0.5
	}
	n := o.Y.Elems()
	groups := (n + lanes - 1) / lanes
	if groups > MaxGroups {
		panic(fmt.Sprintf("ops: roof_fma of %d elements: want at most %d", n, MaxGroups*lanes))
	}
	return []Step{{
		Label: o.Label + "/roof_fma", Kernel: &shaders.RoofFma, Args: bind(o.Y),
		Push:   &shaders.RoofFmaPush{N: uint32(n), Rounds: o.Rounds, M: o.M, C: o.C, Y: where(o.Y)},
		Groups: [3]uint32{uint32(groups), 1, 1},
		MACs:   n * roofChains * roofSteps * uint64(o.Rounds),
	}}
}

// RoofCopy measures how many bytes a device copies in a second. X and Y have the
// same number of elements, a multiple of 4, and begin at a multiple of 16 bytes.
type RoofCopy struct {
	Env   *Env
	Label string
	X, Y  View
}

// Steps reads X and writes Y, as bits.
func (o RoofCopy) Steps() []Step {
	n, x, y := o.X.Elems(), where(o.X), where(o.Y)
	if n%4 != 0 || o.Y.Elems() != n || x.Base%4 != 0 || y.Base%4 != 0 {
		panic(fmt.Sprintf("ops: roof_copy of %d elements from %d to %d elements from %d: want equal multiples of 4", n, x.Base, o.Y.Elems(), y.Base))
	}
	return []Step{{
		Label: o.Label + "/roof_copy", Kernel: &shaders.RoofCopy, Args: bind(o.X, o.Y),
		Push:   &shaders.RoofCopyPush{Quads: uint32(n / 4), X: x, Y: y},
		Groups: Groups1D(n/4, lanes),
	}}
}
