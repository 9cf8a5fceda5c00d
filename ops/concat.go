package ops

import "fmt"

// Concat copies the planes of X, one view after the other, into Y, as a framework
// does that has no lists of planes: the layered engine. Backward hands each view
// its planes of DY.
type Concat struct {
	Env   *Env
	Label string
	X     Planes // views of N·H·W elements a plane, C planes in all
	Y     View   // C planes
	DY    View   // C planes
	DX    Planes // views of the shapes of X; the zero View: no gradient wanted
	// Accumulate says for each view of DX whether Backward adds to it; nil: it
	// writes all of them.
	Accumulate []bool
}

// Forward reads X and writes Y, one step or more for each view.
func (o Concat) Forward() []Step {
	if o.X.C() != o.Y.C() {
		panic(fmt.Sprintf("ops: concat: %s: %d planes into %d", o.Label, o.X.C(), o.Y.C()))
	}
	var steps []Step
	var lo uint32
	for i, x := range o.X {
		y := o.Y.Slice(lo, lo+x.C())
		steps = append(steps, Copy{o.Env, fmt.Sprintf("%s/%d", o.Label, i), x, y}.Steps()...)
		lo += x.C()
	}
	return steps
}

// Backward reads DY and writes DX, or accumulates into it, view by view in the
// order of X.
func (o Concat) Backward() []Step {
	var steps []Step
	var lo uint32
	for i, x := range o.X {
		dy, label := o.DY.Slice(lo, lo+x.C()), fmt.Sprintf("%s/%d", o.Label, i)
		lo += x.C()
		switch {
		case o.DX[i].Block == nil:
		case o.Accumulate != nil && o.Accumulate[i]:
			steps = append(steps, Add{o.Env, label, dy, o.DX[i]}.Steps()...)
		default:
			steps = append(steps, Copy{o.Env, label, dy, o.DX[i]}.Steps()...)
		}
	}
	return steps
}
