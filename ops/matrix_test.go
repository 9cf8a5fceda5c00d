package ops_test

import (
	"os"
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
// drivers have: of few here, of all with SPARSEVK_SLOW=1 and in selftest.
func TestEmulatedMatrix(t *testing.T) {
	dev := optest.Device(t)
	for _, name := range optest.MatrixTables(true) {
		if err := optest.Unfit(dev, name); err != nil {
			t.Skip(err)
		}
		few := []string{"emulated_16x8x16_32", "emulated_16x16x16_64"}
		if os.Getenv("SPARSEVK_SLOW") == "1" || slices.Contains(few, name) {
			t.Run(name, func(t *testing.T) { optest.RunAll(t, name) })
		}
	}
}

// TestMatrixCatches: kernels that take rows to have another width, images another
// height, or the patch another size, are noticed.
func TestMatrixCatches(t *testing.T) {
	dev, table := optest.Device(t), "emulated_16x8x16_32"
	if err := optest.Unfit(dev, table); err != nil {
		t.Skip(err)
	}
	for _, c := range optest.Cases(table)[:3] {
		for _, id := range []string{"W", "H", "FLAT"} {
			spoilt, steps := c, c.Steps
			spoilt.Steps = func() []ops.Step {
				all := slices.Clone(steps())
				for i, s := range all {
					if s.Form.Rounds() {
						all[i].Spec = slices.Clone(s.Spec)
						all[i].Spec[s.Kernel.SpecIndex(id)] ^= 1
					}
				}
				return all
			}
			_, err := optest.Check(dev, spoilt)
			assert.Error(t, err, "%s of %s", id, c.Name)
		}
	}
}
