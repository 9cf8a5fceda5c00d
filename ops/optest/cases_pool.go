package optest

import (
	"fmt"

	"sparsevk/ops"
	"sparsevk/ops/ref"
)

func init() {
	Register("maxpool", maxPoolCases)
	Register("avgpool", avgPoolCases)
	Register("globalpool", globalPoolCases)
}

// A pooled is a shape and a window over it.
type pooled struct {
	s [4]int
	w ref.Window
}

func (p pooled) name(limit uint64, acc bool) string {
	return fmt.Sprintf("%s_k%dx%d_s%d_p%d_r%d_acc%t", shapeName(p.s), p.w.R, p.w.S, p.w.Stride, p.w.Pad, limit, acc)
}

func (p pooled) window() ops.Window {
	return ops.Window{R: uint32(p.w.R), S: uint32(p.w.S), Stride: uint32(p.w.Stride), Pad: uint32(p.w.Pad)}
}

func (p pooled) out(name string) *ops.Block {
	h, w := p.w.Out(p.s[2], p.s[3])
	return NewBlock(name, p.s[0], p.s[1], h, w)
}

// poolShapes: one element; halves of even and odd images; windows with gaps, and
// that overlap; a window as large as the image; rows longer than a group is wide.
var poolShapes = []pooled{
	{[4]int{1, 1, 1, 1}, ref.Window{R: 1, S: 1, Stride: 1}},
	{[4]int{3, 2, 8, 8}, ref.Window{R: 2, S: 2, Stride: 2}},
	{[4]int{5, 3, 7, 7}, ref.Window{R: 2, S: 2, Stride: 2}},
	{[4]int{2, 1, 11, 5}, ref.Window{R: 2, S: 2, Stride: 3}},
	{[4]int{3, 2, 9, 13}, ref.Window{R: 3, S: 2, Stride: 1}},
	{[4]int{2, 3, 7, 5}, ref.Window{R: 7, S: 5, Stride: 1}},
	{[4]int{7, 2, 32, 32}, ref.Window{R: 2, S: 2, Stride: 2}},
}

// paddedShapes: the ImageNet stem's window; padding on every side of one pixel.
var paddedShapes = []pooled{
	{[4]int{3, 2, 14, 14}, ref.Window{R: 3, S: 3, Stride: 2, Pad: 1}},
	{[4]int{2, 1, 7, 9}, ref.Window{R: 3, S: 3, Stride: 2, Pad: 1}},
	{[4]int{2, 3, 1, 1}, ref.Window{R: 3, S: 3, Stride: 1, Pad: 1}},
	{[4]int{2, 2, 6, 7}, ref.Window{R: 5, S: 4, Stride: 3, Pad: 2}},
}

func maxPoolCases() []Case {
	var cases []Case
	for i, p := range append(append([]pooled{}, poolShapes...), paddedShapes...) {
		cases = append(cases, maxPoolForward(uint64(i), p, ops.DefaultRange, false), maxPoolBackward(uint64(i), p, ops.DefaultRange, i%2 == 0, false))
	}
	return append(cases, maxPoolForward(20, poolShapes[2], 1024, false), maxPoolBackward(21, paddedShapes[1], 1024, true, false),
		maxPoolForward(22, paddedShapes[0], ops.DefaultRange, true), maxPoolBackward(23, paddedShapes[0], ops.DefaultRange, false, true))
}

// maxInput returns values whose maxima are in no doubt; with ties there are many
// equal values, of which the first must win.
func maxInput(r Rand, s [4]int, ties bool) *ref.Tensor {
	x := r.distinct(s[0], s[1], s[2], s[3])
	if ties {
		for i, v := range x.Data {
			x.Data[i] = float64(int(2 * v))
		}
	}
	return x
}

func maxPoolForward(seed uint64, p pooled, limit uint64, ties bool) Case {
	x, y := block("x", p.s), p.out("y")
	values := maxInput(NewRand(seed), p.s, ties)
	op := ops.MaxPool{Env: envOf(limit), Label: "pool", Window: p.window(), X: x.All(), Y: y.All()}
	return Case{Name: fmt.Sprintf("fwd_%s_ties%t", p.name(limit, false), ties), Env: op.Env, Steps: op.Forward,
		In: []Input{holds(x.All(), values)}, Out: []Want{wants("y", y.All(), ref.MaxPool(p.w, values))}}
}

func maxPoolBackward(seed uint64, p pooled, limit uint64, acc, ties bool) Case {
	x, dy, dx, r := block("x", p.s), p.out("dy"), block("dx", p.s), NewRand(seed)
	values, grad, old := maxInput(r, p.s, ties), r.normal(dy), r.normal(dx)
	op := ops.MaxPool{Env: envOf(limit), Label: "pool", Window: p.window(), X: x.All(), DY: dy.All(), DX: dx.All(), Accumulate: acc}
	in, want := accumulated(acc, dx, old, ref.MaxPoolBackward(p.w, values, grad))
	return Case{Name: fmt.Sprintf("bwd_%s_ties%t", p.name(limit, acc), ties), Env: op.Env, Steps: op.Backward,
		In: append(in, holds(x.All(), values), holds(dy.All(), grad)), Out: []Want{wants("dx", dx.All(), want)}}
}

// accumulated returns what the gradient block b holds before, and what it must
// hold after a step that adds or, without acc, writes d.
func accumulated(acc bool, b *ops.Block, old, d *ref.Tensor) ([]Input, *ref.Tensor) {
	if !acc {
		return nil, d
	}
	return []Input{holds(b.All(), old)}, ref.Add(old, d)
}

func avgPoolCases() []Case {
	var cases []Case
	for i, p := range poolShapes {
		cases = append(cases, avgPoolForward(uint64(i), p, ops.DefaultRange), avgPoolBackward(uint64(i), p, ops.DefaultRange, i%2 == 0))
	}
	return append(cases, avgPoolForward(20, poolShapes[2], 1024), avgPoolBackward(21, poolShapes[4], 2048, true))
}

func avgPoolForward(seed uint64, p pooled, limit uint64) Case {
	x, y := block("x", p.s), p.out("y")
	values := NewRand(seed).normal(x)
	op := ops.AvgPool{Env: envOf(limit), Label: "pool", Window: p.window(), X: x.All(), Y: y.All()}
	return Case{Name: "fwd_" + p.name(limit, false), Env: op.Env, Steps: op.Forward,
		In: []Input{holds(x.All(), values)}, Out: []Want{wants("y", y.All(), ref.AvgPool(p.w, values))}}
}

func avgPoolBackward(seed uint64, p pooled, limit uint64, acc bool) Case {
	dy, dx, r := p.out("dy"), block("dx", p.s), NewRand(seed)
	grad, old := r.normal(dy), r.normal(dx)
	op := ops.AvgPool{Env: envOf(limit), Label: "pool", Window: p.window(), DY: dy.All(), DX: dx.All(), Accumulate: acc}
	in, want := accumulated(acc, dx, old, ref.AvgPoolBackward(p.w, grad, p.s[2], p.s[3]))
	return Case{Name: "bwd_" + p.name(limit, acc), Env: op.Env, Steps: op.Backward,
		In: append(in, holds(dy.All(), grad)), Out: []Want{wants("dx", dx.All(), want)}}
}

// globalPoolCases: one element, 7x7 and 8x8, more than one block of 32, an image
// of one pixel, runs cut by a small range.
func globalPoolCases() []Case {
	var cases []Case
	for i, s := range [][4]int{{1, 1, 1, 1}, {3, 2, 7, 7}, {132, 4, 8, 8}, {5, 3, 1, 1}, {2, 1, 19, 17}} {
		cases = append(cases, globalPoolForward(uint64(i), s, ops.DefaultRange), globalPoolBackward(uint64(i), s, ops.DefaultRange, i%2 == 0))
	}
	small := [4]int{9, 2, 7, 7}
	return append(cases, globalPoolForward(10, small, 1024), globalPoolBackward(11, small, 1024, true))
}

func globalPoolForward(seed uint64, s [4]int, limit uint64) Case {
	x, y := block("x", s), NewBlock("y", s[0], s[1], 1, 1)
	values := NewRand(seed).normal(x)
	op := ops.GlobalAvgPool{Env: envOf(limit), Label: "pool", X: x.All(), Y: y.All()}
	return Case{Name: fmt.Sprintf("fwd_%s_r%d", shapeName(s), limit), Env: op.Env, Steps: op.Forward,
		In: []Input{holds(x.All(), values)}, Out: []Want{wants("y", y.All(), ref.GlobalAvgPool(values))}}
}

func globalPoolBackward(seed uint64, s [4]int, limit uint64, acc bool) Case {
	dy, dx, r := NewBlock("dy", s[0], s[1], 1, 1), block("dx", s), NewRand(seed)
	grad, old := r.normal(dy), r.normal(dx)
	op := ops.GlobalAvgPool{Env: envOf(limit), Label: "pool", DY: dy.All(), DX: dx.All(), Accumulate: acc}
	in, want := accumulated(acc, dx, old, ref.GlobalAvgPoolBackward(grad, s[2], s[3]))
	return Case{Name: fmt.Sprintf("bwd_%s_r%d_acc%t", shapeName(s), limit, acc), Env: op.Env, Steps: op.Backward,
		In: append(in, holds(dy.All(), grad)), Out: []Want{wants("dx", dx.All(), want)}}
}
