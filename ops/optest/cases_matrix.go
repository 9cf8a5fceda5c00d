package optest

import (
	"fmt"
	"slices"
	"strings"

	"sparsevk/gpu"
	"sparsevk/ops"
	"sparsevk/ops/record"
)

func init() {
	for i, m := range matrices {
		Register(matrixTable(m), func() []Case { return matrixCases(m) })
		emulated := m
		emulated.Emulated = true
		Register(matrixTable(emulated), func() []Case { return some(matrixCases(emulated), i) })
	}
}

// some returns every third case, from the i-th on: emulation is slow, and so is its
// compilation.
func some(cases []Case, i int) (out []Case) {
	for at := i % 3; at < len(cases); at += 3 {
		out = append(out, cases[at])
	}
	return out
}

// matrices are the products that devices list: lavapipe's with 16 and with 8 lanes,
// NVIDIA's, AMD's with 32 and with 64 lanes, and Intel's.
var matrices = []ops.Matrix{{M: 8, N: 8, K: 8, Lanes: 16}, {M: 8, N: 8, K: 8, Lanes: 8}, {M: 16, N: 8, K: 16, Lanes: 32}, {M: 16, N: 8, K: 8, Lanes: 32},
	{M: 16, N: 16, K: 16, Lanes: 32}, {M: 16, N: 16, K: 16, Lanes: 64}, {M: 8, N: 16, K: 16, Lanes: 16}, {M: 8, N: 16, K: 16, Lanes: 8}}

// matrixTable is the name of the table of a product: "matrix_16x8x16_32", or
// "emulated_16x8x16_32".
func matrixTable(m ops.Matrix) string {
	kind := "matrix"
	if m.Emulated {
		kind = "emulated"
	}
	return fmt.Sprintf("%s_%dx%dx%d_%d", kind, m.M, m.N, m.K, m.Lanes)
}

// MatrixTables returns the names of the tables of the matrix forms, or of those that
// are emulated.
func MatrixTables(emulated bool) []string {
	kind := "matrix_"
	if emulated {
		kind = "emulated_"
	}
	return slices.DeleteFunc(Names(), func(name string) bool { return !strings.HasPrefix(name, kind) })
}

// NamesFor returns the tables for a self-test of dev: all but those of matrices that it
// does not list, and of emulated ones.
func NamesFor(dev *gpu.Device) []string {
	return slices.DeleteFunc(Names(), func(name string) bool {
		return strings.HasPrefix(name, "emulated_") || strings.HasPrefix(name, "matrix_") && fitsMatrix(dev, name) != nil
	})
}

// fitsMatrix returns why dev cannot run the table called name, or nil.
func fitsMatrix(dev *gpu.Device, name string) error {
	if strings.HasPrefix(name, "emulated_") {
		if f := dev.Info().Features; !f.Float16 || !f.Storage16 {
			return fmt.Errorf("%s has no float16, which emulated matrices need", dev.Info().Name)
		}
		return fits(ops.NVIDIA, dev)
	}
	for _, m := range record.Matrices(dev.Info()) {
		if matrixTable(m) == name {
			return fits(ops.NVIDIA, dev)
		}
	}
	return fmt.Errorf("%s: %w as %s", dev.Info().Name, gpu.ErrNoMatrix, name)
}

// matrixShapes: rows that runs meet exactly, and that a workgroup cuts; flat ones
// (7x7, 8x8, 14 and 11 wide), with several images and several workgroups; growth 5,
// one channel and one image; more than 16 inputs; outputs and inputs that no product
// divides, several blocks of outputs. Windows of one pixel, pooled ones with a row and
// a column left over.
var matrixShapes = []convShape{
	{2, 21, 16, 16, 12, same3},
	{1, 5, 6, 48, 40, same3},
	{5, 13, 8, 8, 24, same3},
	{3, 4, 7, 7, 29, same3},
	{1, 1, 14, 14, 5, same3},
	{2, 3, 5, 11, 5, same3},
	{2, 17, 9, 7, 24, point},
	{1, 1, 3, 5, 5, point},
	{2, 9, 8, 8, 12, pooling},
	{2, 24, 7, 5, 66, pooling},
}

// matrixCases runs the matrix forms over all shapes, in one variant or another: forward,
// where they leave some with statistics, or data gradient; weight gradient; gathers.
func matrixCases(m ops.Matrix) []Case {
	o := convOptions{limit: ops.DefaultRange, class: ops.NVIDIA, precision: ops.FP16, matrix: m}
	var cases []Case
	for j, s := range matrixShapes {
		o.seed, o.act, o.many = uint64(700+j)|Coarse, j%4 != 3, s.c > 2 && j%2 == 0
		made := []func(convShape, convOptions) Case{convForward, measured}
		if j%3 == 1 && !s.g.Pool {
			made = []func(convShape, convOptions) Case{tileData}
		}
		for _, make := range made {
			cases = append(cases, o.narrow(ops.ForwardRole, j, func(o convOptions) Case { return make(s, o) }))
		}
		cases = append(cases, o.narrow(ops.WeightsRole, 0, func(o convOptions) Case { return convWeights(s, o) }))
	}
	o.seed, o.limit, o.act, o.many = 740|Coarse, 4096, true, true // a range that cuts inputs, outputs and gradients
	cut := convShape{1, 5, 15, 16, 7, same3}
	for j := range matrixVariants(ops.ForwardRole) {
		cases = append(cases, o.narrow(ops.ForwardRole, j, func(o convOptions) Case { return convForward(cut, o) }))
		cases = append(cases, o.narrow(ops.ForwardRole, j, func(o convOptions) Case { return tileData(cut, o) }))
	}
	cases = append(cases, o.narrow(ops.WeightsRole, 0, func(o convOptions) Case { return convWeights(cut, o) }))
	return append(cases, matrixGathers(o)...)
}

// matrixVariants returns the variants of a role that multiply matrices.
func matrixVariants(r ops.Role) []ops.Variant {
	return slices.DeleteFunc(ops.Variants(r), func(v ops.Variant) bool { return !v.Rounds() })
}

// narrow makes a case of the j-th variant of a role, or of the next one that has the
// memory for it. It panics if none has: what is not forced is not tested.
func (o convOptions) narrow(r ops.Role, j int, make func(convOptions) Case) Case {
	all := matrixVariants(r)
	for i := range all {
		o.form = all[(j+i)%len(all)]
		if c := make(o); runs(c, o.form) {
			c = inPrecision(ops.FP16, c)
			for i := range c.Out {
				narrowed(&c.Out[i])
			}
			c.Name = string(o.form) + "_" + c.Name
			return c
		}
	}
	panic(fmt.Sprintf("optest: no matrix variant takes case %d of %s with %v", j, r, o.matrix))
}

// matrixGathers are the gathers of tileGatherCases.
func matrixGathers(o convOptions) []Case {
	full := uint64(ops.DefaultRange)
	var cases []Case
	for j, q := range []struct {
		shape   [4]int
		limit   uint64
		readers []gatherReader
	}{
		{[4]int{5, 9, 8, 8}, full, []gatherReader{{5, 9, 2, same3, true}, {0, 7, 1, head, true}, {3, 5, 0, same3, true}, {4, 8, 3, pooling, true}}},
		{[4]int{7, 3, 7, 7}, full, []gatherReader{{6, 7, 0, point, true}, {3, 9, 1, same3, false}, {5, 7, 0, point, false}, {5, 9, 1, same3, true}}},
		{[4]int{1, 1, 14, 14}, full, []gatherReader{{24, 1, 0, same3, true}, {9, 3, 1, pooling, true}}},
		{[4]int{40, 2, 16, 16}, full, []gatherReader{{19, 40, 0, same3, true}, {5, 44, 4, point, true}, {18, 40, 0, pooling, true}}},
		{[4]int{13, 2, 8, 8}, 6*2*128 + ops.Align, []gatherReader{{9, 15, 2, same3, true}, {3, 13, 0, pooling, true}, {7, 13, 0, point, true}, {8, 13, 0, point, false}}},
	} {
		o.limit = q.limit
		cases = append(cases, o.narrow(ops.GatherRole, j, func(o convOptions) Case {
			return gatherOf(o.env(), o.precision, o.form, uint64(750+j)|Coarse, q.shape, q.readers)
		}))
	}
	return cases
}

// narrowed lets what comes of products that are rounded to float16 err by the
// roundings of their factors.
func narrowed(w *Want) { w.Before, w.Through = w.Before+2, ops.FP16 }
