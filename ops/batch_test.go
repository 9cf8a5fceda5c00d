package ops_test

import (
	"testing"

	"sparsevk/ops/optest"
)

func TestBatch(t *testing.T) { optest.RunAll(t, "batch") }
