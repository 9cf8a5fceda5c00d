package ops_test

import (
	"testing"

	"sparsevk/ops/optest"
)

func TestSoftmaxLoss(t *testing.T) { optest.RunAll(t, "softmax") }
