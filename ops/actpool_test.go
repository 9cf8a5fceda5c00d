package ops_test

import (
	"testing"

	"sparsevk/ops/optest"
)

func TestActPool(t *testing.T) { optest.RunAll(t, "actpool") }

func TestActMaxPool(t *testing.T) { optest.RunAll(t, "actmaxpool") }

func TestActMaxGather(t *testing.T) { optest.RunAll(t, "actmaxgather") }
