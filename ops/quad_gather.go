package ops

import (
	"slices"

	"sparsevk/shaders"
)

// quadGather is the quad form of a batch of readers.
type quadGather struct {
	shape  quadShape
	outs   uint32 // channels of a block
	blocks []quadBlock
	pack   *quadPack // a job for every entry and block, in this order; nil for what is no convolution
	table  *Block    // entries of every block
	words  []uint32  // of the table, as the steps are made
}

// A quadBlock is channels [c0, c0+n) of the map, made by one dispatch; they lie
// in one run of Gather.runs.
type quadBlock struct{ c0, n uint32 }

const quadEntryWords = 8 // words of an entry in the table of the kernels

// complete cuts the channels of the map into blocks and packs the weights of all
// entries of b, if they are convolutions.
func (q *quadGather) complete(o *Gather, b *batch) {
	run := uint32(0)
	for _, r := range o.runs() {
		for c0 := uint32(0); c0 < r[0].C(); c0 += q.outs {
			q.blocks = append(q.blocks, quadBlock{run + c0, min(q.outs, r[0].C()-c0)})
		}
		run += r[0].C()
	}
	q.table = o.Env.Tables.Add(o.Label+"/quad_readers", len(b.entries)*len(q.blocks)*quadEntryWords)
	if b.source != fromConv {
		return
	}
	var jobs []packJob
	inputs := uint32(0)
	for _, e := range b.entries {
		for _, k := range q.blocks {
			r := o.Readers[e.reader]
			jobs = append(jobs, r.turned(e.k0, e.dy.C(), r.C0+k.c0, k.n))
			inputs += e.dy.C()
		}
	}
	q.pack = newQuadPack(o.Env, o.Label+"/gather", q.shape, q.outs, inputs, len(jobs))
	q.pack.pack(jobs)
}

// weights returns the packed weights of entry e for n channels from c0 on, which
// must be whole blocks.
func (q *quadGather) weights(e entry, c0, n uint32) View {
	lo := 0
	for q.blocks[lo].c0 < c0 {
		lo++
	}
	hi := lo
	for hi < len(q.blocks) && q.blocks[hi].c0 < c0+n {
		hi++
	}
	return q.pack.view(e.index*len(q.blocks)+lo, e.index*len(q.blocks)+hi)
}

// packSteps packs the weights of all readers whose batch has the quad form, and
// begins their tables.
func (o *Gather) packSteps() []Step {
	var steps []Step
	for _, b := range o.batches {
		if b.quad == nil {
			continue
		}
		b.quad.words = nil
		if b.quad.pack != nil {
			steps = append(steps, b.part(b.quad.pack.steps(o.Env))...)
		}
	}
	return steps
}

// setQuadTables fills the tables that the steps have made.
func (o *Gather) setQuadTables() {
	for _, b := range o.batches {
		if b.quad != nil {
			o.Env.Tables.Set(b.quad.table, b.quad.words)
		}
	}
}

// quadSteps returns the dispatches of the entries es for the planes run of X and
// G, c0 of which come before: one for every block of channels.
func (o *Gather) quadSteps(b *batch, es []entry, c0 uint32, run []View, first bool) []Step {
	var steps []Step
	for _, k := range b.quad.blocks {
		if k.c0 >= c0 && k.c0 < c0+run[0].C() {
			lo := k.c0 - c0
			steps = append(steps, o.quadStep(b, es, k, run[0].Slice(lo, lo+k.n), run[1].Slice(lo, lo+k.n), first))
		}
	}
	return steps
}

// quadStep gathers the channels x of block k into g.
func (o *Gather) quadStep(b *batch, es []entry, k quadBlock, x, g View, first bool) Step {
	q, in := b.quad, o.bound(b, es, k.c0, x)
	lo := uint32(len(q.words))
	q.words = append(q.words, quadEntries(es, in)...)
	before := g
	if first { // nothing is there that may be read: x stands in for it, unread
		before = x
	}
	table, stats := Planes{q.table.View(lo, uint32(len(q.words)))}, Planes{o.Stats}
	push := shaders.QuadGatherPush{
		Width: x.Block.W, Height: x.Block.H, Columns: q.shape.units, Table: table.Base(table[0]) / 4, Readers: uint32(len(es)), K: k.n,
		Stats: stats.Base(o.Stats)/4 + k.c0, Acc: flag(!first), X: where(x), G: where(g),
	}
	args := []Planes{table, in[0], in[1], in[2], {x}, stats, in[3], {before}, {g}}
	if b.source != fromConv {
		return o.handedStep(b, push, es[0].dy, slices.Delete(args, 2, 3)) // there are no weights
	}
	s := Step{Label: o.Label + "/quad_gather", Args: args, Groups: [3]uint32{q.shape.groups(), 1, 1}}
	var inputs []uint32
	for _, e := range es {
		inputs = append(inputs, e.dy.C())
		s.MACs += b.dataMACs(x.Block, e.dy.Block, k.n, e.dy.C())
	}
	s.Spec = q.shape.spec(q.outs, k.n, inputs...)
	s.Kernel, s.Push = quadGatherPush(q.shape, push, uint32(es[0].dy.Block.Plane()/4))
	return s
}

// handedStep is the step of readers without a convolution, whose gradients lie like dy.
func (o *Gather) handedStep(b *batch, p shaders.QuadGatherPush, dy View, args []Planes) Step {
	q := b.quad
	return Step{
		Label: o.Label + "/quad_handed_gather", Kernel: &shaders.QuadHandedGather, Args: args, Groups: [3]uint32{q.shape.groups(), 1, 1},
		Spec: []uint32{q.shape.lanes, q.outs, flag(b.source == fromHead), flag(!q.shape.whole() || p.K < q.outs)},
		Push: &shaders.QuadHandedGatherPush{Quads: q.shape.units, Image: p.Width * p.Height / 4, DY: uint32(dy.Block.Plane()),
			Table: p.Table, Readers: p.Readers, K: p.K, Stats: p.Stats, Acc: p.Acc, X: p.X, G: p.G},
	}
}

// quadGatherPush returns the kernel of a gather for shape s, and its push
// constants: p for 3x3 readers, the like with quads per plane of dy for 1x1.
func quadGatherPush(s quadShape, p shaders.QuadGatherPush, dy uint32) (*shaders.Kernel, any) {
	if !s.point {
		return &shaders.QuadGather, &p
	}
	return &shaders.QuadPointGather, &shaders.QuadPointGatherPush{Quads: s.units, Row: s.row, DY: dy,
		Table: p.Table, Readers: p.Readers, K: p.K, Stats: p.Stats, Acc: p.Acc, X: p.X, G: p.G}
}

// quadEntries returns the table of a dispatch: for each entry the first element
// of its dy, its planes, the first texel of its weights and of its links, and its
// first pair of partial sums. The run of quad_gather.glsl reads it.
func quadEntries(es []entry, in []Planes) []uint32 {
	dy, w, links, partial := in[0].Bases(), in[1].Bases(), in[2].Bases(), in[3].Bases()
	var words []uint32
	for i, e := range es {
		words = append(words, dy[i], e.dy.C(), w[i]/4, links[i]/4, partial[i]/2, 0, 0, 0)
	}
	return words
}
