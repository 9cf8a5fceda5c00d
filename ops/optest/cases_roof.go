package optest

import (
	"fmt"

	"sparsevk/ops"
	"sparsevk/ops/ref"
)

func init() { Register("roof", roofCases) }

// roofCases: one element; the workgroup's width, one more, a prime; no round,
// one, several; factors with which every step rounds; copies of one quad, a
// tail, and of part of a block.
func roofCases() []Case {
	var cases []Case
	for i, n := range []int{1, 128, 129, 1021} {
		cases = append(cases, roofFma(n, uint32(i), 0.5, 0.5), roofFma(n, uint32(i), 0.75, -0.3))
	}
	for i, n := range []int{4, 512, 516, 4096} {
		cases = append(cases, roofCopy(uint64(i), n, 0), roofCopy(uint64(i), n, 8))
	}
	return cases
}

func roofFma(n int, rounds uint32, m, c float32) Case {
	y := vector("y", n)
	op := ops.RoofFma{Env: ops.NewEnv(), Label: "roof", Rounds: rounds, M: m, C: c, Y: y.All()}
	return Case{Name: fmt.Sprintf("fma_n%d_rounds%d_m%g_c%g", n, rounds, m, c), Env: op.Env, Steps: op.Steps,
		Out: []Want{wants("y", y.All(), ref.RoofFma(n, 16*int(rounds), float64(m), float64(c)))}}
}

func roofCopy(seed uint64, n, from int) Case {
	x, y := vector("x", n+from), vector("y", n+from)
	lo, hi := uint32(from), uint32(n+from)
	r := NewRand(seed)
	words := make([]uint32, n)
	for i := range words {
		words[i] = r.Uint32()
	}
	op := ops.RoofCopy{Env: ops.NewEnv(), Label: "roof", X: x.View(lo, hi), Y: y.View(lo, hi)}
	return Case{Name: fmt.Sprintf("copy_n%d_from%d", n, from), Env: op.Env, Steps: op.Steps,
		In: []Input{Words(x.View(lo, hi), words)}, Out: []Want{Exactly("y", y.View(lo, hi), words)}}
}
