package ops_test

import (
	"testing"

	"sparsevk/ops/optest"
)

func TestGather(t *testing.T) { optest.RunAll(t, "gather") }

func TestFinalise(t *testing.T) { optest.RunAll(t, "finalise") }
