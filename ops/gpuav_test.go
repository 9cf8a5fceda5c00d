package ops_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/ops"
	"sparsevk/ops/optest"
	"sparsevk/shaders"
)

// withoutBarriers returns a copy of k whose invocations do not wait for each
// other: its OpControlBarrier instructions are left out.
func withoutBarriers(t *testing.T, k *shaders.Kernel) *shaders.Kernel {
	t.Helper()
	const header, controlBarrier = 20, 224
	c := *k
	c.Name += "_without_barriers"
	c.SPIRV = bytes.Clone(k.SPIRV[:header])
	for rest := k.SPIRV[header:]; len(rest) > 0; {
		word := binary.LittleEndian.Uint32(rest)
		n := int(word>>16) * 4
		if word&0xffff != controlBarrier {
			c.SPIRV = append(c.SPIRV, rest[:n]...)
		}
		rest = rest[n:]
	}
	require.Less(t, len(c.SPIRV), len(k.SPIRV), "%s has no barrier", k.Name)
	return &c
}

// GPU-assisted validation (make gpuav), which sees into the kernels, is on only if
// it reports a race in shared memory and a write beyond the range that is bound:
// a kernel without its barriers, and one that takes its output for longer than it
// is.
func TestAssistedValidationCatches(t *testing.T) {
	if os.Getenv("VK_LAYER_GPUAV_ENABLE") != "1" {
		t.Skip("make gpuav turns it on")
	}
	dev := optest.Device(t)
	race := withoutBarriers(t, &shaders.StatsMerge)
	for want, c := range map[string]optest.Case{
		"SharedMemoryDataRace": change(optest.Cases("stats")[2], func(steps []ops.Step) []ops.Step {
			for i := range steps {
				if steps[i].Kernel == &shaders.StatsMerge {
					steps[i].Kernel = race
				}
			}
			return steps
		}),
		"access out of bounds": change(optest.Cases("copy")[0], func(steps []ops.Step) []ops.Step {
			for i := range steps {
				on(&steps[i], func(p *shaders.CopyPush) { p.N += 16 })
				on(&steps[i], func(p *shaders.FillPush) { p.N += 16 })
			}
			return steps
		}),
	} {
		_, err := optest.Check(dev, c)
		assert.ErrorContains(t, err, want)
	}
}
