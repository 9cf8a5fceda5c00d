package ops

import (
	"math"

	"sparsevk/shaders"
)

// quadWgrad is how the quad form cuts a weight gradient. 3x3: images into strips,
// quads quads wide, of which a workgroup takes as many side by side as it has
// lanes for, in steps. 1x1: planes into steps of a quad a lane, for wide groups of a
// channel a lane at once.
type quadWgrad struct {
	outs          uint32     // output channels of an invocation
	quads, strips uint32     // 3x3: quads of a strip, strips of all images
	across        uint32     // 3x3: quads of dy of an output channel that lie across the lanes
	wide          uint32     // 1x1: groups of input channels
	steps, splits uint32     // steps of a split, splits
	stage         *quadStage // of a transition
}

const (
	quadWgradOuts   = 6    // output channels of an invocation of the 3x3 form with 8 lanes at most: more outgrow the instruction cache
	quadWgradPairs  = 64   // groups of input channels times output channels of an invocation of the 1x1 form at most, for the same reason
	quadPointStep   = 4    // quads of a step of the 1x1 form
	quadWgradPixels = 4096 // pixels that a split adds in a row at most, for accuracy
	quadWgradSplits = 16   // splits wanted at least, for accuracy and for devices with many cores
)

// newQuadWgrad depends on the extents only, so that a plan is the same everywhere.
func newQuadWgrad(o *Conv) quadWgrad {
	b, quads, lanes := o.Y.Block, o.Y.Block.W/4, o.Env.Class.lanes()
	q, steps := quadWgrad{}, uint32(0)
	if o.R == 1 {
		q.outs, q.wide = pointPairs(lanes, o.C(), o.K())
		if o.Pool { // transitions are few: all widths share a pipeline
			q.outs, q.wide, q.stage = 2*maxTile, 2, newQuadStage(o, "/pooled_again")
		}
		steps = ceilDiv(uint32(b.Plane()/4), quadPointStep)
	} else {
		most := uint32(quadWgradOuts)
		q.across = 8
		if lanes == 16 { // so do they there, but what they spare of the input is worth it
			most = maxTile
			if quads%8 != 0 {
				q.across = 4
			}
		}
		q.outs, q.quads = evenly(o.K(), most), min(quads, q.across)
		for quads%q.quads != 0 {
			q.quads--
		}
		q.strips = b.N * (quads / q.quads)
		steps = ceilDiv(q.strips, q.across/q.quads)
	}
	room := min(wgradPartial, o.Env.Range-Align) / (4 * uint64(ceil4(int(o.weights()))))
	n := max(quadWgradSplits, (b.Plane()+quadWgradPixels-1)/quadWgradPixels)
	n = max(1, min(n, uint64(steps), room, wgradSplits))
	q.steps = ceilDiv(steps, uint32(n))
	q.splits = ceilDiv(steps, q.steps)
	return q
}

// pointPairs returns how many output channels, and groups of a lane for each of c
// input channels, an invocation of the 1x1 form takes.
func pointPairs(lanes, c, k uint32) (outs, wide uint32) {
	best := uint32(math.MaxUint32)
	for g := uint32(1); g <= 4; g++ {
		n := evenly(k, quadWgradPairs/g)
		loads := quadPointStep*g + ceilDiv(n*quadPointStep, lanes)
		once := loads*fetchCycles + quadPointStep*(g*actCycles+n*(g*dotCycles+broadcastCycles))
		if cost := ceilDiv(c, g*lanes) * ceilDiv(k, n) * once; cost < best {
			best, outs, wide = cost, n, g
		}
	}
	return outs, wide
}

// quadWeights reads X, Links and DY and writes the gradients of all weights to dst.
func (o *Conv) quadWeights(dst View) []Step {
	var steps []Step
	for _, part := range o.quadParts(o.wgrad.stage) {
		steps = append(steps, part.before...)
		for k0, dy := range starts(o.Env.runs(o.DY)) {
			steps = append(steps, o.quadWeightStep(part, dy, k0, dst))
		}
	}
	return steps
}

// quadWeightStep returns the gradients between the input channels of part and
// output channels dy, from k0 on.
func (o *Conv) quadWeightStep(part quadPart, dy View, k0 uint32, dst View) Step {
	s, _ := o.Env.quads(o.Geometry, o.X[0].Block)
	q, b, x := o.wgrad, dy.Block, part.x
	dw, links, row := Planes{dst}, Planes{part.links.All()}, o.C()*o.taps()
	link, first := links.Base(links[0])/4+part.link*LinkWords/4, dw.Base(dst)+k0*row+part.c0*o.taps()
	step := Step{
		Holds:  part.holds,
		Args:   []Planes{x, links, {dy}, dw},
		Groups: [3]uint32{ceilDiv(x.C(), s.lanes), q.splits, ceilDiv(dy.C(), q.outs)},
		MACs:   dy.Elems() * uint64(x.C()) * uint64(o.taps()),
	}
	if s.point {
		step.Label, step.Kernel = o.Label+"/quad_point_wgrad", &shaders.QuadPointWgrad
		step.Groups[0] = ceilDiv(x.C(), q.wide*s.lanes)
		tail := o.Pool || dy.C()%q.outs != 0 || s.units != quadPointStep*q.steps*q.splits || q.outs*quadPointStep%s.lanes != 0
		step.Spec = []uint32{s.lanes, q.outs, q.wide, 0, flag(tail), flag(part.act)}
		step.Push = &shaders.QuadPointWgradPush{Quads: s.units, Steps: q.steps, C: x.C(), K: dy.C(),
			Link: link, Stride: row, Dst: first, Split: o.splitStride(), DY: where(dy)}
		return step
	}
	step.Label, step.Kernel = o.Label+"/quad_wgrad", &shaders.QuadWgrad
	tail := dy.C()%q.outs != 0 || q.outs*q.across%s.lanes != 0 || q.strips != q.across/q.quads*q.steps*q.splits
	step.Spec = []uint32{s.lanes, q.outs, q.quads, flag(4*q.quads != b.W), flag(tail), q.across}
	step.Push = &shaders.QuadWgradPush{Width: b.W, Height: b.H, Strips: q.strips, Steps: q.steps, C: x.C(), K: dy.C(),
		Link: link, Row: row, Dst: first, Split: o.splitStride(), Act: flag(part.act), DY: where(dy)}
	return step
}
