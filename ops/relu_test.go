package ops_test

import (
	"testing"

	"sparsevk/ops/optest"
)

func TestReLU(t *testing.T) { optest.RunAll(t, "relu") }
