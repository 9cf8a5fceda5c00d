package optest

import (
	"fmt"
	"slices"

	"sparsevk/ops"
	"sparsevk/ops/ref"
)

func init() { Register("quad_gather", quadGatherCases) }

// A quadReader is a reader of a case: k outputs of cj channels, of which the
// map's begin at c0.
type quadReader struct {
	k, cj, c0 int
	g         ref.Geometry
	act       bool
}

// quadGatherCases: one reader, four; blocks of 4, 8 and 12 channels, with idle
// ones; idle lanes; rows that cross subgroups; 2 rows; readers of other
// geometries before and after; readers without batch norm; a range that cuts the
// map, the gradients and the weights.
func quadGatherCases() []Case {
	full := int(ops.DefaultRange)
	return []Case{
		quadGather(1, [4]int{12, 2, 32, 32}, full, quadReader{12, 12, 0, same3, true}),
		quadGather(2, [4]int{12, 4, 16, 16}, full, quadReader{12, 36, 12, same3, true}, quadReader{5, 24, 5, same3, true},
			quadReader{12, 24, 12, same3, true}, quadReader{1, 12, 0, same3, true}),
		quadGather(3, [4]int{7, 3, 8, 8}, full, quadReader{8, 9, 2, same3, true}, quadReader{3, 7, 0, same3, false}, quadReader{4, 8, 1, same3, false}),
		quadGather(4, [4]int{16, 3, 6, 12}, full, quadReader{4, 16, 0, pooling, true}, quadReader{4, 20, 3, same3, true}, quadReader{3, 16, 0, point, true}),
		quadGather(7, [4]int{24, 2, 8, 8}, full, quadReader{13, 24, 0, point, true}, quadReader{48, 72, 24, point, true}),
		quadGather(8, [4]int{12, 2, 16, 16}, full, quadReader{36, 36, 12, pooling, true}, quadReader{5, 12, 0, point, true}),
		quadGather(5, [4]int{12, 1, 4, 64}, full, quadReader{6, 12, 0, same3, true}, quadReader{6, 12, 0, point, false}),
		quadGather(6, [4]int{30, 2, 16, 16}, 12*4*512+ops.Align, quadReader{15, 33, 3, same3, true}, quadReader{14, 30, 0, same3, true}),
	}
}

func quadGather(seed uint64, s [4]int, limit int, readers ...quadReader) Case {
	r, env := NewRand(seed), classOf(ops.Quad, uint64(limit))
	x, g, plus := block("x", s), block("g", s), block("plus", s)
	stats, coef := ops.NewStatsBlock("stats", uint32(s[0])), vector("coef", 4*s[0])
	values := r.normal(x)
	op := ops.Gather{Env: env, Label: "gather", X: x.All(), G: g.All(), Coef: coef, Stats: stats.All()}
	c := Case{Name: fmt.Sprintf("%s_%d_readers_r%d", shapeName(s), len(readers), limit), Env: env}
	var want []ref.Reader
	var links []*ops.Block
	for i, q := range readers {
		p, w := q.g.Out(s[2], s[3])
		dy, weights := NewBlock(fmt.Sprintf("dy%d", i), q.k, s[1], p, w), vector(fmt.Sprintf("w%d", i), q.k*q.cj*q.g.R*q.g.S)
		rd := ref.Reader{Geometry: q.g, DY: r.normal(dy), W: ref.Random(r.Rand, q.k, q.cj, q.g.R, q.g.S), C0: q.c0}
		rr := ops.Reader{Label: fmt.Sprint("reader", i), Geometry: geometry(q.g), Act: q.act, DY: dy.All(), W: weights.All(), Cj: uint32(q.cj), C0: uint32(q.c0)}
		c.In = append(c.In, holds(dy.All(), rd.DY), holds(weights.All(), rd.W))
		if q.act {
			rd.Gamma, rd.Beta = r.scaled(vector("", q.cj), 1, 0), r.scaled(vector("", q.cj), 0.5, 0.2)
			rr.Links = vector(fmt.Sprintf("links%d", i), q.cj*ops.LinkWords)
			rr.DGamma, rr.DBeta = vector(fmt.Sprintf("dgamma%d", i), s[0]).All(), vector(fmt.Sprintf("dbeta%d", i), s[0]).All()
		} else {
			op.Plus = plus.All()
		}
		links = append(links, rr.Links)
		want, op.Readers = append(want, rd), append(op.Readers, rr)
	}
	st := clearStats(values, want)
	c.In = append(c.In, holds(x.All(), values), holds(stats.All(), st.Words()))
	for i, b := range links {
		if b != nil {
			c.In = append(c.In, holds(b.All(), linkWords(want[i], st)))
		}
	}
	made := ops.NewGather(op)
	c.Steps = made.Steps
	c.Out = gatherWants(made, ref.Gather(values, st, want), plus)
	return c
}

// clearStats moves the values of x away from the kinks of all readers and returns
// their statistics.
func clearStats(x *ref.Tensor, readers []ref.Reader) ref.Stats {
	for range 4 { // moving values moves the statistics, by less each time
		st := ref.BatchStats(x).Round()
		var links []ref.Links
		for _, r := range readers {
			if r.Gamma != nil {
				links = append(links, ref.NewLinks(st, r.Gamma.Slice(r.C0, r.C0+x.C), r.Beta.Slice(r.C0, r.C0+x.C)))
			}
		}
		ref.ClearKinks(x, 2e-3, links...)
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

// gatherWants demands what a gather writes.
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
