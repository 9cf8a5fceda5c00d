package ops_test

import (
	"testing"

	"sparsevk/ops/optest"
)

// quad runs a table of cases where the device can run the quad kernels.
func quad(t *testing.T, name string) {
	if err := optest.FitsQuad(optest.Device(t)); err != nil {
		t.Skip(err)
	}
	optest.RunAll(t, name)
}

func TestQuad(t *testing.T) { quad(t, "quad") }

func TestQuadGather(t *testing.T) { quad(t, "quad_gather") }
