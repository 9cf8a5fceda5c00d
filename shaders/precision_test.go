package shaders

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// bf16 and fp16 values by hand: bits, value.
var known = map[Precision]map[uint32]float64{
	FP16: {0: 0, 1: 0x1p-24, 0x3ff: 1023 * 0x1p-24, 0x400: 0x1p-14, 0x3c00: 1, 0x3c01: 1 + 0x1p-10, 0xc000: -2, 0x7bff: 65504, 0x7c00: math.Inf(1), 0xfc00: math.Inf(-1)},
	BF16: {0: 0, 1: 0x1p-133, 0x80: 0x1p-126, 0x3f80: 1, 0x3f81: 1 + 0x1p-7, 0xc000: -2, 0x7f7f: 255 * 0x1p120, 0x7f80: math.Inf(1), 0xff80: math.Inf(-1)},
}

func TestPrecisionKnown(t *testing.T) {
	for p, values := range known {
		for bits, want := range values {
			assert.Equal(t, want, float64(p.Decode(bits)), "%v %#x", p, bits)
			assert.Equal(t, bits, p.Encode(float32(want)), "%v %g", p, want)
		}
	}
	assert.Equal(t, uint32(0x8000), FP16.Encode(float32(math.Copysign(0, -1))))
	assert.Equal(t, float32(1.5), FP32.Round(1.5))
}

// TestPrecisionRounds: every element survives, and what lies between two goes to
// the nearer, in the middle to the even one. 16-bit elements of one sign are in
// the order of their bits.
func TestPrecisionRounds(t *testing.T) {
	for _, p := range Precisions[1:] {
		infinity := p.Encode(float32(math.Inf(1)))
		for bits := range infinity {
			x, next := p.Decode(bits), float64(p.Decode(bits+1))
			if bits+1 == infinity { // as if there were one more
				next = 2*float64(x) - float64(p.Decode(bits-1))
			}
			require.Equal(t, bits, p.Encode(x))
			require.Equal(t, bits|0x8000, p.Encode(-x))
			middle := (float64(x) + next) / 2
			require.Equal(t, bits+bits&1, p.Encode(float32(middle)), "%v: the middle after %#x", p, bits)
			below := math.Nextafter32(float32(middle), x)
			if p == FP16 || bits > 0 { // bfloat16's first step is the smallest float32's 2^16th
				require.Equal(t, bits, p.Encode(below), "%v: below the middle after %#x", p, bits)
				require.Equal(t, bits+1, p.Encode(math.Nextafter32(float32(middle), float32(math.Inf(1)))), "%v: above the middle after %#x", p, bits)
			}
		}
		assert.Equal(t, infinity, p.Encode(math.MaxFloat32))
		for _, nan := range []uint32{0x7fc00000, 0x7f800001, 0xffffffff} {
			assert.True(t, math.IsNaN(float64(p.Round(math.Float32frombits(nan)))), "%v: NaN %#x", p, nan)
		}
	}
}

func TestParsePrecision(t *testing.T) {
	for _, p := range Precisions {
		var got Precision
		require.NoError(t, got.UnmarshalText([]byte(fmt.Sprint(p))))
		assert.Equal(t, p, got)
	}
	_, err := ParsePrecision("half")
	assert.ErrorContains(t, err, "use fp32, fp16 or bf16")
	assert.Equal(t, []uint64{4, 2, 2}, []uint64{FP32.Bytes(), FP16.Bytes(), BF16.Bytes()})
}
