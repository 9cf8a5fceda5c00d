package ops

import "math"

// quadConv is the quad form of a convolution.
type quadConv struct {
	shape quadShape
	pack  *quadPack
	stage *quadStage // of a transition
}

// newQuadConv returns the quad form of o's forward, which cuts maps as s says.
func newQuadConv(o *Conv, s quadShape) *quadConv {
	q := &quadConv{stage: newQuadStage(o, "/pooled")}
	shape, outs := s.staged().tile(o.Env, o.K(), false)
	q.shape = shape
	parts := o.Env.segments(o.X)
	if q.stage != nil {
		parts += int(ceilDiv(o.C(), q.stage.z.C))
	}
	blocks := ceilDiv(o.K(), outs)
	q.pack = newQuadPack(o.Env, o.Label+"/fwd", s, outs, blocks*o.C(), int(blocks)*parts)
	return q
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
	q, parts := o.quad, o.quadParts(o.quad.stage)
	row, taps, outs := o.C()*o.taps(), o.taps(), o.quad.pack.outs
	var jobs []packJob
	var steps []quadConvStep
	for i, part := range parts {
		for k0 := uint32(0); k0 < o.K(); k0 += outs {
			k1 := min(o.K(), k0+outs)
			s := quadConvStep{quadPart: part, shape: q.shape, pack: q.pack, job: len(jobs), y: o.Y.Slice(k0, k1), acc: i > 0}
			if o.Tiles != nil && i == len(parts)-1 {
				s.tiles = o.Tiles.View(k0, k1)
			}
			w := o.W.Slice(k0*row+part.c0*taps, (k1-1)*row+(part.c0+part.x.C())*taps)
			jobs = append(jobs, packJob{w: w, in: taps, out: row, inputs: part.x.C(), outputs: k1 - k0})
			steps = append(steps, s)
			part.before = nil
		}
	}
	return q.pack.run(o.Env, o.Label+"/quad_fwd", jobs, steps)
}

// run packs jobs and appends the steps that read them.
func (p *quadPack) run(e *Env, label string, jobs []packJob, steps []quadConvStep) []Step {
	p.pack(jobs)
	out := p.steps(e)
	for _, s := range steps {
		out = append(append(out, s.before...), s.step(label))
	}
	return out
}

// quadData is the data gradient of a convolution as a convolution of dy with the
// weights turned round.
type quadData struct {
	shape quadShape
	pack  *quadPack
	links *Block
}

// newQuadData returns the quad form of the data gradient of r to dx, which cuts
// maps as s says.
func newQuadData(e *Env, label string, r Reader, dx View, s quadShape) *quadData {
	s, outs := s.tile(e, dx.C(), false)
	blocks := ceilDiv(dx.C(), outs)
	pack := newQuadPack(e, label+"/data", s, outs, blocks*r.DY.C(), int(blocks)*e.segments(Planes{r.DY}))
	return &quadData{shape: s, pack: pack, links: e.Tables.Add(label+"/dy_links", int(r.DY.C())*LinkWords)}
}

// turned returns the job that packs the weights of r from output channels
// [k0, k0+k) to c input channels from c0 on, with the taps turned round.
func (r Reader) turned(k0, k, c0, c uint32) packJob {
	w, row := r.weightsOf(k0, k, c0, c)
	return packJob{w: w, in: row, out: r.taps(), inputs: k, outputs: c, flip: true}
}

// steps reads dy and writes dx, or with acc adds to it.
func (d *quadData) steps(e *Env, label string, r Reader, dx View, acc bool) []Step {
	dy := Planes{r.DY}
	e.Tables.Set(d.links, plainLinks(e, dy))
	var jobs []packJob
	var steps []quadConvStep
	for c0 := uint32(0); c0 < dx.C(); c0 += d.pack.outs {
		c1, k0 := min(dx.C(), c0+d.pack.outs), uint32(0)
		for i, seg := range e.split(dy) {
			steps = append(steps, quadConvStep{quadPart: quadPart{x: seg, links: d.links, link: k0}, shape: d.shape, pack: d.pack, job: len(jobs),
				y: dx.Slice(c0, c1), acc: acc || i > 0})
			jobs = append(jobs, r.turned(k0, seg.C(), r.C0+c0, c1-c0))
			k0 += seg.C()
		}
	}
	return d.pack.run(e, label+"/quad_bwd_data", jobs, steps)
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
