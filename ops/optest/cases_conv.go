package optest

import (
	"fmt"
	"slices"

	"sparsevk/ops"
	"sparsevk/ops/ref"
)

func init() {
	Register("conv", convCases)
	Register("links", linksCases)
}

// A convShape is a convolution of a case: [N][C][H][W] to K channels.
type convShape struct {
	n, c, h, w, k int
	g             ref.Geometry
}

func (s convShape) String() string {
	pool := ""
	if s.g.Pool {
		pool = "_pool"
	}
	return fmt.Sprintf("n%d_c%d_h%d_w%d_k%d_r%dx%d_s%d_p%d%s", s.n, s.c, s.h, s.w, s.k, s.g.R, s.g.S, s.g.Stride, s.g.Pad, pool)
}

func square(r, stride, pad int) ref.Geometry {
	return ref.Geometry{R: r, S: r, Stride: stride, Pad: pad}
}

var (
	same3   = square(3, 1, 1)
	point   = square(1, 1, 0)
	pooling = ref.Geometry{R: 1, S: 1, Stride: 1, Pool: true}
)

// convShapes: one of everything; tiles of 2 rows by 4 columns met exactly, less
// one and plus one; 12 output channels met exactly, less one, plus one, and in
// several blocks; primes; 7x7 and 8x8; H≠W; more tiles than a workgroup has
// lanes; windows of 1, 3, 5 and 7, one not square; stride 2 on odd and even
// sizes; no padding; pooling with a row and a column left over; enough strips
// for several splits of the weight gradient.
var convShapes = []convShape{
	{1, 1, 1, 1, 1, point},
	{1, 1, 1, 1, 1, same3},
	{1, 5, 2, 4, 12, same3},
	{2, 3, 3, 5, 11, same3},
	{2, 13, 7, 7, 13, same3},
	{3, 4, 8, 8, 24, same3},
	{1, 7, 5, 11, 40, same3},
	{16, 3, 16, 16, 5, same3},
	{2, 6, 9, 6, 12, square(3, 1, 0)},
	{2, 3, 8, 8, 5, square(3, 2, 1)},
	{1, 5, 7, 9, 24, square(3, 2, 1)},
	{2, 3, 9, 7, 5, square(5, 1, 2)},
	{2, 3, 15, 14, 13, square(7, 2, 3)},
	{1, 2, 6, 5, 3, ref.Geometry{R: 2, S: 3, Stride: 1, Pad: 1}},
	{2, 17, 8, 8, 12, point},
	{2, 40, 5, 3, 29, point},
	{2, 3, 8, 6, 5, square(1, 2, 0)},
	{3, 13, 8, 8, 12, pooling},
	{2, 24, 7, 5, 24, pooling},
	{16, 9, 16, 16, 7, pooling},
}

func convCases() []Case {
	var cases []Case
	for i, s := range convShapes { // each window with and without batch norm is more pipelines than a test should compile
		o := convOptions{seed: uint64(i), limit: ops.DefaultRange, act: i%2 == 0, bias: i%6 < 2, many: i%4 < 2 && s.c > 2}
		cases = append(cases, convForward(s, o), convWeights(s, o), convData(s, uint64(i), ops.DefaultRange, i%5 == 4))
	}
	// ranges that cut inputs, outputs and gradients into segments
	small := convOptions{seed: 40, limit: 4096, act: true, bias: true, many: true}
	cut := convShape{1, 5, 15, 16, 7, same3}
	cases = append(cases, convForward(cut, small), convWeights(cut, small), convData(cut, 41, 4096, true), convData(cut, 42, 4096, false))
	small.act = false
	return append(cases, convForward(cut, small), convWeights(cut, small))
}

type convOptions struct {
	seed      uint64
	limit     uint64
	act, bias bool
	class     ops.Class
	measure   bool          // leave the statistics of y
	many      bool          // read several views, out of order and from two blocks
	form      ops.Variant   // the variant of every kernel that has it; empty: what the class takes
	precision ops.Precision // of the maps, for forms that it is a condition of
	matrix    ops.Matrix    // what the device multiplies
}

// env returns the Env of a case.
func (o convOptions) env() *ops.Env {
	env := forced(classOf(o.class, o.limit), o.form)
	env.Matrix = o.matrix
	return env
}

func (o convOptions) String() string {
	return fmt.Sprintf("act%t_bias%t_views%t_r%d", o.act, o.bias, o.many, o.limit)
}

// views returns c channels in the shape of s: one block, or three views of two
// blocks in no order, with a plane between that nobody reads.
func (s convShape) views(many bool) (ops.Planes, []*ops.Block) {
	a := NewBlock("xa", s.c, s.n, s.h, s.w)
	if !many {
		return ops.Planes{a.All()}, []*ops.Block{a}
	}
	a.C = uint32(s.c)
	b := NewBlock("xb", 1, s.n, s.h, s.w)
	return ops.Planes{a.View(2, a.C), b.All(), a.View(0, 1)}, []*ops.Block{a, b}
}

// A convRun is a convolution with the contents of its inputs.
type convRun struct {
	op     *ops.Conv
	links  *ops.Links
	x      []*ref.Tensor
	l      *ref.Links
	w, b   *ref.Tensor
	dy     *ref.Tensor
	dw, db *ops.Block
	input  []Input
}

func geometry(g ref.Geometry) ops.Geometry {
	return ops.Geometry{R: uint32(g.R), S: uint32(g.S), Stride: uint32(g.Stride), Pad: uint32(g.Pad), Pool: g.Pool}
}

// forced returns env with variant v, unless it is empty, for every task that has it.
func forced(env *ops.Env, v ops.Variant) *ops.Env {
	if v != "" {
		env.Tuning = ops.Tuning{}
		for _, r := range []ops.Role{ops.ForwardRole, ops.DataRole, ops.GatherRole, ops.WeightsRole} {
			for _, g := range []ref.Geometry{same3, point, pooling} {
				if slices.Contains(ops.Variants(r), v) {
					env.Tuning[ops.Task{Role: r, Geometry: geometry(g)}.Family()] = v
				}
			}
		}
	}
	return env
}

// classOf returns an Env of a class of device with the given largest range.
func classOf(class ops.Class, limit uint64) *ops.Env {
	env := envOf(limit)
	env.Class = class
	return env
}

func newConv(s convShape, o convOptions) *convRun {
	r, run := NewRand(o.seed), &convRun{}
	x, blocks := s.views(o.many)
	p, q := s.g.Out(s.h, s.w)
	y, dy := NewBlock("y", s.k, s.n, p, q), NewBlock("dy", s.k, s.n, p, q)
	for _, b := range append(blocks, y, dy) {
		b.Precision = o.precision
	}
	w := NewBlock("w", s.k*s.c*s.g.R*s.g.S, 1, 1, 1)
	run.dw, run.db = like("dw", w), vector("db", s.k)
	run.w, run.dy = ref.Random(r.Rand, s.k, s.c, s.g.R, s.g.S), r.normal(dy)
	conv := ops.Conv{Env: o.env(), Label: "conv", Geometry: geometry(s.g), Act: o.act, Measure: o.measure, X: x,
		W: w.All(), Y: y.All(), DY: dy.All(), DW: run.dw.All()}
	values := map[*ops.Block]*ref.Tensor{}
	for _, b := range blocks {
		values[b] = r.normal(b)
	}
	if o.act {
		run.activate(r, conv.Env, x, values)
		conv.Links = run.links.Out
	}
	for _, v := range x {
		run.x = append(run.x, values[v.Block].Slice(int(v.Lo), int(v.Hi)))
	}
	for _, b := range blocks {
		run.input = append(run.input, holds(b.All(), values[b]))
	}
	run.input = append(run.input, holds(w.All(), run.w), holds(dy.All(), run.dy))
	if o.bias {
		b := vector("b", s.k)
		run.b, conv.B, conv.DB = r.normal(b), b.All(), run.db.All()
		run.input = append(run.input, holds(b.All(), run.b))
	}
	run.op = ops.NewConv(conv)
	return run
}

// activate makes the links of x, and values whose masks are in no doubt.
func (run *convRun) activate(r Rand, env *ops.Env, x ops.Planes, values map[*ops.Block]*ref.Tensor) {
	run.links, run.l = newLinks(r, env, x)
	run.input = append(run.input, linksInput(r, run.links, run.l)...)
	c := 0
	for _, v := range x {
		n := int(v.C())
		part := values[v.Block].Slice(int(v.Lo), int(v.Hi))
		r.clear(part, 1e-3, linksOf(*run.l, c, c+n))
		copy(values[v.Block].Data[int(v.Lo)*part.Plane():], part.Data)
		c += n
	}
}

// newLinks returns a Links op for x and random numbers for it.
func newLinks(r Rand, env *ops.Env, x ops.Planes) (*ops.Links, *ref.Links) {
	c := int(x.C())
	stats, gamma, beta := vector("stats", ops.StatWords*c), vector("gamma", c), vector("beta", c)
	l := &ref.Links{Mean: ref.New(c, 1, 1, 1), Istd: ref.New(c, 1, 1, 1), Gamma: r.scaled(gamma, 1, 0), Beta: r.scaled(beta, 0.5, 0.2)}
	op := ops.Links{Env: env, Label: "bn", X: x, Gamma: gamma.All(), Beta: beta.All()}
	at := uint32(0)
	for _, v := range x {
		op.Stats = append(op.Stats, stats.View(at, at+ops.StatWords*v.C()))
		at += ops.StatWords * v.C()
	}
	for i := range c {
		l.Mean.Data[i] = float64(float32(0.3 * r.NormFloat64()))
		l.Istd.Data[i] = float64(float32(0.5 + r.Float64()))
	}
	return ops.NewLinks(op), l
}

// linksOf returns the links of channels [lo, hi).
func linksOf(l ref.Links, lo, hi int) ref.Links {
	return ref.Links{Mean: l.Mean.Slice(lo, hi), Istd: l.Istd.Slice(lo, hi), Gamma: l.Gamma.Slice(lo, hi), Beta: l.Beta.Slice(lo, hi)}
}

// linksInput returns what the steps of op read. Of the statistics only mean and
// istd matter.
func linksInput(r Rand, op *ops.Links, l *ref.Links) []Input {
	stats := op.Stats[0].Block
	words := r.normal(stats)
	for c := range l.Mean.C {
		words.Data[ops.StatWords*c+ops.StatMean], words.Data[ops.StatWords*c+ops.StatIstd] = l.Mean.Data[c], l.Istd.Data[c]
	}
	return []Input{holds(stats.All(), words), holds(op.Gamma, l.Gamma), holds(op.Beta, l.Beta)}
}

// steps puts the links first.
func (run *convRun) steps(f func() []ops.Step) func() []ops.Step {
	return func() []ops.Step {
		if run.links == nil {
			return f()
		}
		return append(run.links.Steps(), f()...)
	}
}

func convForward(s convShape, o convOptions) Case {
	run := newConv(s, o)
	c := Case{Name: fmt.Sprintf("fwd_%v_%v", s, o), Env: run.op.Env, Steps: run.steps(run.op.Forward), In: run.input,
		Out: []Want{wants("y", run.op.Y, ref.Conv(s.g, run.x, run.l, run.w, run.b))}}
	if o.form.Winograd() {
		c = s.widened(c)
	}
	return c
}

func convWeights(s convShape, o convOptions) Case {
	run := newConv(s, o)
	c := Case{Name: fmt.Sprintf("weights_%v_%v", s, o), Env: run.op.Env, Steps: run.steps(run.op.BackwardWeights), In: run.input,
		Out: []Want{wants("dw", run.dw.All(), ref.ConvBackwardWeights(s.g, run.x, run.l, run.dy))}}
	if o.bias {
		c.Out = append(c.Out, wants("db", run.db.All(), ref.ConvBackwardBias(run.dy)))
	}
	return c
}

func convData(s convShape, seed, limit uint64, acc bool) Case {
	run := newConv(s, convOptions{seed: seed, limit: limit})
	dx := NewBlock("dx", s.c, s.n, s.h, s.w)
	want := ref.ConvBackwardData(s.g, run.dy, run.w, s.h, s.w)
	if acc {
		old := NewRand(seed + 1).normal(dx)
		run.input, want = append(run.input, holds(dx.All(), old)), ref.Add(old, want)
	}
	return Case{Name: fmt.Sprintf("data_%v_acc%t_r%d", s, acc, limit), Env: run.op.Env, In: run.input,
		Steps: func() []ops.Step { return run.op.BackwardData(dx.All(), acc) },
		Out:   []Want{wants("dx", dx.All(), want)}}
}

// linksCases: one channel, one more than a workgroup, several views.
func linksCases() []Case {
	var cases []Case
	for i, s := range []convShape{{n: 1, c: 1, h: 1, w: 1}, {n: 2, c: 65, h: 3, w: 5}, {n: 1, c: 5, h: 8, w: 8}} {
		for _, limit := range []uint64{2560, ops.DefaultRange} {
			x, _ := s.views(s.c == 5)
			r := NewRand(uint64(i))
			op, l := newLinks(r, envOf(limit), x)
			want := ref.New(s.c, 1, 1, ops.LinkWords)
			for c := range s.c {
				for j, t := range []*ref.Tensor{l.Mean, l.Istd, l.Gamma, l.Beta} {
					want.Data[c*ops.LinkWords+ops.LinkMean+j] = t.Data[c]
				}
			}
			cases = append(cases, Case{Name: fmt.Sprintf("c%d_r%d", s.c, limit), Env: op.Env, Steps: op.Steps,
				In: linksInput(r, op, l), Out: linkWants(op.Out, want)})
		}
	}
	return cases
}

// linkWants demands all words but the place of the plane, which the convolutions check.
func linkWants(b *ops.Block, want *ref.Tensor) []Want {
	var out []Want
	for c := range want.C {
		lo := uint32(c * ops.LinkWords)
		out = append(out, wants(fmt.Sprintf("link %d", c), b.View(lo+ops.LinkMean, lo+ops.LinkWords),
			ref.From(ops.LinkWords-1, 1, 1, 1, want.Data[c*ops.LinkWords+1:(c+1)*ops.LinkWords])))
	}
	return out
}
