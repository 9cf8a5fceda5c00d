package ops_test

import (
	"testing"

	"sparsevk/ops/optest"
)

func TestSGD(t *testing.T) { optest.RunAll(t, "sgd") }
