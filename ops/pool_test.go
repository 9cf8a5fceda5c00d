package ops_test

import (
	"testing"

	"sparsevk/ops/optest"
)

func TestMaxPool(t *testing.T) { optest.RunAll(t, "maxpool") }

func TestAvgPool(t *testing.T) { optest.RunAll(t, "avgpool") }

func TestGlobalAvgPool(t *testing.T) { optest.RunAll(t, "globalpool") }
