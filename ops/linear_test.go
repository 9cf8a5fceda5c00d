package ops_test

import (
	"testing"

	"sparsevk/ops/optest"
)

func TestLinear(t *testing.T) { optest.RunAll(t, "linear") }
