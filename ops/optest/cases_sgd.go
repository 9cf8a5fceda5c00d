package optest

import (
	"fmt"
	"math"

	"sparsevk/ops"
	"sparsevk/ops/ref"
)

func init() {
	Register("sgd", sgdCases)
	Register("norm2", normCases)
}

// sgdCases: one word, a prime, more than a sweep, runs cut by a small range;
// without momentum, decay or Nesterov's step; a loss scale, a norm above and below
// its limit, a gradient that is not finite.
func sgdCases() []Case {
	full := ref.SGD{Rate: 0.1, Momentum: 0.9, Decay: 1e-4, Nesterov: true}
	plain, bare, free := full, ref.SGD{Rate: 0.5, Nesterov: true}, full
	plain.Nesterov, free.Decay = false, 0
	return []Case{
		sgdCase(1, 1, full, grads{scale: 1}), sgdCase(2, 1021, full, grads{scale: 1}), sgdCase(3, 5000, full, grads{scale: 1, limit: 1024}),
		sgdCase(4, 4097, plain, grads{scale: 1}), sgdCase(5, 300, full, grads{scale: 1024}), sgdCase(6, 300, bare, grads{scale: 1}),
		sgdCase(7, 300, full, grads{scale: 8, clip: 0.5}), sgdCase(8, 300, full, grads{scale: 8, clip: 1e4}),
		sgdCase(9, 300, free, grads{scale: 1, free: true}), sgdCase(10, 300, full, grads{scale: 1, bad: true}),
	}
}

// grads says what an optimizer is given in a case.
type grads struct {
	scale, clip float64 // of the loss; largest norm, 0 for any
	limit       uint64  // range; 0: the default
	free        bool    // no decay for these weights, whatever State says
	bad         bool    // the gradient is not finite
}

func (g grads) env() *ops.Env {
	if g.limit == 0 {
		return envOf(ops.DefaultRange)
	}
	return envOf(g.limit)
}

// input returns a gradient of n elements and its norm, as the op reads them and as
// inputs of a case, and the factor that they must give.
func (g grads) input(r Rand, n int, words map[int]any) (ops.Update, *ref.Tensor, []Input, float64) {
	dw, results, st := vector("dw", n), ops.NewResults(), ops.NewState()
	values := r.scaled(dw, g.scale, 0)
	squares, _ := ref.Norm2(values)
	norm := results.View(ops.ResultNorm2, ops.ResultNormBad+1)
	words[ops.StateLossScale], words[ops.StateClip] = float32(g.scale), float32(g.clip)
	in := []Input{state(st, words), holds(dw.All(), values), Words(norm, []uint32{math.Float32bits(float32(squares.Data[0])), word(g.bad)})}
	o := ops.Update{DW: dw.All(), Norm: norm, State: st.All(), Decay: !g.free}
	return o, values, in, ref.Clip(squares.Data[0], g.scale, g.clip)
}

func word(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}

// rounded makes numbers of an optimizer what the device has of them.
func rounded(numbers ...*float64) {
	for _, f := range numbers {
		*f = float64(float32(*f))
	}
}

func sgdCase(seed uint64, n int, o ref.SGD, g grads) Case {
	w, v, r := vector("w", n), vector("v", n), NewRand(seed)
	ws, vs := r.normal(w), r.normal(v)
	rounded(&o.Rate, &o.Momentum, &o.Decay)
	decay := o.Decay
	if g.free {
		decay = 0.5
	}
	gradient, gs, in, factor := g.input(r, n, map[int]any{
		ops.StateRate: float32(o.Rate), ops.StateMomentum: float32(o.Momentum), ops.StateDecay: float32(decay)})
	o.Factor = factor
	wantW, wantV := o.Step(ws, vs, gs)
	if g.bad {
		wantW, wantV = ws, vs
	}
	op := ops.SGD{Env: g.env(), Label: "update", Update: gradient, W: w.All(), V: v.All(), Plain: !o.Nesterov}
	return Case{Name: fmt.Sprintf("n%d_%+v_%+v", n, o, g), Env: op.Env, Steps: op.Steps,
		In:  append(in, holds(w.All(), ws), holds(v.All(), vs)),
		Out: []Want{wants("w", w.All(), wantW), wants("v", v.All(), wantV)}}
}

// normCases: one word; a tile less one, one more; several views; runs cut by a
// small range; an infinity and a NaN, which must raise the flag, first and last.
func normCases() []Case {
	return []Case{
		normCase(1, []int{1}, ops.DefaultRange, nil), normCase(2, []int{4095}, ops.DefaultRange, nil),
		normCase(3, []int{4097}, ops.DefaultRange, nil), normCase(4, []int{300, 1, 9000}, ops.DefaultRange, nil),
		normCase(5, []int{300, 1, 9000}, 8192, nil),
		normCase(6, []int{300, 5000}, ops.DefaultRange, math.Inf(-1)), normCase(7, []int{300, 5000}, ops.DefaultRange, math.NaN()),
	}
}

// normCase takes the norm of views of the given lengths; bad, a float64, replaces
// the last word.
func normCase(seed uint64, lengths []int, limit uint64, bad any) Case {
	r, results := NewRand(seed), ops.NewResults()
	var views ops.Planes
	var in []Input
	var all []float64
	for i, n := range lengths {
		b := vector(fmt.Sprintf("x%d", i), n)
		v := r.normal(b)
		if x, ok := bad.(float64); ok && i == len(lengths)-1 {
			v.Data[n-1] = x
		}
		views, in, all = append(views, b.All()), append(in, holds(b.All(), v)), append(all, v.Data...)
	}
	op := ops.NewNorm2(ops.Norm2{Env: envOf(limit), Label: "norm", X: views,
		Results: results.View(ops.ResultNorm2, ops.ResultNormBad+1)})
	squares, finite := ref.Norm2(ref.Vec(all...))
	out := []Want{Exactly("flag", results.View(ops.ResultNormBad, ops.ResultNormBad+1), []uint32{map[bool]uint32{true: 0, false: 1}[finite]})}
	if finite {
		out = append(out, wants("norm", results.View(ops.ResultNorm2, ops.ResultNorm2+1), squares))
	}
	return Case{Name: fmt.Sprintf("%v_r%d_%v", lengths, limit, bad), Env: op.Env, Steps: op.Steps, In: in, Out: out}
}
