package ops_test

import (
	"testing"

	"sparsevk/ops/optest"
)

func TestStats(t *testing.T) { optest.RunAll(t, "stats") }

func TestBatchNorm(t *testing.T) { optest.RunAll(t, "batchnorm") }
