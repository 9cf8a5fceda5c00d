package optest

import (
	"fmt"

	"sparsevk/ops"
	"sparsevk/ops/ref"
)

func init() { Register("sum", sumCases) }

// sumCases: one term and many; one element, a prime, a tail, more than a sweep;
// terms that one descriptor does not take, and planes cut into runs.
func sumCases() []Case {
	var cases []Case
	for i, terms := range []int{1, 2, 5, 9} {
		for j, s := range [][4]int{{1, 1, 1, 1}, {1, 1, 1, 1021}, {3, 2, 7, 7}, {13, 4, 16, 16}} {
			cases = append(cases, sumCase(uint64(4*i+j), terms, s, ops.DefaultRange))
		}
	}
	return append(cases, sumCase(20, 5, [4]int{3, 2, 7, 7}, 4096), sumCase(21, 3, [4]int{11, 2, 9, 7}, 4096), sumSlices(22))
}

func sumCase(seed uint64, terms int, s [4]int, limit uint64) Case {
	r, y := NewRand(seed), block("y", s)
	op := ops.Sum{Env: envOf(limit), Label: "sum", Y: y.All()}
	var values []*ref.Tensor
	var in []Input
	for i := range terms {
		x := block(fmt.Sprintf("x%d", i), s)
		v := r.normal(x)
		op.X, values, in = append(op.X, x.All()), append(values, v), append(in, holds(x.All(), v))
	}
	return Case{Name: fmt.Sprintf("sum%d_%s_r%d", terms, shapeName(s), limit), Env: op.Env, Steps: ops.NewSum(op).Steps,
		In: in, Out: []Want{wants("y", y.All(), ref.Sum(values...))}}
}

// sumSlices adds planes of one block, out of order, to planes of another.
func sumSlices(seed uint64) Case {
	x, y := NewBlock("x", 9, 2, 5, 3), NewBlock("y", 5, 2, 5, 3)
	v := NewRand(seed).normal(x)
	op := ops.NewSum(ops.Sum{Env: envOf(ops.DefaultRange), Label: "sum", X: []ops.View{x.View(6, 9), x.View(1, 4), x.View(2, 5)}, Y: y.View(1, 4)})
	return Case{Name: "slices", Env: op.Env, Steps: op.Steps, In: []Input{holds(x.All(), v)},
		Out: []Want{wants("y", y.View(1, 4), ref.Sum(v.Slice(6, 9), v.Slice(1, 4), v.Slice(2, 5)))}}
}
