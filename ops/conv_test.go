package ops_test

import (
	"testing"

	"sparsevk/ops/optest"
)

func TestConv(t *testing.T) { optest.RunAll(t, "conv") }

func TestLinks(t *testing.T) { optest.RunAll(t, "links") }
