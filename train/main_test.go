package train

import (
	"testing"

	"sparsevk/gpu"
	"sparsevk/ops"
	"sparsevk/ops/optest"
	"sparsevk/sparsenet"
)

func TestMain(m *testing.M) { optest.Main(m) }

// engines are all that a network runs on.
var engines = []sparsenet.Engine{sparsenet.Arena, sparsenet.Layered}

// classes returns the kernel forms that dev runs.
func classes(dev *gpu.Device) []ops.Class {
	class, err := optest.QuadClass(dev)
	if err != nil {
		return []ops.Class{ops.Plain}
	}
	return []ops.Class{class, ops.Plain}
}
