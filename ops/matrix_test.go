package ops_test

import (
	"os"
	"testing"

	"sparsevk/ops/optest"
)

// TestMatrix runs the tables of the products that the device lists. Where it lists
// none the test is skipped, or fails if SPARSEVK_MATRIX=require.
func TestMatrix(t *testing.T) {
	dev, ran := optest.Device(t), 0
	for _, name := range optest.MatrixTables() {
		if optest.Unfit(dev, name) == nil {
			t.Run(name, func(t *testing.T) { optest.RunAll(t, name) })
			ran++
		}
	}
	if ran == 0 {
		if os.Getenv("SPARSEVK_MATRIX") == "require" {
			t.Fatalf("SPARSEVK_MATRIX=require: %s multiplies no matrices", dev.Info().Name)
		}
		t.Skip("the device multiplies no matrices")
	}
}
