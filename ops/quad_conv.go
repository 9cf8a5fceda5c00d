package ops

import (
	"math"

	"sparsevk/shaders"
)

// quadConv is the quad form of a convolution.
type quadConv struct {
	shape quadShape
	pack  *quadPack
	wgrad quadWgrad
}

// newQuadConv returns the quad form of o, or nil where the plain form must serve.
func newQuadConv(o *Conv) *quadConv {
	s, ok := o.Env.quads(o.Geometry, o.Y.Block)
	if !ok || o.B.Block != nil || o.DB.Block != nil {
		return nil
	}
	outs, row := quadOuts(o.K()), o.C()*o.taps()
	var jobs []packJob
	for k0 := uint32(0); k0 < o.K(); k0 += outs {
		k := min(outs, o.K()-k0)
		jobs = append(jobs, packJob{w: o.W.Slice(k0*row, (k0+k)*row), in: o.taps(), out: row, inputs: o.C(), outputs: k})
	}
	return &quadConv{shape: s, pack: newQuadPack(o.Env, o.Label+"/fwd", outs, jobs), wgrad: newQuadWgrad(o)}
}

// measure makes the block for the statistics, if they are wanted and if the tiles
// that workgroups make have equal sizes.
func (o *Conv) measure() {
	if s := o.quad.shape; o.Measure && s.whole() {
		o.Tiles = &Block{Name: o.Label + "/tiles", Purpose: Workspace, C: o.K(), N: 1, H: s.groups(), W: 2}
		o.Tile = s.pixels()
	}
}

// quadForward reads X, Links and W and writes Y and, if it measures, Tiles.
func (o *Conv) quadForward() []Step {
	q := o.quad
	steps := q.pack.steps(o.Env)
	segments := o.X.Split(o.Env.Range)
	for job := range q.pack.jobs {
		k0, c0 := uint32(job)*q.pack.outs, uint32(0)
		y := o.Y.Slice(k0, min(o.K(), k0+q.pack.outs))
		for i, x := range segments {
			s := quadConvStep{shape: q.shape, pack: q.pack, job: job, x: x, c0: c0, links: o.Links, y: y, act: o.Act, acc: i > 0}
			if o.Tiles != nil && i == len(segments)-1 {
				s.tiles = o.Tiles.View(k0, k0+y.C())
			}
			steps = append(steps, s.step(o.Label+"/quad_fwd"))
			c0 += x.C()
		}
	}
	return steps
}

// quadData is the data gradient of a 3x3 convolution as a convolution of dy with
// the taps turned round.
type quadData struct {
	shape quadShape
	pack  *quadPack
	links *Block
}

// newQuadData returns the quad form of the data gradient of r to c channels of a
// map shaped like x, or nil where the plain form must serve.
func newQuadData(e *Env, label string, r Reader, dx View) *quadData {
	s, ok := e.quads(r.Geometry, dx.Block)
	if !ok {
		return nil
	}
	outs := quadOuts(dx.C())
	d := &quadData{shape: s, pack: newQuadPack(e, label+"/data", outs, turned(r, 0, r.DY.C(), dx.C(), outs))}
	d.links = e.Tables.Add(label+"/dy_links", int(r.DY.C())*LinkWords)
	return d
}

// turned returns the jobs that pack the weights of r from output channels
// [k0, k0+k) to c input channels from r.C0 on, in blocks of outs, with the taps
// turned round.
func turned(r Reader, k0, k, c, outs uint32) []packJob {
	var jobs []packJob
	for c0 := uint32(0); c0 < c; c0 += outs {
		n := min(outs, c-c0)
		w, row := r.weightsOf(k0, k, r.C0+c0, n)
		jobs = append(jobs, packJob{w: w, in: row, out: r.taps(), inputs: k, outputs: n, flip: true})
	}
	return jobs
}

// steps reads dy and writes dx, or with acc adds to it.
func (d *quadData) steps(e *Env, label string, r Reader, dx View, acc bool) []Step {
	dy := Planes{r.DY}
	e.Tables.Set(d.links, plainLinks(e, dy))
	steps := d.pack.steps(e)
	for job := range d.pack.jobs {
		c0, k0 := uint32(job)*d.pack.outs, uint32(0)
		for i, seg := range dy.Split(e.Range) {
			steps = append(steps, quadConvStep{
				shape: d.shape, pack: d.pack, job: job, x: seg, c0: k0, links: d.links,
				y: dx.Slice(c0, min(dx.C(), c0+d.pack.outs)), acc: acc || i > 0,
			}.step(label+"/quad_bwd_data"))
			k0 += seg.C()
		}
	}
	return steps
}

// quadWgrad is how the quad form cuts a weight gradient: images into strips of
// quads quads in x, of which a workgroup takes as many side by side as it has lanes.
type quadWgrad struct {
	outs, quads   uint32 // output channels and quads in x of an invocation
	strips        uint32 // of all images
	steps, splits uint32 // groups of strips in a split, splits
}

const (
	quadWgradOuts   = 6    // output channels of an invocation at most: more make the loop outgrow the instruction cache
	quadWgradPixels = 4096 // pixels that a split adds in a row at most, for accuracy
	quadWgradSplits = 16   // splits wanted at least, for accuracy and for devices with many cores
)

// newQuadWgrad depends on the extents only, so that a plan is the same everywhere.
func newQuadWgrad(o *Conv) quadWgrad {
	b, quads := o.Y.Block, o.Y.Block.W/4
	q := quadWgrad{outs: evenly(o.K(), quadWgradOuts), quads: min(quads, quadLanes)}
	for quads%q.quads != 0 {
		q.quads--
	}
	q.strips = b.N * (quads / q.quads)
	groups := uint64(ceilDiv(q.strips, quadLanes/q.quads))
	room := min(wgradPartial, o.Env.Range-Align) / (4 * uint64(o.weights()))
	n := max(quadWgradSplits, (b.Plane()+quadWgradPixels-1)/quadWgradPixels)
	n = max(1, min(n, groups, room, wgradSplits))
	q.steps = uint32((groups + n - 1) / n)
	q.splits = ceilDiv(uint32(groups), q.steps)
	return q
}

// spec returns the specialization constants of quad_wgrad for k output channels.
func (q quadWgrad) spec(o *Conv, k uint32) []uint32 {
	side := quadLanes / q.quads
	tail := k%q.outs != 0 || q.strips != side*q.steps*q.splits
	return []uint32{q.outs, q.quads, flag(4*q.quads != o.Y.Block.W), flag(tail), flag(o.Act)}
}

// quadWeightStep returns the gradients between input channels x, from c0 on, and
// output channels dy, from k0 on.
func (o *Conv) quadWeightStep(x Planes, c0 uint32, dy View, k0 uint32, dst View) Step {
	q, dyp, dw, links := o.quad.wgrad, Planes{dy}, Planes{dst}, Planes{o.Links.All()}
	row := o.C() * o.taps()
	return Step{
		Label: o.Label + "/quad_wgrad", Kernel: &shaders.QuadWgrad, Spec: q.spec(o, dy.C()),
		Args: []Planes{x, links, dyp, dw},
		Push: &shaders.QuadWgradPush{
			Width: dy.Block.W, Height: dy.Block.H, Strips: q.strips, Steps: q.steps, C: x.C(), K: dy.C(),
			Link: links.Base(links[0])/4 + c0*LinkWords/4, Row: row, Dst: dw.Base(dst) + k0*row + c0*o.taps(), Split: o.weights(), DY: push(dyp, dy),
		},
		Groups: [3]uint32{ceilDiv(x.C(), quadLanes), q.splits, ceilDiv(dy.C(), q.outs)},
		MACs:   dy.Elems() * uint64(x.C()) * 9,
	}
}

// plainLinks returns the links of a convolution without batch norm: planes where
// they lie, mean 0, istd 1, gamma 1, beta 0.
func plainLinks(e *Env, x Planes) []uint32 {
	one := math.Float32bits(1)
	words := make([]uint32, 0, x.C()*LinkWords)
	for _, p := range linkPlanes(e, x) {
		words = append(words, p, 0, one, one, 0, 0, 0, 0)
	}
	return words
}
