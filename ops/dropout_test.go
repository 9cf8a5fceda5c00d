package ops_test

import (
	"testing"

	"sparsevk/ops/optest"
)

func TestDropout(t *testing.T) { optest.RunAll(t, "dropout") }
