package optest

import (
	"fmt"

	"sparsevk/ops"
	"sparsevk/ops/ref"
)

func init() { Register("linear", linearCases) }

// linearCases, inputs C, outputs K, images N: one of each; tails of the blocks of
// 4 outputs and of 64 terms; one more and one less than both; many classes.
func linearCases() []Case {
	var cases []Case
	for i, s := range [][3]int{{1, 1, 1}, {3, 5, 2}, {64, 4, 64}, {65, 10, 63}, {132, 10, 65}, {17, 100, 7}, {31, 129, 3}} {
		cases = append(cases, linearForward(uint64(i), s), linearBackward(uint64(i), s, i%2 == 0))
	}
	return cases
}

func linearForward(seed uint64, s [3]int) Case {
	c, k, n := s[0], s[1], s[2]
	x, w, b, y := NewBlock("x", c, n, 1, 1), vector("w", k*c), vector("b", k), NewBlock("y", k, n, 1, 1)
	r := NewRand(seed)
	xs, ws, bs := r.normal(x), r.normal(w), r.normal(b)
	op := ops.Linear{Env: ops.NewEnv(), Label: "linear", X: x.All(), W: w.All(), B: b.All(), Y: y.All()}
	want := ref.Linear(xs, ref.From(k, c, 1, 1, ws.Data), bs)
	return Case{Name: fmt.Sprintf("fwd_c%d_k%d_n%d", c, k, n), Env: op.Env, Steps: op.Forward,
		In: []Input{holds(x.All(), xs), holds(w.All(), ws), holds(b.All(), bs)}, Out: []Want{wants("y", y.All(), want)}}
}

func linearBackward(seed uint64, s [3]int, acc bool) Case {
	c, k, n := s[0], s[1], s[2]
	x, dx, dy := NewBlock("x", c, n, 1, 1), NewBlock("dx", c, n, 1, 1), NewBlock("dy", k, n, 1, 1)
	w, dw, db := vector("w", k*c), vector("dw", k*c), vector("db", k)
	r := NewRand(seed)
	xs, ws, grad, old := r.normal(x), r.normal(w), r.normal(dy), r.normal(dx)
	op := ops.Linear{Env: ops.NewEnv(), Label: "linear", X: x.All(), W: w.All(), DX: dx.All(), DY: dy.All(),
		DW: dw.All(), DB: db.All(), Accumulate: acc}
	wantX, wantW, wantB := ref.LinearBackward(xs, ref.From(k, c, 1, 1, ws.Data), grad)
	in, wantX := accumulated(acc, dx, old, wantX)
	return Case{Name: fmt.Sprintf("bwd_c%d_k%d_n%d_acc%t", c, k, n, acc), Env: op.Env, Steps: op.Backward,
		In:  append(in, holds(x.All(), xs), holds(w.All(), ws), holds(dy.All(), grad)),
		Out: []Want{wants("dx", dx.All(), wantX), wants("dw", dw.All(), wantW), wants("db", db.All(), wantB)}}
}
