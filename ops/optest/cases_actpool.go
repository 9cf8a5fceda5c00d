package optest

import (
	"fmt"

	"sparsevk/ops"
	"sparsevk/ops/ref"
)

func init() {
	Register("actpool", actPoolCases)
	Register("actmaxpool", actMaxPoolCases)
	Register("actmaxgather", actMaxGatherCases)
}

// activated returns an input of the given shape [C][N][H][W], or of several views
// of it, with links, and what memory holds; values are such that neither a mask
// nor a maximum is in doubt.
func activated(r Rand, env *ops.Env, s [4]int, many bool) (x ops.Planes, in []Input, links *ops.Links, values []*ref.Tensor, l *ref.Links) {
	x, blocks := convShape{c: s[0], n: s[1], h: s[2], w: s[3]}.views(many)
	run, held := &convRun{}, map[*ops.Block]*ref.Tensor{}
	for _, b := range blocks {
		held[b] = r.distinct(int(b.C), int(b.N), int(b.H), int(b.W))
	}
	run.activate(r, env, x, held)
	for _, b := range blocks {
		run.input = append(run.input, holds(b.All(), held[b]))
	}
	for _, v := range x {
		values = append(values, held[v.Block].Slice(int(v.Lo), int(v.Hi)))
	}
	return x, run.input, run.links, values, run.l
}

// actPoolCases: one element; images that end before, at and after a sum of 32;
// one more plane and image than a workgroup has invocations; several views, with
// a plane between that nobody reads; ranges that cut the input.
func actPoolCases() []Case {
	var cases []Case
	for i, s := range [][4]int{{1, 1, 1, 1}, {3, 2, 4, 8}, {5, 3, 7, 7}, {13, 5, 3, 11}, {4, 3, 8, 8}} {
		for _, limit := range []uint64{ops.DefaultRange, 2048} {
			cases = append(cases, actPool(uint64(i), s, limit, s[0] > 2))
		}
	}
	return cases
}

func actPool(seed uint64, s [4]int, limit uint64, many bool) Case {
	env, y := envOf(limit), NewBlock("y", s[0], s[1], 1, 1)
	x, in, links, values, l := activated(NewRand(seed), env, s, many)
	op := ops.ActPool{Env: env, Label: "head", X: x, Links: links.Out, Y: y.All()}
	return Case{Name: fmt.Sprintf("%s_views%t_r%d", shapeName(s), many, limit), Env: env, In: in,
		Steps: func() []ops.Step { return append(links.Steps(), op.Forward()...) },
		Out:   []Want{wants("y", y.All(), ref.ActPool(values, *l))}}
}

// actMaxShapes: the stem's window over even, odd and unequal sizes, larger than a
// workgroup, and one pixel; windows with gaps, that touch, and that reach far into
// the padding.
var actMaxShapes = []pooled{
	{[4]int{3, 2, 14, 14}, ref.Window{R: 3, S: 3, Stride: 2, Pad: 1}},
	{[4]int{5, 1, 7, 9}, ref.Window{R: 3, S: 3, Stride: 2, Pad: 1}},
	{[4]int{4, 3, 19, 15}, ref.Window{R: 3, S: 3, Stride: 2, Pad: 1}},
	{[4]int{2, 3, 1, 1}, ref.Window{R: 3, S: 3, Stride: 2, Pad: 1}},
	{[4]int{3, 2, 8, 8}, ref.Window{R: 2, S: 2, Stride: 2}},
	{[4]int{2, 1, 11, 5}, ref.Window{R: 2, S: 2, Stride: 3}},
	{[4]int{2, 2, 6, 7}, ref.Window{R: 5, S: 4, Stride: 3, Pad: 2}},
}

func actMaxPoolCases() []Case {
	var cases []Case
	for i, p := range actMaxShapes {
		cases = append(cases, actMaxForward(uint64(i), p, ops.DefaultRange), actMaxBackward(uint64(i), p, ops.DefaultRange))
	}
	return append(cases, actMaxForward(20, actMaxShapes[1], 768), actMaxBackward(21, actMaxShapes[1], 768),
		actMaxForward(23, pooled{[4]int{3, 1, 4, 4}, ref.Window{R: 4, S: 4, Stride: 1, Pad: 3}}, 512)) // an output that is larger than its input
}

// actMaxGatherCases: the same windows, and a range that cuts the map.
func actMaxGatherCases() []Case {
	var cases []Case
	for i, p := range actMaxShapes {
		cases = append(cases, actMaxGather(uint64(i), p, envOf(ops.DefaultRange)))
	}
	return append(cases, actMaxGather(22, actMaxShapes[1], envOf(1024)))
}

func actMaxForward(seed uint64, p pooled, limit uint64) Case {
	env, y := envOf(limit), p.out("y")
	x, in, links, values, l := activated(NewRand(seed), env, p.s, p.s[0] > 2)
	op := ops.ActMaxPool{Env: env, Label: "stem", Window: p.window(), X: x, Links: links.Out, Y: y.All()}
	return Case{Name: "fwd_" + p.name(limit, false), Env: env, In: in,
		Steps: func() []ops.Step { return append(links.Steps(), op.Forward()...) },
		Out:   []Want{wants("y", y.All(), ref.BNPool(p.w, ref.Concat(values...), *l))}}
}

// actMaxBackward takes the gradient of the activated input: all planes but the
// first, as a gather of a group of planes does.
func actMaxBackward(seed uint64, p pooled, limit uint64) Case {
	env, dy, r := envOf(limit), p.out("dy"), NewRand(seed)
	x, in, links, values, l := activated(r, env, p.s, false)
	dz, grad := NewBlock("dz", p.s[0]-1, p.s[1], p.s[2], p.s[3]), r.normal(dy)
	op := ops.ActMaxPool{Env: env, Label: "stem", Window: p.window(), X: x, Links: links.Out, DY: dy.All()}
	want := ref.MaxPoolBackward(p.w, ref.Activate(values[0], *l), grad)
	return Case{Name: "bwd_" + p.name(limit, false), Env: env, In: append(in, holds(dy.All(), grad)),
		Steps: func() []ops.Step {
			return append(links.Steps(), op.BackwardData(x[0].Slice(1, x.C()), 1, dz.All())...)
		},
		Out: []Want{wants("dz", dz.All(), want.Slice(1, want.C))}}
}

// actMaxGather takes the gradient back to the map and its batch norm.
func actMaxGather(seed uint64, p pooled, env *ops.Env) Case {
	r, c := NewRand(seed), p.s[0]
	x, g, dz, dy := block("x", p.s), block("g", p.s), block("dz", p.s), p.out("dy")
	stats, coef, links := ops.NewStatsBlock("stats", uint32(c)), vector("coef", 4*c), vector("links", c*ops.LinkWords)
	dgamma, dbeta := vector("dgamma", c), vector("dbeta", c)
	values, grad := r.distinct(c, p.s[1], p.s[2], p.s[3]), r.normal(dy)
	reader := ref.Reader{Gamma: r.scaled(dgamma, 1, 0), Beta: r.scaled(dbeta, 0.5, 0.2)}
	st := clearStats(r, values, []ref.Reader{reader})
	pool := ops.ActMaxPool{Env: env, Label: "stem", Window: p.window(), Links: links, DY: dy.All()}
	gather := ops.NewGather(ops.Gather{Env: env, Label: "map", X: x.All(), G: g.All(), Coef: coef, Stats: stats.All(), Readers: []ops.Reader{{
		Label: "stem", Direct: true, Act: true, DY: dz.All(), Cj: uint32(c), Links: links, DGamma: dgamma.All(), DBeta: dbeta.All(),
	}}})
	finalise := ops.Finalise{Env: env, Label: "map", X: x.All(), G: g.All(), Coef: coef}
	dx, wantGamma, wantBeta := ref.BNPoolBackward(p.w, values, st, reader.Gamma, reader.Beta, grad)
	return Case{Name: "gather_" + p.name(env.Range, false), Env: env,
		In: []Input{holds(x.All(), values), holds(dy.All(), grad), holds(stats.All(), st.Words()), holds(links.All(), linkWords(reader, st))},
		Steps: func() []ops.Step {
			return append(append(pool.BackwardData(x.All(), 0, dz.All()), gather.Steps()...), finalise.Steps()...)
		},
		Out: []Want{wants("dx", x.All(), dx), wants("dgamma", dgamma.All(), wantGamma), wants("dbeta", dbeta.All(), wantBeta)}}
}
