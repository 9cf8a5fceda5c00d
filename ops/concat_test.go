package ops_test

import (
	"testing"

	"sparsevk/ops/optest"
)

func TestConcat(t *testing.T) { optest.RunAll(t, "concat") }

func TestCopy(t *testing.T) { optest.RunAll(t, "copy") }
