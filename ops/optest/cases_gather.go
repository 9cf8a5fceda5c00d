package optest

import (
	"fmt"

	"sparsevk/ops"
	"sparsevk/ops/ref"
)

func init() {
	Register("gather", gatherCases)
	Register("finalise", finaliseCases)
}

// A gatherReader is a reader of a case: k outputs of cj channels, of which the
// map's begin at c0. Without a window it is a head, and k is unused.
type gatherReader struct {
	k, cj, c0 int
	g         ref.Geometry
	act       bool
}

var head = ref.Geometry{}

// gatherCases: one pixel; tiles of 6 channels by 2 rows by 4 columns met, less
// one and plus one; more tiles than a workgroup has lanes; several readers of one
// window and of different ones in between; heads; transitions over odd sizes;
// stride 2; readers without batch norm before and after; ranges that cut the map
// and the gradients.
func gatherCases() []Case {
	full := uint64(ops.DefaultRange)
	return []Case{
		plainGather(1, [4]int{1, 1, 1, 1}, full, gatherReader{1, 1, 0, point, true}),
		plainGather(2, [4]int{6, 2, 8, 8}, full, gatherReader{12, 6, 0, same3, true}),
		plainGather(3, [4]int{5, 3, 7, 7}, full, gatherReader{5, 9, 2, same3, true}, gatherReader{0, 7, 1, head, true},
			gatherReader{3, 5, 0, same3, true}, gatherReader{4, 8, 3, pooling, true}),
		plainGather(4, [4]int{7, 2, 5, 9}, full, gatherReader{6, 7, 0, point, true}, gatherReader{3, 9, 1, same3, false}, gatherReader{5, 7, 0, point, false}),
		plainGather(5, [4]int{12, 9, 16, 16}, full, gatherReader{3, 24, 12, same3, true}, gatherReader{2, 12, 0, same3, true}),
		plainGather(6, [4]int{12, 16, 16, 16}, full, gatherReader{2, 12, 0, pooling, true}, gatherReader{0, 12, 0, head, true}),
		plainGather(7, [4]int{2, 2, 9, 6}, full, gatherReader{5, 3, 1, square(3, 2, 1), true}, gatherReader{3, 2, 0, square(5, 1, 2), true}),
		plainGather(8, [4]int{13, 2, 8, 8}, 6*4*128+ops.Align, gatherReader{9, 15, 2, same3, true}, gatherReader{3, 13, 0, pooling, true},
			gatherReader{0, 14, 1, head, true}, gatherReader{7, 13, 0, point, true}, gatherReader{8, 13, 0, point, false}),
	}
}

func plainGather(seed uint64, s [4]int, limit uint64, readers ...gatherReader) Case {
	return gatherIn(envOf(limit), "", seed, s, readers)
}

// gatherIn is a gather in env, in variant v unless that is empty, with all that it
// leaves.
func gatherIn(env *ops.Env, v ops.Variant, seed uint64, s [4]int, readers []gatherReader) Case {
	return gatherOf(forced(env, v), ops.FP32, v, seed, s, readers)
}

// gatherOf is gatherIn for forms that the precision of maps is a condition of.
func gatherOf(env *ops.Env, p ops.Precision, v ops.Variant, seed uint64, s [4]int, readers []gatherReader) Case {
	c, made, want, plus := gatherCase(seed, s, env, p, readers)
	c.Out = nearGather(made, want, plus)
	if v.Winograd() {
		c.Out = gatherWants(made, want, plus)
	}
	return c
}

// nearGather demands what a gather writes, in forms that add products up.
func nearGather(o *ops.Gather, want ref.Gathered, plus *ops.Block) []Want {
	out := []Want{wants("g", o.G, want.G), wants("coef", o.Coef.All(), want.Coef)}
	if o.Plus.Block != nil {
		out = append(out, wants("plus", plus.All(), want.Plus))
	}
	for i, r := range o.Readers {
		if r.Act {
			out = append(out, wants(r.Label+" dgamma", r.DGamma, want.DGamma[i]), wants(r.Label+" dbeta", r.DBeta, want.DBeta[i]))
		}
	}
	return out
}

// gatherCase returns a case without outputs, the op, what it must give, and the
// block behind its Plus. Forms that it is a condition of see the precision.
func gatherCase(seed uint64, s [4]int, env *ops.Env, p ops.Precision, readers []gatherReader) (Case, *ops.Gather, ref.Gathered, *ops.Block) {
	r := NewRand(seed)
	x, g, plus := block("x", s), block("g", s), block("plus", s)
	x.Precision, plus.Precision = p, p
	stats, coef := ops.NewStatsBlock("stats", uint32(s[0])), vector("coef", 4*s[0])
	values := r.normal(x)
	op := ops.Gather{Env: env, Label: "gather", X: x.All(), G: g.All(), Coef: coef, Stats: stats.All()}
	c := Case{Name: fmt.Sprintf("%s_%d_readers_r%d", shapeName(s), len(readers), env.Range), Env: env}
	var want []ref.Reader
	for i, q := range readers {
		rd, rr, in := newReader(r, i, s, p, q)
		if !q.act {
			op.Plus = plus.All()
		}
		c.In, want, op.Readers = append(c.In, in...), append(want, rd), append(op.Readers, rr)
	}
	st := clearStats(r, values, want)
	c.In = append(c.In, holds(x.All(), values), holds(stats.All(), st.Words()))
	for i, rr := range op.Readers {
		if rr.Act {
			c.In = append(c.In, holds(rr.Links.All(), linkWords(want[i], st)))
		}
	}
	made := ops.NewGather(op)
	c.Steps = made.Steps
	return c, made, ref.Gather(values, st, want), plus
}

// newReader returns reader i of a map of shape s, for the reference and for the
// op, with the contents of its gradient and weights.
func newReader(r Rand, i int, s [4]int, p ops.Precision, q gatherReader) (ref.Reader, ops.Reader, []Input) {
	rd := ref.Reader{Geometry: q.g, C0: q.c0, GlobalPool: q.g == head}
	rr := ops.Reader{Label: fmt.Sprint("reader", i), Geometry: geometry(q.g), Act: q.act, GlobalPool: rd.GlobalPool, Cj: uint32(q.cj), C0: uint32(q.c0)}
	planes, h, w := q.cj, 1, 1
	if !rd.GlobalPool {
		h, w = q.g.Out(s[2], s[3])
		planes = q.k
	}
	dy := NewBlock(fmt.Sprintf("dy%d", i), planes, s[1], h, w)
	dy.Precision = p
	rd.DY, rr.DY = r.normal(dy), dy.All()
	in := []Input{holds(dy.All(), rd.DY)}
	if !rd.GlobalPool {
		weights := vector(fmt.Sprintf("w%d", i), q.k*q.cj*q.g.R*q.g.S)
		rd.W, rr.W = ref.Random(r.Rand, q.k, q.cj, q.g.R, q.g.S), weights.All()
		in = append(in, holds(weights.All(), rd.W))
	}
	if q.act {
		rd.Gamma, rd.Beta = r.scaled(vector("", q.cj), 1, 0), r.scaled(vector("", q.cj), 0.5, 0.2)
		rr.Links = vector(fmt.Sprintf("links%d", i), q.cj*ops.LinkWords)
		rr.DGamma, rr.DBeta = vector(fmt.Sprintf("dgamma%d", i), s[0]).All(), vector(fmt.Sprintf("dbeta%d", i), s[0]).All()
	}
	return rd, rr, in
}

// finaliseCases: one element; planes of less and of more than a row of workgroups
// takes at once; with and without readers that have no batch norm; runs of planes
// cut by a small range.
func finaliseCases() []Case {
	var cases []Case
	for i, s := range [][4]int{{1, 1, 1, 1}, {3, 2, 7, 7}, {2, 3, 32, 30}} {
		for _, plus := range []bool{false, true} {
			cases = append(cases, finaliseCase(uint64(i), s, ops.DefaultRange, plus))
		}
	}
	return append(cases, finaliseCase(9, [4]int{13, 3, 11, 5}, 2048, true), finaliseCase(9, [4]int{13, 3, 11, 5}, 2048, false))
}

func finaliseCase(seed uint64, s [4]int, limit uint64, withPlus bool) Case {
	r, env := NewRand(seed), envOf(limit)
	x, g, plus, coef := block("x", s), block("g", s), block("plus", s), vector("coef", 4*s[0])
	xs, gs, cs := r.normal(x), r.normal(g), r.normal(coef)
	op := ops.Finalise{Env: env, Label: "map", X: x.All(), G: g.All(), Coef: coef}
	c := Case{Name: fmt.Sprintf("%s_plus%t_r%d", shapeName(s), withPlus, limit), Env: env,
		In: []Input{holds(x.All(), xs), holds(g.All(), gs), holds(coef.All(), cs)}}
	var ps *ref.Tensor
	if withPlus {
		ps, op.Plus = r.normal(plus), plus.All()
		c.In = append(c.In, holds(plus.All(), ps))
	}
	c.Steps, c.Out = op.Steps, []Want{wants("dx", x.All(), ref.Finalise(xs, gs, cs, ps))}
	return c
}
