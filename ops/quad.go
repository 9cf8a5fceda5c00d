package ops

import (
	"math"

	"sparsevk/shaders"
)

// maxTile is the largest number of output channels of an invocation.
const maxTile = 12

// quadShape is how the quad kernels cut the pixels of a map. Those of 3x3
// convolutions (shaders/quad.glsl) cut the map into columns, each quads of four
// pixels below each other; an invocation owns one. Those of 1x1 convolutions
// (shaders/quad_point.glsl) see the output as a run of quads; an invocation owns
// some, a subgroup apart.
type quadShape struct {
	lanes       uint32 // of a subgroup, and a workgroup
	point, pool bool
	few         bool   // 1x1: its convolutions are few, so that all widths share the pipelines that have a tail
	units       uint32 // columns, or quads of the convolution's output
	take        uint32 // units of an invocation
	quads       uint32 // quads of an invocation per channel that it makes
	row         uint32 // 1x1: quads per row of the output
	edge        bool   // 3x3: the quads of a row may lie in two subgroups
}

// quads returns how the quad kernels cut the maps of a convolution from a map
// shaped like x. It is false for what they do not take: 16-bit maps, other windows,
// planes or rows that are not whole quads.
func (e *Env) quads(g Geometry, x *Block) (quadShape, bool) {
	lanes, fits := e.Class.lanes(), x.Precision == FP32 && x.Plane()%4 == 0 && 4*x.Plane()*quadMost+Align <= e.Range
	switch g {
	case Geometry{R: 3, S: 3, Stride: 1, Pad: 1}:
		s := quadShape{lanes: lanes, take: 1, quads: 4, edge: lanes*4%x.W != 0}
		if x.H%4 != 0 {
			s.quads = 2
		}
		s.units = uint32(x.Plane() / uint64(4*s.quads))
		return s, fits && x.W%4 == 0 && x.H%2 == 0 && s.groups() <= MaxGroups
	case Geometry{R: 1, S: 1, Stride: 1}:
		s := quadShape{lanes: lanes, point: true, take: 1, quads: 1, row: 1, units: uint32(x.Plane() / 4)}
		return s, fits && s.groups() <= MaxGroups
	case Geometry{R: 1, S: 1, Stride: 1, Pool: true}:
		s := quadShape{lanes: lanes, point: true, pool: true, take: 1, quads: 1, row: x.W / 8, units: uint32(x.Plane() / 16)}
		return s, fits && x.W%8 == 0 && x.H%2 == 0 && s.groups() <= MaxGroups
	}
	return quadShape{}, false
}

// staged returns how the quad kernels cut the maps of a convolution with pooling
// whose input is staged (quadStage): as of one without.
func (s quadShape) staged() quadShape {
	if s.pool {
		s.pool, s.few, s.row, s.take, s.quads = false, true, 1, 2, 2
	}
	return s
}

// groups returns the workgroups over all units; each is one subgroup.
func (s quadShape) groups() uint32 { return ceilDiv(s.units, s.lanes*s.take) }

// pixels returns how many pixels of a plane a workgroup covers.
func (s quadShape) pixels() uint32 { return 4 * s.lanes * s.quads }

// whole reports whether no workgroup has idle lanes.
func (s quadShape) whole() bool { return s.units%(s.lanes*s.take) == 0 }

// spec returns the specialization constants of quad.glsl and quad_point.glsl for
// an invocation that makes outs channels, of which used are wanted, from inputs.
func (s quadShape) spec(outs, used uint32, inputs ...uint32) []uint32 {
	tail := s.few || !s.whole() || used < outs
	for _, n := range inputs {
		tail = tail || s.point && n%4 != 0
	}
	return []uint32{s.lanes, outs, s.quads, flag(s.edge || s.pool), flag(tail)}
}

// quadMost is the largest number of channels that an invocation must be able to make.
const quadMost = 24

// tile returns how the kernels of a convolution, or of a gather, make k channels: the
// channels and the quads of each that an invocation owns. Invocations that make more
// share the loads of more channels, which cost about as much as four channels;
// those beyond k are made for nothing.
func (s quadShape) tile(e *Env, k uint32, gather bool) (quadShape, uint32) {
	step, most := uint32(4), uint32(12)
	switch {
	case s.few: // wider ones take longer to compile than they spare
		step, most = 8, 16
	case s.pool && gather: // one pipeline for all widths. Four quads are one of dy
		step, most, s.take, s.quads = 12, 12, 1, 4
	case s.point:
		return s.pointTile(e, k, gather)
	}
	best := step
	for n := 2 * step; n <= most; n += step {
		if ceilDiv(k, n)*(n+4) < ceilDiv(k, best)*(best+4) {
			best = n
		}
	}
	return s, best
}

// What a 1x1 kernel does for four input channels takes, in cycles of a core with 16
// lanes: a fetch, batch norm and ReLU of a quad, four inputs to a quad of an output. They
// are estimates from the code that lavapipe makes; of them only the ratios matter, for
// the choice of a tile. Its sums are limited by the instruction cache, since its loop is
// unrolled.
const (
	fetchCycles, actCycles, sumCycles = 65, 24, 11
	dotCycles, broadcastCycles        = 4, 2   // of a weight gradient: the product of two quads, a quad to all lanes
	pointSums, pointGather            = 48, 16 // quads; channels of a gather
)

// pointTile is tile for 1x1 convolutions without pooling.
func (s quadShape) pointTile(e *Env, k uint32, gather bool) (quadShape, uint32) {
	best, outs, quads := math.Inf(1), uint32(0), uint32(0)
	room := uint32(max(quadMost, min(pointSums, (e.Range-Align)/(16*uint64(s.units)))))
	if gather { // whose every channel costs as much again for each reader, however few its quads
		room = pointGather
	}
	for q := uint32(1); q <= 4; q *= 2 {
		for n := uint32(4); n <= min(room, pointSums/q); n += 4 {
			loads := 4*q + ceilDiv(n, s.lanes) + 1
			cost := float64(ceilDiv(k, n)*(loads*fetchCycles+4*q*actCycles+n*q*sumCycles)) / float64(q)
			if cost < best {
				best, outs, quads = cost, n, q
			}
		}
	}
	s.take, s.quads = quads, quads
	return s, outs
}

// segments returns how many segments x may be bound in at most, wherever its
// blocks come to lie.
func (e *Env) segments(x Planes) int {
	n := uint32(0)
	for _, v := range x {
		n += ceilDiv(v.C(), max(1, uint32((e.Range-Align)/(4*v.Block.Plane())))) + 1
	}
	return int(min(n, x.C()))
}

// quadConvStep is one dispatch of a forward kernel: input channels x through a
// job of packed weights to the channels of y.
type quadConvStep struct {
	shape quadShape
	pack  *quadPack
	job   int
	quadPart
	y     View
	acc   bool
	tiles View // where to leave the statistics; the zero View: nowhere
}

func (q quadConvStep) step(label string) Step {
	w, links, tiles := Planes{q.pack.view(q.job, q.job+1)}, Planes{q.links.All()}, Planes{q.y}
	wbase, link, first := w.Base(w[0])/4, links.Base(links[0])/4+q.link*LinkWords/4, uint32(0)
	measure := q.tiles.Block != nil
	if measure {
		tiles = Planes{q.tiles}
		first = tiles.Base(q.tiles) / 2
	}
	s := Step{
		Label:  label,
		Holds:  q.holds,
		Spec:   q.shape.spec(q.pack.outs, q.y.C(), q.x.C()),
		Args:   []Planes{q.x, w, links},
		Groups: [3]uint32{q.shape.groups(), 1, 1},
	}
	if q.acc {
		s.Args = append(s.Args, Planes{q.y})
	}
	s.Args = append(s.Args, Planes{q.y}, tiles)
	if q.shape.point {
		s.Spec = append(s.Spec, flag(q.act), flag(measure))
		s.Kernel, s.Push = q.point(wbase, link, first)
		s.MACs = q.y.Elems() * uint64(q.x.C())
	} else {
		s.Spec = append(s.Spec, flag(measure))
		s.Kernel, s.Push = q.taps(wbase, link, first)
		s.MACs = q.y.Elems() * uint64(q.x.C()) * 9
	}
	return s
}

func (q quadConvStep) taps(w, link, tiles uint32) (*shaders.Kernel, any) {
	y := q.y.Block
	p := shaders.QuadFwdPush{Width: y.W, Height: y.H, Columns: q.shape.units, C: q.x.C(), K: q.y.C(), W: w, Link: link, Tiles: tiles,
		Act: flag(q.act), Y: where(q.y)}
	if q.acc {
		acc := shaders.QuadFwdAccPush(p)
		return &shaders.QuadFwdAcc, &acc
	}
	return &shaders.QuadFwd, &p
}

func (q quadConvStep) point(w, link, tiles uint32) (*shaders.Kernel, any) {
	p := shaders.QuadPointFwdPush{Quads: q.shape.units, C: q.x.C(), K: q.y.C(), W: w, Link: link, Tiles: tiles, Y: where(q.y)}
	if q.acc {
		acc := shaders.QuadPointFwdAccPush(p)
		return &shaders.QuadPointFwdAcc, &acc
	}
	return &shaders.QuadPointFwd, &p
}
