package optest

import (
	"slices"

	"sparsevk/ops"
)

func init() {
	Register("winograd", winogradCases)
	Register("winograd_wide", winogradWideCases)
	Register("winograd_gather", func() []Case { return tileGatherCases(ops.Small, leastWinograd) })
	Register("winograd_gather_wide", winogradGatherWideCases)
}

// winogradShapes are the shapes of the tiles with windows of 3x3: quads that rows
// end with and that they cut after one, two and three pixels.
func winogradShapes() []convShape {
	cut := convShape{1, 3, 6, 9, 24, same3}
	return append(slices.DeleteFunc(slices.Clone(tileShapes), func(s convShape) bool { return s.g.R != 3 }), cut)
}

// winogradCases runs the variant that serves every device over all of them, forward
// with statistics where it leaves some, and the data gradient.
func winogradCases() []Case {
	var cases []Case
	for j, s := range winogradShapes() {
		o := convOptions{seed: uint64(700 + j), limit: ops.DefaultRange, act: j%4 != 3, many: s.c > 2 && j%2 == 0}
		cases = append(cases, tileCase(ops.Small, leastWinograd, s, o, measured), tileCase(ops.Small, leastWinograd, s, o, tileData))
	}
	cut := convShape{1, 5, 15, 16, 7, same3} // under a range that cuts inputs, outputs and gradients
	o := convOptions{seed: 740, limit: 4096, act: true, many: true}
	return append(cases, tileCase(ops.Small, leastWinograd, cut, o, measured), tileCase(ops.Small, leastWinograd, cut, o, tileData))
}

// winogradWideCases runs the other variants over them. Of data gradients C and K
// change places, since few channels to make leave few invocations to load.
func winogradWideCases() []Case {
	var cases []Case
	for i, v := range wideTiles(ops.ForwardRole, true) {
		for j, s := range winogradShapes() {
			if v == "winograd-32x256" && s.k == 5 {
				continue // it does not take so few channels here
			}
			o := convOptions{seed: uint64(750 + j), limit: ops.DefaultRange, act: true, many: s.c > 2 && i%2 == 0}
			cases = append(cases, tileCase(ops.NVIDIA, v, s, o, measured))
			if j%3 == i%3 {
				s.c, s.k = s.k, s.c
				cases = append(cases, tileCase(ops.NVIDIA, v, s, o, tileData))
			}
		}
	}
	return cases
}

// winogradGatherWideCases: maps whose rows end with a quad and within one, readers
// of other windows in between, and a range that cuts.
func winogradGatherWideCases() []Case {
	var cases []Case
	for i, v := range wideTiles(ops.GatherRole, true) {
		for j, q := range []struct {
			shape   [4]int
			limit   uint64
			readers []gatherReader
		}{
			{[4]int{40, 2, 16, 12}, ops.DefaultRange, []gatherReader{{3, 40, 0, same3, true}, {5, 44, 4, point, true}, {6, 41, 1, same3, true}}},
			{[4]int{13, 3, 7, 7}, ops.DefaultRange, []gatherReader{{5, 13, 0, same3, false}, {9, 15, 2, same3, true}}},
			{[4]int{13, 2, 8, 8}, 6*4*128 + ops.Align, []gatherReader{{9, 15, 2, same3, true}, {7, 13, 0, point, true}, {4, 14, 1, same3, true}}},
		} {
			c := gatherIn(classOf(ops.NVIDIA, q.limit), v, uint64(780+3*i+j), q.shape, q.readers)
			c.Name = string(v) + "_" + c.Name
			mustHave(c, v)
			cases = append(cases, c)
		}
	}
	return cases
}
