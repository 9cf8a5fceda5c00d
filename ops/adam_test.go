package ops_test

import (
	"testing"

	"sparsevk/ops/optest"
)

func TestAdam(t *testing.T)    { optest.RunAll(t, "adam") }
func TestAverage(t *testing.T) { optest.RunAll(t, "average") }
func TestSwap(t *testing.T)    { optest.RunAll(t, "swap") }
