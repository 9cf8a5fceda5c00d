package ops

import "sparsevk/shaders"

// quadGather is the quad form of a batch of 3x3 readers.
type quadGather struct {
	shape  quadShape
	blocks []quadBlock
	pack   *quadPack // a job for every entry and block, in this order
	table  *Block    // entries of every block
	words  []uint32  // of the table, as the steps are made
}

// A quadBlock is channels [c0, c0+n) of the map, made by one dispatch; they lie
// in one run of Gather.runs.
type quadBlock struct{ c0, n uint32 }

const quadEntryWords = 8 // words of an entry in the table of quad_gather

// complete cuts the channels of the map into blocks and packs the weights of all
// entries of b.
func (q *quadGather) complete(o *Gather, b *batch) {
	outs, run := quadOuts(o.X.C()), uint32(0)
	for _, r := range o.runs() {
		for c0 := uint32(0); c0 < r[0].C(); c0 += outs {
			q.blocks = append(q.blocks, quadBlock{run + c0, min(outs, r[0].C()-c0)})
		}
		run += r[0].C()
	}
	var jobs []packJob
	for _, e := range b.entries {
		for _, k := range q.blocks {
			r := o.Readers[e.reader]
			r.C0 += k.c0
			jobs = append(jobs, turned(r, e.k0, e.dy.C(), k.n, outs)...)
		}
	}
	q.pack = newQuadPack(o.Env, o.Label+"/gather", outs, jobs)
	q.table = o.Env.Tables.Add(o.Label+"/quad_readers", len(jobs)*quadEntryWords)
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
		if b.quad != nil {
			b.quad.words = nil
			steps = append(steps, b.quad.pack.steps(o.Env)...)
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

// quadStep gathers the channels xv of block k into gv.
func (o *Gather) quadStep(b *batch, es []entry, k quadBlock, xv, gv View, first bool) Step {
	q, in := b.quad, o.bound(b, es, k.c0, xv)
	lo := uint32(len(q.words))
	q.words = append(q.words, quadEntries(es, in)...)
	table := Planes{q.table.View(lo, uint32(len(q.words)))}
	x, g, st := Planes{xv}, Planes{gv}, Planes{o.Stats}
	push := shaders.QuadGatherPush{
		Width: xv.Block.W, Height: xv.Block.H, Columns: q.shape.columns, Table: table.Base(table[0]) / 4, Readers: uint32(len(es)), K: k.n,
		Stats: st.Base(o.Stats)/4 + k.c0, X: push(x, xv), G: push(g, gv),
	}
	s := Step{
		Label: o.Label + "/quad_gather", Kernel: &shaders.QuadGather, Spec: q.shape.spec(q.pack.outs, k.n),
		Args: []Planes{table, in[0], in[1], in[2], x, st, g, in[3]}, Push: &push, Groups: [3]uint32{q.shape.groups(), 1, 1},
	}
	for _, e := range es {
		s.MACs += b.dataMACs(xv.Block, e.dy.Block, k.n, e.dy.C())
	}
	if !first {
		acc := shaders.QuadGatherAccPush(push)
		s.Kernel, s.Push = &shaders.QuadGatherAcc, &acc
	}
	return s
}

// quadEntries returns the table of a dispatch: for each entry the first element
// of its dy, its planes, the first texel of its weights and of its links, and its
// first pair of partial sums. shaders/quad_gather.glsl reads it.
func quadEntries(es []entry, in []Planes) []uint32 {
	var words []uint32
	for i, e := range es {
		words = append(words, in[0].Base(in[0][i]), e.dy.C(), in[1].Base(in[1][i])/4, in[2].Base(in[2][i])/4, in[3].Base(in[3][i])/2, 0, 0, 0)
	}
	return words
}
