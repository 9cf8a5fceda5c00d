package ops

import "sparsevk/shaders"

// Finalise turns what a map received from its readers into the gradient of the
// map, in the map's own place:
//
//	x = A·G + B·x + K + plus        (A, B, K, 0) = coef of the plane
//
// Coef and G come from a Gather. X then holds the gradient and no longer the map.
type Finalise struct {
	Env   *Env
	Label string
	X     View   // read and written
	G     View   // shape of X, float32
	Plus  View   // shape of X; the zero View: none
	Coef  *Block // 4 words per plane
}

// Steps reads X, G, Plus and Coef and writes X.
func (o Finalise) Steps() []Step {
	views := []View{o.X, o.G}
	if o.Plus.Block != nil {
		views = append(views, o.Plus)
	}
	var steps []Step
	c0 := uint32(0)
	for _, v := range o.Env.runs(views...) {
		c := v[0].C()
		plus := v[0] // without Plus, X stands in for it unread
		if o.Plus.Block != nil {
			plus = v[2]
		}
		x, g, p, coef := Planes{v[0]}, Planes{v[1]}, Planes{plus}, Planes{o.Coef.View(4*c0, 4*(c0+c))}
		if o.Env.Class.Quads() && o.X.Block.Precision == FP32 && o.X.Block.Plane()%4 == 0 {
			steps = append(steps, o.quadStep(x, g, p, coef))
			c0 += c
			continue
		}
		steps = append(steps, Step{
			Label: o.Label + "/finalise", Kernel: &shaders.Finalise, Spec: []uint32{flag(o.Plus.Block != nil)},
			Args:   []Planes{x, g, p, coef},
			Push:   &shaders.FinalisePush{X: push(x, v[0]), G: push(g, v[1]), Plus: push(p, plus), Coef: coef.Base(coef[0])},
			Groups: [3]uint32{Groups1D(v[0].Block.Plane(), 8*tileLanes)[0], c, 1},
		})
		c0 += c
	}
	return steps
}

// quadStep is a step of the quad form: x, g, plus and coef are one run.
func (o Finalise) quadStep(x, g, plus, coef Planes) Step {
	const quads = 8 // of an invocation
	lanes := o.Env.Class.lanes()
	n, share := x[0].Block.Plane()/4, uint64(quads*lanes)
	return Step{
		Label: o.Label + "/quad_finalise", Kernel: &shaders.QuadFinalise,
		Spec:   []uint32{lanes, flag(o.Plus.Block != nil), flag(n%share != 0)},
		Args:   []Planes{x, g, plus, coef, x},
		Push:   &shaders.QuadFinalisePush{Coef: coef.Base(coef[0]) / 4, X: where(x[0]), G: where(g[0]), Plus: where(plus[0])},
		Groups: [3]uint32{uint32((n + share - 1) / share), x.C(), 1},
	}
}
