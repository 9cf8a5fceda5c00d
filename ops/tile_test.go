package ops_test

import (
	"os"
	"strings"
	"testing"

	"sparsevk/ops/optest"
)

func TestTile(t *testing.T) { optest.RunAll(t, "tile") }

func TestTileGather(t *testing.T) { optest.RunAll(t, "tile_gather") }

// The wider variants are the same code with larger constants, which software
// drivers take long to compile: they run with SPARSEVK_SLOW=1, and in selftest.
func TestTileWide(t *testing.T) {
	if strings.Contains(optest.Device(t).Info().Name, "llvmpipe") && os.Getenv("SPARSEVK_SLOW") != "1" {
		t.Skip("llvmpipe takes minutes to compile them, SwiftShader seconds: SPARSEVK_SLOW=1 runs it here too")
	}
	for _, name := range []string{"tile_wide", "tile_gather_wide"} {
		if err := optest.Unfit(optest.Device(t), name); err != nil {
			t.Skip(err)
		}
		t.Run(name, func(t *testing.T) { optest.RunAll(t, name) })
	}
}
