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
// without momentum, decay or Nesterov's step; a loss scale.
func sgdCases() []Case {
	full := ref.SGD{Rate: 0.1, Momentum: 0.9, Decay: 1e-4, Scale: 1, Nesterov: true}
	plain, scaled, bare := full, full, ref.SGD{Rate: 0.5, Scale: 1, Nesterov: true}
	plain.Nesterov, scaled.Scale = false, 1024
	return []Case{
		sgdCase(1, 1, ops.DefaultRange, full), sgdCase(2, 1021, ops.DefaultRange, full), sgdCase(3, 5000, 1024, full),
		sgdCase(4, 4097, ops.DefaultRange, plain), sgdCase(5, 300, ops.DefaultRange, scaled), sgdCase(6, 300, ops.DefaultRange, bare),
	}
}

func sgdCase(seed uint64, n int, limit uint64, o ref.SGD) Case {
	w, v, dw, st, r := vector("w", n), vector("v", n), vector("dw", n), ops.NewState(), NewRand(seed)
	ws, vs, gs := r.normal(w), r.normal(v), r.scaled(dw, o.Scale, 0)
	in := state(st, map[int]any{ops.StateRate: float32(o.Rate), ops.StateMomentum: float32(o.Momentum),
		ops.StateDecay: float32(o.Decay), ops.StateLossScale: float32(o.Scale)})
	for _, f := range []*float64{&o.Rate, &o.Momentum, &o.Decay} {
		*f = float64(float32(*f)) // the device has no other
	}
	wantW, wantV := o.Step(ws, vs, gs)
	op := ops.SGD{Env: envOf(limit), Label: "update", W: w.All(), V: v.All(), DW: dw.All(), State: st.All(), Plain: !o.Nesterov}
	return Case{Name: fmt.Sprintf("n%d_r%d_%+v", n, limit, o), Env: op.Env, Steps: op.Steps,
		In:  []Input{in, holds(w.All(), ws), holds(v.All(), vs), holds(dw.All(), gs)},
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
