package ops

import "sparsevk/shaders"

// quadLanes is the subgroup size that the quad kernels are written for.
const quadLanes = 8

// quadShape is how the quad kernels cut the pixels of a map: an invocation owns
// a column, rows quads of four pixels below each other.
type quadShape struct {
	rows, columns uint32
	edge          bool // the quads of a row may lie in two subgroups
}

// quads returns how the quad kernels of a 3x3 convolution cut maps shaped like b.
// It is false where the plain kernels must serve: another class of device,
// another window, rows that are not whole quads, an odd number of rows.
func (e *Env) quads(g Geometry, b *Block) (quadShape, bool) {
	s := quadShape{rows: 4, edge: quadLanes*4%b.W != 0}
	if e.Class != Quad || g != (Geometry{R: 3, S: 3, Stride: 1, Pad: 1}) || b.W%4 != 0 || b.H%2 != 0 {
		return s, false
	}
	if b.H%4 != 0 {
		s.rows = 2
	}
	columns := b.Plane() / uint64(4*s.rows)
	s.columns = uint32(columns)
	return s, columns <= quadLanes*MaxGroups && 4*b.Plane()*maxTile+Align <= e.Range
}

// groups returns the workgroups over all columns; each is one subgroup.
func (s quadShape) groups() uint32 { return ceilDiv(s.columns, quadLanes) }

// pixels returns how many pixels of a plane a workgroup covers.
func (s quadShape) pixels() uint32 { return 4 * quadLanes * s.rows }

// whole reports whether no workgroup has idle lanes.
func (s quadShape) whole() bool { return s.columns%quadLanes == 0 }

// spec returns the specialization constants of quad.glsl for an invocation that
// makes outs channels, of which used are wanted.
func (s quadShape) spec(outs, used uint32) []uint32 {
	return []uint32{outs, s.rows, flag(s.edge), flag(!s.whole() || used < outs)}
}

// quadOuts returns how many of k channels an invocation makes: 4, 8 or 12. Those
// that make more share the loads of more channels, which cost about as much as
// four; those beyond k are computed for nothing.
func quadOuts(k uint32) uint32 {
	best := uint32(4)
	for _, n := range []uint32{8, 12} {
		if ceilDiv(k, n)*(n+4) < ceilDiv(k, best)*(best+4) {
			best = n
		}
	}
	return best
}

// quadRow returns the texels of the filter rows of one input channel to outs
// outputs: three each, in whole fetches of a subgroup.
func quadRow(outs uint32) uint32 { return ceilDiv(3*outs, quadLanes) * quadLanes }

// A packJob is filter rows that quad_pack copies: those of inputs channels to
// outs outputs. The steps in and out are in elements of w.
type packJob struct {
	w               View
	in, out         uint32
	inputs, outputs uint32
	flip            bool // turn the taps round, for data gradients
}

const packWords = 8 // words of a job in the table of quad_pack

// quadPack is weights in the order of the quad kernels. They are packed anew in
// every training step, since the update writes the master weights only.
type quadPack struct {
	label string
	outs  uint32
	jobs  []packJob
	first []uint32 // texel where each job begins, and one more: where the last ends
	dst   *Block
	table *Block
}

// newQuadPack returns the packed weights of jobs, in their order, for
// invocations that make outs channels.
func newQuadPack(e *Env, label string, outs uint32, jobs []packJob) *quadPack {
	p := &quadPack{label: label, outs: outs, jobs: jobs, first: []uint32{0}}
	for i, j := range jobs {
		p.first = append(p.first, p.first[i]+j.inputs*quadRow(outs))
	}
	p.dst = Vector(label+"/packed", Other, 4*int(p.first[len(jobs)]))
	p.table = e.Tables.Add(label+"/pack", packWords*len(jobs))
	return p
}

// view returns the packed weights of jobs [lo, hi).
func (p *quadPack) view(lo, hi int) View { return p.dst.View(4*p.first[lo], 4*p.first[hi]) }

// steps reads the master weights and writes the packed ones: one dispatch for as
// many jobs as can be bound together.
func (p *quadPack) steps(e *Env) []Step {
	var steps []Step
	var words []uint32
	for lo := 0; lo < len(p.jobs); {
		hi, w := lo, Planes(nil)
		for hi < len(p.jobs) && (hi == lo || rangeBytes(append(w[:len(w):len(w)], p.jobs[hi].w)) <= e.Range) {
			w = append(w, p.jobs[hi].w)
			hi++
		}
		steps = append(steps, p.step(lo, hi, w))
		words = append(words, p.words(lo, hi, w)...)
		lo = hi
	}
	e.Tables.Set(p.table, words)
	return steps
}

func (p *quadPack) step(lo, hi int, w Planes) Step {
	table, most := Planes{p.table.View(uint32(lo)*packWords, uint32(hi)*packWords)}, uint32(0)
	for i := lo; i < hi; i++ {
		most = max(most, p.first[i+1]-p.first[i])
	}
	return Step{
		Label: p.label + "/quad_pack", Kernel: &shaders.QuadPack,
		Args:   []Planes{table, w, {p.view(lo, hi)}},
		Push:   &shaders.QuadPackPush{Table: table.Base(table[0])},
		Groups: [3]uint32{ceilDiv(most, 4*tileLanes), uint32(hi - lo), 1},
	}
}

// words returns the table of a step; shaders/quad_pack.comp names its words.
func (p *quadPack) words(lo, hi int, w Planes) []uint32 {
	var words []uint32
	dst := Planes{p.view(lo, hi)}
	for i, j := range p.jobs[lo:hi] {
		words = append(words, w.Base(w[i]), j.in, j.out, j.inputs, j.outputs, quadRow(p.outs), flag(j.flip),
			dst.Base(p.view(lo+i, lo+i+1))/4)
	}
	return words
}

// quadConvStep is one dispatch of quad_fwd or quad_fwd_acc: input channels x
// through packed weights to the channels of y.
type quadConvStep struct {
	shape quadShape
	pack  *quadPack
	job   int    // whose outputs are y
	x     Planes // channels of the job from c0 on
	c0    uint32
	links *Block
	y     View
	act   bool
	acc   bool
	tiles View // where to leave the statistics; the zero View: nowhere
}

func (q quadConvStep) step(label string) Step {
	w, links, y, tiles := Planes{q.pack.view(q.job, q.job+1)}, Planes{q.links.All()}, Planes{q.y}, Planes{q.y}
	push := shaders.QuadFwdPush{
		Width: q.y.Block.W, Height: q.y.Block.H, Columns: q.shape.columns, C: q.x.C(), K: q.y.C(),
		W: w.Base(w[0])/4 + q.c0*quadRow(q.pack.outs), Link: links.Base(links[0])/4 + q.c0*LinkWords/4, Y: push(y, q.y),
	}
	measure := q.tiles.Block != nil
	if measure {
		tiles = Planes{q.tiles}
		push.Tiles = tiles.Base(q.tiles) / 2
	}
	s := Step{
		Label: label, Kernel: &shaders.QuadFwd, Spec: append(q.shape.spec(q.pack.outs, q.y.C()), flag(q.act), flag(measure)),
		Args: []Planes{q.x, w, links, y, tiles}, Push: &push, Groups: [3]uint32{q.shape.groups(), 1, 1},
		MACs: q.y.Elems() * uint64(q.x.C()) * 9,
	}
	if q.acc {
		a := shaders.QuadFwdAccPush(push)
		s.Kernel, s.Push = &shaders.QuadFwdAcc, &a
	}
	return s
}
