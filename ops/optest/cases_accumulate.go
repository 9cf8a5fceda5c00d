package optest

import (
	"fmt"
	"math"

	"sparsevk/ops"
	"sparsevk/ops/ref"
)

func init() { Register("accumulate", accumulateCases) }

// accumulateCases: one word, a prime, runs cut by a small range; added, and begun
// over what may be NaN.
func accumulateCases() []Case {
	return []Case{
		accumulateCase(1, 1, ops.DefaultRange, false), accumulateCase(2, 1021, ops.DefaultRange, false), accumulateCase(3, 5000, 1024, false),
		accumulateCase(4, 1021, ops.DefaultRange, true), accumulateCase(5, 5000, 1024, true),
	}
}

func accumulateCase(seed uint64, n int, limit uint64, begin bool) Case {
	x, y, st, r, share := vector("x", n), vector("y", n), ops.NewState(), NewRand(seed), float32(1.0/3)
	xs, ys := r.normal(x), r.normal(y)
	was := holds(y.All(), ys)
	if begin {
		for i := range ys.Data {
			ys.Data[i], was.Words[i] = 0, math.Float32bits(float32(math.NaN()))
		}
	}
	op := ops.Accumulate{Env: envOf(limit), Label: "gradient", X: x.All(), Y: y.All(), State: st.All()}
	return Case{Name: fmt.Sprintf("n%d_r%d_%v", n, limit, begin), Env: op.Env, Steps: op.Steps,
		In: []Input{holds(x.All(), xs), was, state(st, map[int]any{ops.StateShare: share, ops.StateBegin: word(begin)})}, Out: []Want{wants("y", y.All(), ref.Accumulate(float64(share), xs, ys))}}
}
