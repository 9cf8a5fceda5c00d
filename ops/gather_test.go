package ops_test

import (
	"strings"
	"testing"

	"sparsevk/ops/optest"
)

func TestGather(t *testing.T) { optest.RunAll(t, "gather") }

func TestFinalise(t *testing.T) { optest.RunAll(t, "finalise") }

// TestGatherCatches takes steps from the case whose map and gradients are cut
// into segments and whose readers have several windows.
func TestGatherCatches(t *testing.T) {
	dropEach(t, "gather", func(name string) bool { return strings.HasSuffix(name, "5_readers_r3328") })
}
