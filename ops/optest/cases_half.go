package optest

import (
	"slices"

	"sparsevk/ops"
)

func init() {
	for _, p := range []ops.Precision{ops.FP16, ops.BF16} {
		Register(p.String(), func() []Case { return halfCases(p) })
	}
}

// halfCases: every kernel that touches maps, with maps of a 16-bit precision. The
// shapes are those at which the place of an element matters: one element, an odd
// number of them in a plane, several views, ranges that cut; and where results are
// stored several times on the way.
func halfCases(p ops.Precision) []Case {
	cases := slices.Concat(halfMapCases(), halfConvCases(p), halfTileCases(p))
	for i, c := range cases {
		cases[i] = inPrecision(p, c)
	}
	return cases
}

// halfMapCases are the kernels that go over maps element by element.
func halfMapCases() []Case {
	const full = ops.DefaultRange
	odd, cut := [4]int{13, 3, 11, 5}, uint64(1024)
	cases := []Case{
		reluForward(1|Coarse, [4]int{1, 1, 1, 1}, full), reluForward(2|Coarse, odd, cut), reluBackward(3|Coarse, odd, cut),
		statsCase(4|Coarse, [4]int{1, 1, 1, 1}, full, 1, true), statsCase(5|Coarse, odd, cut, 1, true), statsCase(6|Coarse, [4]int{3, 4, 32, 32}, full, 100, true),
		batchNormForward(7|Coarse, odd, cut, true, true), batchNormForward(8|Coarse, odd, full, false, false),
		batchNormBackward(9|Coarse, odd, cut, true, false), batchNormBackward(10|Coarse, odd, full, false, true), batchNormInPlace(11|Coarse, odd),
		globalPoolForward(12|Coarse, [4]int{9, 2, 7, 7}, cut), globalPoolBackward(13|Coarse, [4]int{9, 2, 7, 7}, cut, true), globalPoolBackward(14|Coarse, odd, full, false),
		concatCase(15|Coarse, []int{3, 1, 4}, cut), concatBackward(16|Coarse, []int{5, 3, 4}, cut),
		sumCase(25|Coarse, 3, odd, cut), sumCase(26|Coarse, 2, [4]int{1, 1, 1, 1}, full),
		copyCase(17|Coarse, odd, cut), addCase(18|Coarse, odd, cut), fillCase(odd, cut),
		dropoutCase(19|Coarse, odd, cut, 0.2, true, true, false), dropoutCase(20|Coarse, odd, full, 0.5, false, true, true),
		linearBackward(21|Coarse, [3]int{17, 100, 7}, false), linearBackward(22|Coarse, [3]int{65, 10, 63}, true),
		batchCase(23, batched{s: [4]int{3, 7, 7, 5}, pad: 2, valid: 7, flip: true, train: true, limit: 512, edge: true, pixels: true}),
		actPool(24|Coarse, [4]int{5, 3, 7, 7}, cut, true),
	}
	for i, s := range []pooled{poolShapes[2], poolShapes[4]} {
		cases = append(cases, avgPoolForward(uint64(30+i)|Coarse, s, cut), avgPoolBackward(uint64(32+i)|Coarse, s, cut, i == 1))
	}
	for i, s := range []pooled{paddedShapes[0], paddedShapes[1]} {
		seed := uint64(40+10*i) | Coarse
		cases = append(cases, maxPoolForward(seed, s, 2048, i == 1), maxPoolBackward(seed+1, s, 2048, i == 1, i == 0),
			actMaxForward(seed+2, actMaxShapes[i], 2048), actMaxBackward(seed+3, actMaxShapes[i], 2048), actMaxGather(seed+4, actMaxShapes[i], envOf(full)))
	}
	return cases
}

// halfConvCases are the convolutions, gathers and what finishes them. Where the
// precisions differ is how an element is loaded and stored, so windows and readers of
// all kinds are tried with one of them: compiling takes longer than all the rest.
func halfConvCases(p ops.Precision) []Case {
	const full = ops.DefaultRange
	shapes := []convShape{{2, 13, 7, 7, 13, same3}}
	readers := []gatherReader{{5, 9, 2, same3, true}, {0, 7, 1, head, true}}
	if p == ops.FP16 {
		shapes = append(shapes, convShape{1, 1, 1, 1, 1, same3}, convShape{2, 3, 15, 14, 13, square(7, 2, 3)},
			convShape{2, 24, 7, 5, 24, pooling}, convShape{2, 17, 7, 9, 12, point},
			convShape{1, 3, 3, 3, 6, same3}) // a stem, which lavapipe of Mesa 26.1 with 8 lanes gets wrong
		readers = append(readers, gatherReader{3, 5, 0, same3, true}, gatherReader{4, 8, 3, pooling, true})
	}
	var cases []Case
	for i, s := range shapes {
		o := convOptions{seed: uint64(60+i) | Coarse, limit: full, act: i != 1 && i != 5, bias: i == 0, many: s.c > 2}
		cases = append(cases, convForward(s, o), convWeights(s, o), convData(s, uint64(70+i)|Coarse, full, i%2 == 0))
	}
	cut := convShape{1, 5, 15, 15, 13, same3}
	o := convOptions{seed: 80 | Coarse, limit: 2048, act: true, bias: true, many: true}
	cases = append(cases, convForward(cut, o), convWeights(cut, o), convData(cut, 81|Coarse, 2048, true))
	cases = append(cases,
		plainGather(91|Coarse, [4]int{5, 3, 7, 7}, full, readers...),
		plainGather(92|Coarse, [4]int{7, 2, 5, 9}, full, gatherReader{6, 7, 0, point, true}, gatherReader{3, 9, 1, same3, false}, gatherReader{5, 7, 0, point, false}),
		plainGather(93|Coarse, [4]int{13, 2, 7, 7}, 4096, gatherReader{9, 15, 2, same3, true}, gatherReader{0, 14, 1, head, true}),
		finaliseCase(94|Coarse, [4]int{13, 3, 11, 5}, 2048, true), finaliseCase(95|Coarse, [4]int{3, 2, 7, 7}, full, false))
	return cases
}

// halfTileCases are the tiles for GPUs, in the variants that serve every device and a
// shape that no tile divides. Those that leave statistics take float32 alone. What
// Winograd's algorithm does to elements it does to all precisions alike, so that one
// tries all roles.
func halfTileCases(p ops.Precision) []Case {
	s := convShape{2, 3, 5, 11, 5, same3}
	o := convOptions{seed: 110 | Coarse, limit: ops.DefaultRange, act: true}
	added := o
	added.seed++
	cases := []Case{tileCase(ops.Small, leastWeights, s, o, convWeights), tileCase(ops.Small, leastTile, s, o, convForward), tileCase(ops.Small, leastWinograd, s, o, convForward)}
	for _, v := range []ops.Variant{leastTile, leastWinograd} {
		if v == leastWinograd && p != ops.FP16 {
			continue
		}
		gather := gatherIn(classOf(ops.Small, ops.DefaultRange), v, 112|Coarse, [4]int{7, 3, 7, 7},
			[]gatherReader{{6, 7, 0, point, true}, {5, 9, 1, same3, true}})
		mustHave(gather, v)
		gather.Name = string(v) + "_" + gather.Name
		cases = append(cases, tileCase(ops.Small, v, s, added, tileData), gather)
	}
	return cases
}
