package ops_test

import (
	"os"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/ops"
	"sparsevk/ops/optest"
)

// TestMatrix runs the tables of the products that the device lists. Where it lists
// none the test is skipped, or fails if SPARSEVK_MATRIX=require.
func TestMatrix(t *testing.T) {
	dev, ran := optest.Device(t), 0
	for _, name := range optest.MatrixTables(false) {
		if optest.Unfit(dev, name) == nil {
			t.Run(name, func(t *testing.T) { optest.RunAll(t, name) })
			ran++
		}
	}
	if ran == 0 {
		require.NotEqual(t, "require", os.Getenv("SPARSEVK_MATRIX"), "%s multiplies no matrices", dev.Info().Name)
		t.Skip("the device multiplies no matrices")
	}
}

// TestEmulatedMatrix runs the matrix forms with products of other shapes than software
// drivers have: of NVIDIA's, or of all with SPARSEVK_SLOW=1.
func TestEmulatedMatrix(t *testing.T) {
	dev := optest.Device(t)
	for _, name := range optest.MatrixTables(true) {
		if err := optest.Unfit(dev, name); err != nil {
			t.Skip(err)
		}
		if os.Getenv("SPARSEVK_SLOW") == "1" || name == "emulated_16x8x16_32" {
			t.Run(name, func(t *testing.T) { optest.RunAll(t, name) })
		}
	}
}

// TestMatrixCatches: kernels that read, or write, one element beside the right one, or
// leave the last channels out, are noticed.
func TestMatrixCatches(t *testing.T) {
	dev, table := optest.Device(t), "emulated_16x8x16_32"
	if err := optest.Unfit(dev, table); err != nil {
		t.Skip(err)
	}
	tried := 0
	for _, c := range optest.Cases(table)[:4] {
		for field, by := range map[string]int{"WBase": 1, "WIn": 1, "Link": 1, "C": -2, "K": -1, "Dst": 1, "Row": 1} {
			spoilt, steps, changed := c, c.Steps, false
			spoilt.Steps = func() []ops.Step {
				all := slices.Clone(steps())
				for i, s := range all {
					if s.Form.Rounds() && push(s.Push, field).IsValid() {
						all[i].Push = with(s.Push, field, by)
						changed = true
					}
				}
				return all
			}
			_, err := optest.Check(dev, spoilt)
			assert.Equal(t, changed, err != nil, "%s of %s: %v", field, c.Name, err)
			if changed {
				tried++
			}
		}
	}
	assert.Greater(t, tried, 10)
}

// push returns a field of push constants.
func push(p any, field string) reflect.Value { return reflect.ValueOf(p).Elem().FieldByName(field) }

// with returns a copy of push constants in which one is more by some.
func with(p any, field string, by int) any {
	q := reflect.New(reflect.TypeOf(p).Elem())
	q.Elem().Set(reflect.ValueOf(p).Elem())
	v := q.Elem().FieldByName(field)
	v.SetUint(uint64(uint32(int(v.Uint()) + by)))
	return q.Interface()
}

// TestMatrixChoice: the classes that prefer matrices take them for maps of float16 on
// a device that multiplies them, and for nothing else.
func TestMatrixChoice(t *testing.T) {
	have := ops.Matrix{M: 16, N: 8, K: 16, Lanes: 32}
	variants := func(class ops.Class, m ops.Matrix, p ops.Precision, size, pad, k uint32) map[ops.Variant]bool {
		env := ops.NewEnv()
		env.Class, env.Matrix = class, m
		block := func(name string, c uint32) *ops.Block {
			return &ops.Block{Name: name, C: c, N: 64, H: 32, W: 32, Precision: p}
		}
		w := ops.Vector("w", ops.Other, int(k*24*size*size))
		x, y, dy, dw := block("x", 24), block("y", k), block("dy", k), ops.Vector("dw", ops.Other, int(k*24*size*size))
		ops.NewConv(ops.Conv{Env: env, Label: "conv", Geometry: ops.Geometry{R: size, S: size, Stride: 1, Pad: pad},
			X: ops.Planes{x.All()}, W: w.All(), Y: y.All(), DY: dy.All(), DW: dw.All()})
		got := map[ops.Variant]bool{}
		for _, c := range env.Choices() {
			got[c.Variant] = true
		}
		return got
	}
	tiles := map[ops.Variant]bool{"tile-32x256": true, "tile-32k": true}
	for name, c := range map[string]struct {
		got, want map[ops.Variant]bool
	}{
		"narrow":     {variants(ops.NVIDIA, have, ops.FP16, 3, 1, 12), map[ops.Variant]bool{"matrix-16x256": true, "matrix-32k": true}},
		"growth 24":  {variants(ops.RDNA, have, ops.FP16, 3, 1, 24), map[ops.Variant]bool{"matrix-32x256": true, "matrix-32k": true}},
		"bottleneck": {variants(ops.NVIDIA, have, ops.FP16, 1, 0, 96), map[ops.Variant]bool{"matrix-64x128": true, "matrix-32k": true}},
		"float32":    {variants(ops.NVIDIA, have, ops.FP32, 3, 1, 24), tiles},
		"bfloat16":   {variants(ops.NVIDIA, have, ops.BF16, 3, 1, 24), tiles},
		"no matrix":  {variants(ops.NVIDIA, ops.Matrix{}, ops.FP16, 3, 1, 24), tiles},
		"Intel":      {variants(ops.Intel, have, ops.FP16, 3, 1, 24), map[ops.Variant]bool{"tile-32x64": true, "tile-16k": true}},
		"5x5":        {variants(ops.NVIDIA, have, ops.FP16, 5, 2, 24), map[ops.Variant]bool{"plain": true}},
	} {
		assert.Equal(t, c.want, c.got, name)
	}
}
