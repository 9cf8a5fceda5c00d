package ops_test

import (
	"testing"

	"sparsevk/ops/optest"
)

func TestAccumulate(t *testing.T) { optest.RunAll(t, "accumulate") }
