package ops_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sparsevk/ops"
	"sparsevk/ops/optest"
	"sparsevk/shaders"
)

// The forms for GPUs take llvmpipe long to compile, seconds each where no cache has
// them, and SwiftShader not. So there every second or third case runs, unless
// SPARSEVK_SLOW=1, and all of them on SwiftShader and in selftest.
func slow(t *testing.T) bool {
	return strings.Contains(optest.Device(t).Info().Name, "llvmpipe") && os.Getenv("SPARSEVK_SLOW") != "1"
}

// runSome runs every step-th case of a table where they are slow, and all elsewhere.
func runSome(t *testing.T, name string, step int) {
	if !slow(t) {
		step = 1
	}
	all := optest.Cases(name)
	for i := 0; i < len(all); i += step {
		t.Run(all[i].Name, func(t *testing.T) { optest.Run(t, all[i]) })
	}
}

func TestTile(t *testing.T) { runSome(t, "tile", 3) }

func TestTileGather(t *testing.T) { runSome(t, "tile_gather", 2) }

func TestWinograd(t *testing.T) { runSome(t, "winograd", 3) }

func TestWinogradGather(t *testing.T) { runSome(t, "winograd_gather", 2) }

// The wider variants are the same code with larger constants, which software
// drivers take long to compile: they run with SPARSEVK_SLOW=1, and in selftest.
func TestTileWide(t *testing.T) {
	if slow(t) {
		t.Skip("llvmpipe takes minutes to compile them, SwiftShader seconds: SPARSEVK_SLOW=1 runs it here too")
	}
	for _, name := range []string{"tile_wide", "tile_gather_wide", "winograd_wide", "winograd_gather_wide"} {
		if err := optest.Unfit(optest.Device(t), name); err != nil {
			t.Skip(err)
		}
		t.Run(name, func(t *testing.T) { optest.RunAll(t, name) })
	}
}

// withConstant returns a copy of k in which a float constant has another value.
func withConstant(t *testing.T, k *shaders.Kernel, old, new float32) *shaders.Kernel {
	t.Helper()
	const header, constant = 20, 43
	c := *k
	c.Name, c.SPIRV = fmt.Sprintf("%s_with_%v", k.Name, new), bytes.Clone(k.SPIRV)
	found := 0
	for at := header; at < len(c.SPIRV); {
		word := binary.LittleEndian.Uint32(c.SPIRV[at:])
		if word == constant|4<<16 && binary.LittleEndian.Uint32(c.SPIRV[at+12:]) == math.Float32bits(old) {
			binary.LittleEndian.PutUint32(c.SPIRV[at+12:], math.Float32bits(new))
			found++
		}
		at += int(word>>16) * 4
	}
	require.Equal(t, 1, found, "%s has no constant %v", k.Name, old)
	return &c
}

// TestWinogradCatches plants faults that the wider tolerance of Winograd's algorithm
// must not hide: of the forward form, with a coefficient of each transform, and of the
// data gradient.
func TestWinogradCatches(t *testing.T) {
	dev, all := optest.Device(t), optest.Cases("winograd")
	each := func(plant func(s *ops.Step, p *shaders.TileFwdPush)) func(s []ops.Step) {
		return func(s []ops.Step) {
			for i := range s {
				on(&s[i], func(p *shaders.TileFwdPush) { plant(&s[i], p) })
			}
		}
	}
	coefficient := func(old, new float32) func(s []ops.Step) {
		return each(func(s *ops.Step, _ *shaders.TileFwdPush) { s.Kernel = withConstant(t, s.Kernel, old, new) })
	}
	flip := func(name string) func(s []ops.Step) {
		return each(func(s *ops.Step, _ *shaders.TileFwdPush) { s.Spec[s.Kernel.SpecIndex(name)] ^= 1 })
	}
	catches(t, dev, all[0], map[string]func(s []ops.Step){
		"a coefficient of taps":      coefficient(1./24, 1./24.1),
		"a coefficient of pixels":    coefficient(-4, -4.01),
		"a coefficient of points":    coefficient(8, 8.01),
		"one input channel left out": each(func(_ *ops.Step, p *shaders.TileFwdPush) { p.C-- }),
		"weights one tap further":    each(func(_ *ops.Step, p *shaders.TileFwdPush) { p.WBase++ }),
		"taps turned":                flip("TURNED"),
	})
	catches(t, dev, all[1], map[string]func(s []ops.Step){"taps not turned": flip("TURNED")})
}
