package optest

import (
	"slices"

	"sparsevk/ops"
	"sparsevk/ops/ref"
)

func init() {
	for _, c := range quadClasses {
		Register(c.String()+"_gather", func() []Case { return quadGatherCases(c) })
	}
}

// quadGatherCases: one reader, four; blocks of 4, 8 and 12 channels, with idle
// ones; idle lanes; rows that cross subgroups; 2 rows; readers of other
// geometries before and after; readers without batch norm; a range that cuts the
// map, the gradients and the weights. Without convolution: heads, two of them, with
// idle channels and idle lanes; a max pooling behind batch norm.
func quadGatherCases(class ops.Class) []Case {
	full := int(ops.DefaultRange)
	return []Case{
		quadGather(class, 1, [4]int{12, 2, 32, 32}, full, gatherReader{12, 12, 0, same3, true}),
		quadGather(class, 2, [4]int{12, 4, 16, 16}, full, gatherReader{12, 36, 12, same3, true}, gatherReader{5, 24, 5, same3, true},
			gatherReader{12, 24, 12, same3, true}, gatherReader{1, 12, 0, same3, true}),
		quadGather(class, 3, [4]int{7, 3, 8, 8}, full, gatherReader{8, 9, 2, same3, true}, gatherReader{3, 7, 0, same3, false}, gatherReader{4, 8, 1, same3, false}),
		quadGather(class, 4, [4]int{16, 3, 6, 12}, full, gatherReader{4, 16, 0, pooling, true}, gatherReader{4, 20, 3, same3, true}, gatherReader{3, 16, 0, point, true}),
		quadGather(class, 7, [4]int{24, 2, 8, 8}, full, gatherReader{13, 24, 0, point, true}, gatherReader{48, 72, 24, point, true}),
		quadGather(class, 8, [4]int{12, 2, 16, 16}, full, gatherReader{36, 36, 12, pooling, true}, gatherReader{5, 12, 0, point, true}),
		quadGather(class, 5, [4]int{12, 1, 4, 64}, full, gatherReader{6, 12, 0, same3, true}, gatherReader{6, 12, 0, point, false}),
		quadGather(class, 6, [4]int{30, 2, 16, 16}, 24*4*512+ops.Align, gatherReader{27, 33, 3, same3, true}, gatherReader{26, 30, 0, same3, true}),
		quadGather(class, 9, [4]int{12, 8, 8, 8}, full, gatherReader{0, 40, 25, head, true}, gatherReader{0, 12, 0, head, true}),
		quadGather(class, 10, [4]int{20, 4, 8, 8}, full, gatherReader{0, 33, 6, head, true}, gatherReader{4, 20, 0, same3, true}),
		quadGather(class, 11, [4]int{7, 3, 6, 6}, full, gatherReader{0, 9, 1, head, true}),
		quadGather(class, 12, [4]int{30, 2, 8, 8}, 24*4*128+ops.Align, gatherReader{0, 31, 1, head, true}, gatherReader{3, 30, 0, point, true}),
		quadMaxGather(class, 13, actMaxShapes[0]),
		quadMaxGather(class, 14, actMaxShapes[4]),
	}
}

// quadMaxGather is a gather from a max pooling behind batch norm.
func quadMaxGather(class ops.Class, seed uint64, p pooled) Case {
	c := actMaxGather(seed, p, classOf(class, ops.DefaultRange))
	mustBeQuad(c)
	return c
}

func quadGather(class ops.Class, seed uint64, s [4]int, limit int, readers ...gatherReader) Case {
	c, made, want, plus := gatherCase(seed, s, classOf(class, uint64(limit)), ops.FP32, readers)
	c.Out = gatherWants(made, want, plus)
	mustBeQuad(c)
	return c
}

// clearStats moves the values of x away from the kinks of all readers and returns
// their statistics.
func clearStats(r Rand, x *ref.Tensor, readers []ref.Reader) ref.Stats {
	for range 4 { // moving values moves the statistics, by less each time
		st := ref.BatchStats(x).Round()
		var links []ref.Links
		for _, q := range readers {
			if q.Gamma != nil {
				links = append(links, ref.NewLinks(st, q.Gamma.Slice(q.C0, q.C0+x.C), q.Beta.Slice(q.C0, q.C0+x.C)))
			}
		}
		r.clear(x, 2e-3, links...)
	}
	return ref.BatchStats(x).Round()
}

// linkWords are the links of a reader: of its own numbers all, of the statistics
// those of the map's channels.
func linkWords(r ref.Reader, st ref.Stats) *ref.Tensor {
	t := ref.New(r.Gamma.C*ops.LinkWords, 1, 1, 1)
	for c := range st.Mean.C {
		at := (r.C0 + c) * ops.LinkWords
		t.Data[at+ops.LinkMean], t.Data[at+ops.LinkIstd] = st.Mean.Data[c], st.Istd.Data[c]
	}
	for c := range r.Gamma.C {
		t.Data[c*ops.LinkWords+ops.LinkGamma], t.Data[c*ops.LinkWords+ops.LinkBeta] = r.Gamma.Data[c], r.Beta.Data[c]
	}
	return t
}

// gatherWants demands what a gather writes, by Winograd's algorithm too.
func gatherWants(o *ops.Gather, want ref.Gathered, plus *ops.Block) []Want {
	out := []Want{wants("g", o.G, want.G)}
	if o.Plus.Block != nil {
		out = append(out, wants("plus", plus.All(), want.Plus))
	}
	for i := range out {
		widen(&out[i])
	}
	scalars := []Want{wants("coef", o.Coef.All(), ref.From(4*want.Coef.C, 1, 1, 1, want.Coef.Data))}
	scalars[0].Mag = want.Coef.Mag
	for i, r := range o.Readers {
		if r.Act {
			scalars = append(scalars, wants(r.Label+" dgamma", r.DGamma, want.DGamma[i]), wants(r.Label+" dbeta", r.DBeta, want.DBeta[i]))
		}
	}
	for i := range scalars {
		scalars[i].Tolerance = Tolerance{C: winogradSlack}
	}
	return slices.Concat(out, scalars)
}
