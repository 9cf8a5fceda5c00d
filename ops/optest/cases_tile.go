package optest

import (
	"fmt"
	"slices"

	"sparsevk/ops"
	"sparsevk/ops/ref"
)

func init() {
	Register("tile", tileCases)
	Register("tile_wide", tileWideCases)
	Register("tile_gather", func() []Case { return tileGatherCases(ops.Small, leastTile) })
	Register("tile_gather_wide", func() []Case { return tileGatherCases(ops.NVIDIA, wideTiles(ops.GatherRole, false)...) })
}

// tileShapes: rows that units meet exactly, with idle pixels, and that a workgroup
// cuts anywhere; many images in a workgroup, and several workgroups; 7x7, 8x8 and
// 14x14; H≠W; growth 5; one channel and one image; outputs and inputs that no tile
// divides, several blocks of outputs. Windows of one pixel: planes that nothing
// divides; pooled ones with a row and a column left over.
var tileShapes = []convShape{
	{2, 5, 16, 16, 12, same3},
	{5, 13, 8, 8, 40, same3},
	{3, 4, 7, 7, 29, same3},
	{1, 1, 14, 14, 24, same3},
	{2, 3, 5, 11, 5, same3},
	{2, 17, 9, 7, 24, point},
	{1, 1, 3, 5, 5, point},
	{2, 9, 8, 8, 12, pooling},
	{2, 24, 7, 5, 66, pooling},
}

// leastTile, leastWinograd and leastWeights are the variants that serve every device.
const (
	leastTile     ops.Variant = "tile-32x64"
	leastWinograd ops.Variant = "winograd-32x64"
	leastWeights  ops.Variant = "tile-16k"
)

// wideTiles returns the other tile variants of a role, with Winograd's algorithm or
// without.
func wideTiles(r ops.Role, winograd bool) []ops.Variant {
	return slices.DeleteFunc(ops.Variants(r), func(v ops.Variant) bool {
		return !v.Tiles() || v.Winograd() != winograd || v == leastTile || v == leastWinograd || v == leastWeights
	})
}

// tileCase makes a case of variant v under the limits of a class. It panics if no
// step has the variant: what is not forced is not tested.
func tileCase(class ops.Class, v ops.Variant, s convShape, o convOptions, make func(convShape, convOptions) Case) Case {
	o.class, o.form = class, v
	c := make(s, o)
	c.Name = string(v) + "_" + c.Name
	mustHave(c, v)
	return c
}

// runs reports whether a step of c has the variant v.
func runs(c Case, v ops.Variant) bool {
	return slices.ContainsFunc(c.Steps(), func(s ops.Step) bool { return s.Form == v })
}

func mustHave(c Case, v ops.Variant) {
	if !runs(c, v) {
		panic(fmt.Sprintf("optest: %s runs no kernel of variant %s", c.Name, v))
	}
}

// tileCases runs the variants that serve every device over all shapes: forward with
// statistics, where it leaves some, or data gradient; weight gradient.
func tileCases() []Case {
	var cases []Case
	for j, s := range tileShapes {
		o := convOptions{seed: uint64(300 + j), limit: ops.DefaultRange, act: true, many: s.c > 2 && j%2 == 0}
		if j%3 == 1 && !s.g.Pool {
			cases = append(cases, tileCase(ops.Small, leastTile, s, o, tileData))
		} else {
			cases = append(cases, tileCase(ops.Small, leastTile, s, o, measured))
		}
		o.act = j%4 != 3
		cases = append(cases, tileCase(ops.Small, leastWeights, s, o, convWeights))
	}
	cut := convShape{1, 5, 15, 16, 7, same3} // under a range that cuts inputs, outputs and gradients
	o := convOptions{seed: 340, limit: 4096, act: true, many: true}
	return append(cases, tileCase(ops.Small, leastTile, cut, o, measured), tileCase(ops.Small, leastTile, cut, o, tileData),
		tileCase(ops.Small, leastWeights, cut, o, convWeights))
}

// tileWideCases runs the other variants, which are the same code with larger
// constants: each over a shape of each window.
func tileWideCases() []Case {
	var cases []Case
	for i, v := range wideTiles(ops.ForwardRole, false) {
		for _, j := range []int{i % 4, 5, 7} {
			o := convOptions{seed: uint64(400 + j), limit: ops.DefaultRange, act: true, many: i%2 == 0}
			cases = append(cases, tileCase(ops.NVIDIA, v, tileShapes[j], o, measured))
		}
	}
	for _, v := range wideTiles(ops.WeightsRole, false) {
		for _, j := range []int{0, 2, 5, 7} {
			cases = append(cases, tileCase(ops.NVIDIA, v, tileShapes[j], convOptions{seed: uint64(430 + j), limit: ops.DefaultRange, act: true}, convWeights))
		}
	}
	return cases
}

// tileData is the data gradient of a convolution, added to what is there if the
// seed is odd.
func tileData(s convShape, o convOptions) Case {
	o.act, o.many = false, false
	run, acc := newConv(s, o), o.seed%2 == 1
	dx := NewBlock("dx", s.c, s.n, s.h, s.w)
	dx.Precision = o.precision
	want := ref.ConvBackwardData(s.g, run.dy, run.w, s.h, s.w)
	if acc {
		old := NewRand(o.seed + 1).normal(dx)
		run.input, want = append(run.input, holds(dx.All(), old)), ref.Add(old, want)
	}
	c := Case{Name: fmt.Sprintf("data_%v_acc%t_r%d", s, acc, o.limit), Env: run.op.Env, In: run.input,
		Steps: func() []ops.Step { return run.op.BackwardData(dx.All(), acc) },
		Out:   []Want{wants("dx", dx.All(), want)}}
	if o.form.Winograd() {
		c = s.widened(c)
	}
	return c
}

// tileGatherCases: maps that units meet exactly and not, one reader and several,
// of both windows and of others in between; readers without batch norm; pooled
// ones; a range that cuts the map and the gradients. Of several variants each runs
// one of them, and a transition.
func tileGatherCases(class ops.Class, variants ...ops.Variant) []Case {
	full := uint64(ops.DefaultRange)
	var cases []Case
	for i, v := range variants {
		for j, q := range []struct {
			shape   [4]int
			limit   uint64
			readers []gatherReader
		}{
			{[4]int{5, 9, 8, 8}, full, []gatherReader{{5, 9, 2, same3, true}, {0, 7, 1, head, true}, {3, 5, 0, same3, true}, {4, 8, 3, pooling, true}}},
			{[4]int{7, 3, 7, 7}, full, []gatherReader{{6, 7, 0, point, true}, {3, 9, 1, same3, false}, {5, 7, 0, point, false}, {5, 9, 1, same3, true}}},
			{[4]int{1, 1, 14, 14}, full, []gatherReader{{24, 1, 0, same3, true}, {9, 3, 1, pooling, true}}},
			{[4]int{40, 2, 16, 12}, full, []gatherReader{{3, 40, 0, same3, true}, {5, 44, 4, point, true}}},
			{[4]int{13, 2, 8, 8}, 6*4*128 + ops.Align, []gatherReader{{9, 15, 2, same3, true}, {3, 13, 0, pooling, true}, {7, 13, 0, point, true}, {8, 13, 0, point, false}}},
		} {
			if len(variants) > 1 && j != i && j != 2 {
				continue
			}
			c := gatherIn(classOf(class, q.limit), v, uint64(500+j), q.shape, q.readers)
			c.Name = string(v) + "_" + c.Name
			mustHave(c, v)
			cases = append(cases, c)
		}
	}
	return cases
}
