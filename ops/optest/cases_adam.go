package optest

import (
	"fmt"

	"sparsevk/ops"
	"sparsevk/ops/ref"
)

func init() {
	Register("adam", adamCases)
	Register("average", averageCases)
	Register("swap", swapCases)
}

// adamCases: one word, a prime, runs cut by a small range; the first update and a
// later one; AdamW, AMSGrad, both; a loss scale with a limit on the norm; weights
// without decay; a gradient that is not finite.
func adamCases() []Case {
	first := ref.Adam{Rate: 1e-3, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Decay: 0.01, Updates: 1}
	later, decoupled, largest, free := first, first, first, first
	later.Updates, decoupled.Decoupled, largest.AMSGrad, free.Decay = 1000, true, true, 0
	both := decoupled
	both.AMSGrad, both.Updates = true, 7
	return []Case{
		adamCase(1, 1, first, grads{scale: 1}), adamCase(2, 1021, later, grads{scale: 1}), adamCase(3, 5000, later, grads{scale: 1, limit: 1024}),
		adamCase(4, 300, decoupled, grads{scale: 1}), adamCase(5, 300, largest, grads{scale: 1}), adamCase(6, 4097, both, grads{scale: 1}),
		adamCase(7, 300, later, grads{scale: 8, clip: 0.5}), adamCase(8, 300, free, grads{scale: 1, free: true}),
		adamCase(9, 300, both, grads{scale: 1, bad: true}),
	}
}

func adamCase(seed uint64, n int, o ref.Adam, g grads) Case {
	w, m, v, top, r := vector("w", n), vector("m", n), vector("v", n), vector("top", n), NewRand(seed)
	ws, was := r.normal(w), ref.Moments{M: r.normal(m), V: r.scaled(v, 0.01, 1), Top: r.scaled(top, 0.01, 1)}
	rounded(&o.Rate, &o.Beta1, &o.Beta2, &o.Epsilon, &o.Decay)
	decay := o.Decay
	if g.free {
		decay = 0.5
	}
	c1, c2 := ops.AdamCorrections(float32(o.Beta1), float32(o.Beta2), uint64(o.Updates))
	gradient, gs, in, factor := g.input(r, n, map[int]any{
		ops.StateRate: float32(o.Rate), ops.StateMomentum: float32(o.Beta1), ops.StateBeta2: float32(o.Beta2), ops.StateDecay: float32(decay),
		ops.StateEpsilon: float32(o.Epsilon), ops.StateCorrect1: c1, ops.StateCorrect2: c2})
	o.Factor = factor
	wantW, want := o.Step(ws, gs, was)
	if g.bad {
		wantW, want = ws, was
	}
	op := ops.Adam{Env: g.env(), Label: "update", Update: gradient, W: w.All(), M: m.All(), V: v.All(), Decoupled: o.Decoupled}
	c := Case{Name: fmt.Sprintf("n%d_%+v_%+v", n, o, g), Env: op.Env,
		In:  append(in, holds(w.All(), ws), holds(m.All(), was.M), holds(v.All(), was.V)),
		Out: []Want{wants("w", w.All(), wantW), wants("m", m.All(), want.M), wants("v", v.All(), want.V)}}
	if o.AMSGrad {
		op.Top = top.All()
		c.In = append(c.In, holds(top.All(), was.Top))
		c.Out = append(c.Out, wants("top", top.All(), want.Top))
	}
	c.Steps = op.Steps
	return c
}

// averageCases: one word, a prime, runs cut by a small range, a bad gradient.
func averageCases() []Case {
	return []Case{
		averageCase(1, 1, grads{scale: 1}), averageCase(2, 1021, grads{scale: 1}), averageCase(3, 5000, grads{scale: 1, limit: 1024}),
		averageCase(4, 300, grads{scale: 1, bad: true}),
	}
}

func averageCase(seed uint64, n int, g grads) Case {
	const decay = float32(0.99)
	w, a, r := vector("w", n), vector("a", n), NewRand(seed)
	ws, as := r.normal(w), r.normal(a)
	gradient, _, in, _ := g.input(r, n, map[int]any{ops.StateAverage: decay})
	want := ref.Average(float64(decay), as, ws)
	if g.bad {
		want = as
	}
	op := ops.Average{Env: g.env(), Label: "update", W: w.All(), A: a.All(), State: gradient.State, Norm: gradient.Norm}
	return Case{Name: fmt.Sprintf("n%d_%+v", n, g), Env: op.Env, Steps: op.Steps,
		In: append(in[:1:1], in[2], holds(w.All(), ws), holds(a.All(), as)), Out: []Want{wants("a", a.All(), want)}}
}

// swapCases: one word, a prime, runs cut by a small range.
func swapCases() []Case {
	return []Case{swapCase(1, 1, ops.DefaultRange), swapCase(2, 1021, ops.DefaultRange), swapCase(3, 5000, 1024)}
}

func swapCase(seed uint64, n int, limit uint64) Case {
	x, y, r := vector("x", n), vector("y", n), NewRand(seed)
	xs, ys := r.normal(x), r.normal(y)
	op := ops.Swap{Env: envOf(limit), Label: "swap", X: x.All(), Y: y.All()}
	return Case{Name: fmt.Sprintf("n%d_r%d", n, limit), Env: op.Env, Steps: op.Steps,
		In:  []Input{holds(x.All(), xs), holds(y.All(), ys)},
		Out: []Want{wants("x", x.All(), ys), wants("y", y.All(), xs)}}
}
