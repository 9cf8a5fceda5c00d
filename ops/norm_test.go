package ops_test

import (
	"testing"

	"sparsevk/ops/optest"
)

func TestNorm2(t *testing.T) { optest.RunAll(t, "norm2") }
