package ops

import (
	"slices"

	"sparsevk/shaders"
)

// bound returns what a gather of the entries es binds for channels run of the
// map, c0 of which come before: dy, w, links and partial sums.
func (o *Gather) bound(b *batch, es []entry, c0 uint32, run View) []Planes {
	var dy, w, links, partial Planes
	for _, e := range es {
		dy, w = append(dy, o.gradient(b, e, c0, run)), append(w, o.weights(b, e, c0, run))
		links = append(links, o.links(e.reader, c0, run.C()))
		partial = append(partial, o.pairs(b, e, 1).slice(c0, run.C()))
	}
	return []Planes{dy, w, links, partial}
}

// gradient returns the planes of dy that an entry reads.
func (o *Gather) gradient(b *batch, e entry, c0 uint32, run View) View {
	if b.source != fromConv {
		return e.dy.Slice(c0, c0+run.C())
	}
	return e.dy
}

// weights returns the weights that an entry reads; what is no convolution has none
// and binds one word of its links instead.
func (o *Gather) weights(b *batch, e entry, c0 uint32, run View) View {
	r := o.Readers[e.reader]
	if b.source != fromConv {
		return r.Links.View(0, 1)
	}
	if b.quad != nil {
		return b.quad.weights(e, c0, run.C())
	}
	w, _ := r.weightsOf(e.k0, e.dy.C(), r.C0+c0, run.C())
	return w
}

// links returns the links of reader i for n channels of the map from c0 on.
func (o *Gather) links(i int, c0, n uint32) View {
	r := o.Readers[i]
	return r.Links.View((r.C0+c0)*LinkWords, (r.C0+c0+n)*LinkWords)
}

// sums is where partial sums lie: pairs of words, per channel the given number.
type sums struct {
	View
	perChannel uint32
}

// pairs returns the partial sums of an entry and those that follow it, parts in all.
func (o *Gather) pairs(b *batch, e entry, parts uint32) sums {
	n := o.X.C() * b.sums()
	return sums{o.partial.View(2*e.partial, 2*(e.partial+parts*n)), b.sums()}
}

// slice returns the sums of n channels from c on.
func (s sums) slice(c, n uint32) View {
	return s.Slice(2*c*s.perChannel, 2*(c+n)*s.perChannel)
}

// sums returns the partial sums that a batch leaves per entry and channel.
func (b *batch) sums() uint32 { return b.groups[0] * b.groups[2] }

// gatherStep returns the dispatch of the entries es for the planes run of X and G.
func (o *Gather) gatherStep(b *batch, es []entry, c0 uint32, run []View, first bool, table uint32) Step {
	in := o.bound(b, es, c0, run[0])
	x, g, x0 := Planes{run[0]}, Planes{run[1]}, o.X.Block
	words := Planes{o.table.View(table, table+uint32(len(es))*gatherWords)}
	push := shaders.ConvGatherPush{
		X: push(x, run[0]), G: push(g, run[1]), C: run[0].C(), Table: words.Base(words[0]), Readers: uint32(len(es)), Add: flag(!first),
		N: x0.N, H: x0.H, W: x0.W, P: b.p, Q: b.q,
	}
	groups := b.groups
	if b.form != PlainForm {
		groups[1] = b.shape.groups(run[0].C())[1]
		kernel, push := b.shape.gather(shaders.TileGatherPush(push))
		s := Step{
			Label: o.Label + "/" + kernel.Name, Kernel: kernel, Form: b.form, Spec: b.shape.spec(), Shared: b.shape.shared(), Lanes: b.shape.subgroup(),
			Args: []Planes{in[0], in[1], in[2], x, words, g, in[3]}, Push: push, Groups: groups,
		}
		for _, e := range es {
			s.MACs += b.dataMACs(x0, e.dy.Block, run[0].C(), e.dy.C())
		}
		return s
	}
	groups[1] = ceilDiv(run[0].C(), b.tile.kt)
	s := Step{
		Label: o.Label + "/conv_gather", Kernel: &shaders.ConvGather, Spec: append(b.tile.spec(b.Geometry), uint32(b.source)),
		Args: []Planes{in[0], in[1], in[2], x, words, g, in[3]}, Push: &push, Groups: groups,
	}
	for _, e := range es {
		if b.source == fromConv {
			s.MACs += b.dataMACs(x0, e.dy.Block, run[0].C(), e.dy.C())
		}
	}
	return s
}

// gatherEntries returns the table of gatherStep; shaders/conv_gather.comp names its words.
func (o *Gather) gatherEntries(b *batch, es []entry, c0 uint32, run View) []uint32 {
	in := o.bound(b, es, c0, run)
	dy, w, links, partial := in[0].Bases(), in[1].Bases(), in[2].Bases(), in[3].Bases()
	var words []uint32
	for i, e := range es {
		row := uint32(0)
		if b.source == fromConv {
			row = o.Readers[e.reader].Cj * b.taps()
		}
		words = append(words, dy[i], e.dy.C(), w[i], row, links[i]/LinkWords, partial[i]/2)
	}
	return words
}

// merged is what the merge needs of one reader: the first of its entries, which
// follow each other, and their number.
type merged struct {
	b     *batch
	first entry
	parts uint32
}

func (o *Gather) merged() []merged {
	var out []merged
	for _, b := range o.batches {
		for _, e := range b.entries {
			if k := len(out) - 1; k >= 0 && out[k].first.reader == e.reader {
				out[k].parts++
				continue
			}
			out = append(out, merged{b, e, 1})
		}
	}
	return out
}

// mergeSteps returns the dispatches of gather_merge and the table words with
// theirs behind.
func (o *Gather) mergeSteps(words []uint32) ([]Step, []uint32) {
	var steps []Step
	words = append(words, make([]uint32, ceil4(len(words))-len(words))...)
	all := o.merged()
	parts := o.parts(len(all), func(i int) []Planes { return o.mergeBound(all[i : i+1]) })
	for i, part := range parts {
		ms := all[part[0]:part[1]]
		in := o.mergeBound(ms)
		table := Planes{o.table.View(uint32(len(words)), uint32(len(words)+len(ms)*mergeWords))}
		stats, coef := Planes{o.Stats}, Planes{o.Coef.All()}
		push := shaders.GatherMergePush{
			Readers: uint32(len(ms)), Table: table.Base(table[0]), First: flag(i == 0 && !o.Begun), Last: flag(i == len(parts)-1 && !o.Open),
			M: uint32(o.X.Block.Plane()), Stats: stats.Base(o.Stats), Coef: coef.Base(coef[0]),
		}
		step := Step{
			Label: o.Label + "/gather_merge", Kernel: &shaders.GatherMerge, Push: &push,
			Args:   []Planes{table, in[0], in[1], stats, coef, in[2]},
			Groups: [3]uint32{o.X.C(), 1, 1},
		}
		if o.Env.Class.Quads() && !slices.ContainsFunc(all, func(m merged) bool { return m.b.sums()%2 != 0 }) {
			quad := shaders.QuadGatherMergePush(push)
			quad.Table, quad.Stats, quad.Coef = push.Table/4, push.Stats/4, push.Coef/4
			step.Label, step.Kernel, step.Push, step.Spec = o.Label+"/quad_gather_merge", &shaders.QuadGatherMerge, &quad, []uint32{o.Env.Class.lanes()}
		}
		steps = append(steps, step)
		words = append(words, o.mergeEntries(ms)...)
	}
	return steps, words
}

// ceil4 returns the least multiple of 4 that is not below n: whole texels.
func ceil4(n int) int { return (n + 3) &^ 3 }

// mergeBound returns what a merge of ms binds: partial sums, links and gradients.
func (o *Gather) mergeBound(ms []merged) []Planes {
	var partial, links, grads Planes
	for _, m := range ms {
		r := o.Readers[m.first.reader]
		partial = append(partial, o.pairs(m.b, m.first, m.parts).View)
		links = append(links, o.links(m.first.reader, 0, o.X.C()))
		grads = append(grads, r.DGamma, r.DBeta)
	}
	return []Planes{partial, links, grads}
}

// mergeEntries returns the table of a merge; shaders/gather_merge.comp names its words.
func (o *Gather) mergeEntries(ms []merged) []uint32 {
	in := o.mergeBound(ms)
	partial, links, grads := in[0].Bases(), in[1].Bases(), in[2].Bases()
	var words []uint32
	for i, m := range ms {
		words = append(words, partial[i]/2, m.b.sums(), m.parts, o.X.C()*m.b.sums(), links[i]/LinkWords, grads[2*i], grads[2*i+1], 0)
	}
	return words
}
