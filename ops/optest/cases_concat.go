package optest

import (
	"fmt"

	"sparsevk/ops"
	"sparsevk/ops/ref"
)

func init() {
	Register("concat", concatCases)
	Register("copy", copyCases)
}

// concatCases: one view; views of several lengths; a view of part of a block;
// runs cut by a small range. Backward writes some views and adds to others.
func concatCases() []Case {
	var cases []Case
	for i, planes := range [][]int{{1}, {3, 1, 4}, {24, 12, 12}, {13, 7}} {
		for _, limit := range []uint64{ops.DefaultRange, 1536} {
			cases = append(cases, concatCase(uint64(i), planes, limit))
		}
	}
	return append(cases, concatSlices(9), concatBackward(10, []int{5, 3, 4}, ops.DefaultRange), concatBackward(11, []int{5, 3, 4}, 1024))
}

func concatCase(seed uint64, planes []int, limit uint64) Case {
	r, total := NewRand(seed), 0
	var views ops.Planes
	var values []*ref.Tensor
	var in []Input
	for i, c := range planes {
		b := NewBlock(fmt.Sprintf("x%d", i), c, 3, 7, 5)
		v := r.normal(b)
		views, values, in, total = append(views, b.All()), append(values, v), append(in, holds(b.All(), v)), total+c
	}
	y := NewBlock("y", total, 3, 7, 5)
	op := ops.Concat{Env: envOf(limit), Label: "concat", X: views, Y: y.All()}
	return Case{Name: fmt.Sprintf("fwd_%v_r%d", planes, limit), Env: op.Env, Steps: op.Forward,
		In: in, Out: []Want{wants("y", y.All(), ref.Concat(values...))}}
}

// concatSlices takes inner planes of one block, out of order.
func concatSlices(seed uint64) Case {
	x, y := NewBlock("x", 9, 2, 5, 3), NewBlock("y", 5, 2, 5, 3)
	v := NewRand(seed).normal(x)
	op := ops.Concat{Env: envOf(ops.DefaultRange), Label: "concat", X: ops.Planes{x.View(6, 8), x.View(1, 4)}, Y: y.All()}
	return Case{Name: "fwd_slices", Env: op.Env, Steps: op.Forward, In: []Input{holds(x.All(), v)},
		Out: []Want{wants("y", y.All(), ref.Concat(v.Slice(6, 8), v.Slice(1, 4)))}}
}

// concatBackward writes the first view, adds to the second and skips the rest.
func concatBackward(seed uint64, planes []int, limit uint64) Case {
	r := NewRand(seed)
	var x ops.Planes
	total := 0
	for i, c := range planes {
		x, total = append(x, NewBlock(fmt.Sprintf("dx%d", i), c, 2, 7, 5).All()), total+c
	}
	dy := NewBlock("dy", total, 2, 7, 5)
	grad, old := r.normal(dy), r.normal(x[1].Block)
	dx := append(ops.Planes{}, x...)
	dx[2] = ops.View{}
	op := ops.Concat{Env: envOf(limit), Label: "concat", X: x, DY: dy.All(), DX: dx, Accumulate: []bool{false, true, false}}
	zero := ref.New(planes[0], 2, 7, 5)
	third := ref.New(planes[2], 2, 7, 5)
	want := ref.ConcatBackward(grad, []*ref.Tensor{zero, old, third})
	return Case{Name: fmt.Sprintf("bwd_%v_r%d", planes, limit), Env: op.Env, Steps: op.Backward,
		In: []Input{holds(dy.All(), grad), holds(x[1], old)}, Out: []Want{wants("dx0", x[0], want[0]), wants("dx1", x[1], want[1])}}
}

// copyCases: one element, a prime, a tail, more than a sweep, a small range.
func copyCases() []Case {
	var cases []Case
	for i, s := range [][4]int{{1, 1, 1, 1}, {1, 1, 1, 1021}, {3, 2, 7, 7}, {13, 4, 16, 16}} {
		for _, limit := range []uint64{ops.DefaultRange, 4608} {
			cases = append(cases, copyCase(uint64(i), s, limit), addCase(uint64(i), s, limit), fillCase(s, limit))
		}
	}
	return cases
}

func copyCase(seed uint64, s [4]int, limit uint64) Case {
	x, y := block("x", s), block("y", s)
	v := NewRand(seed).normal(x)
	op := ops.Copy{Env: envOf(limit), Label: "copy", X: x.All(), Y: y.All()}
	in := holds(x.All(), v)
	return Case{Name: fmt.Sprintf("copy_%s_r%d", shapeName(s), limit), Env: op.Env, Steps: op.Steps,
		In: []Input{in}, Out: []Want{Exactly("y", y.All(), in.Words)}}
}

func addCase(seed uint64, s [4]int, limit uint64) Case {
	x, y, r := block("x", s), block("y", s), NewRand(seed)
	v, old := r.normal(x), r.normal(y)
	op := ops.Add{Env: envOf(limit), Label: "add", X: x.All(), Y: y.All()}
	return Case{Name: fmt.Sprintf("add_%s_r%d", shapeName(s), limit), Env: op.Env, Steps: op.Steps,
		In: []Input{holds(x.All(), v), holds(y.All(), old)}, Out: []Want{wants("y", y.All(), ref.Add(old, v))}}
}

func fillCase(s [4]int, limit uint64) Case {
	y := block("y", s)
	op := ops.Fill{Env: envOf(limit), Label: "fill", Value: -0.375, Y: y.All()}
	return Case{Name: fmt.Sprintf("fill_%s_r%d", shapeName(s), limit), Env: op.Env, Steps: op.Steps,
		Out: []Want{wants("y", y.All(), ref.Fill(s[0], s[1], s[2], s[3], -0.375))}}
}
