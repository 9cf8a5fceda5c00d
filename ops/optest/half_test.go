package optest

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/ops"
)

// TestCompareHalf: what is rounded to nearest passes, what is cut off, or rounded
// twice as far as stated, does not.
func TestCompareHalf(t *testing.T) {
	r := NewRand(3)
	for _, p := range []ops.Precision{ops.FP16, ops.BF16} {
		want, mag := r.Floats(1000), make([]float64, 1000)
		near, cut, twice := make([]float32, 1000), make([]float32, 1000), make([]float32, 1000)
		for i, x := range want {
			mag[i] = math.Abs(x)
			near[i] = p.Round(float32(x))
			cut[i] = near[i]
			if math.Abs(float64(near[i])) > mag[i] {
				cut[i] = p.Decode(p.Encode(near[i]) - 1) // towards zero
			}
			twice[i] = p.Decode(p.Encode(near[i]) + 1)
		}
		_, err := Compare(near, want, mag, Tolerance{Stored: p})
		require.NoError(t, err)
		for name, got := range map[string][]float32{"cut off": cut, "a step off": twice} {
			_, err := Compare(got, want, mag, Tolerance{Stored: p})
			assert.Error(t, err, "%v %s", p, name)
		}
		_, err = Compare(near, want, mag, Tolerance{})
		assert.Error(t, err, "the tolerance of float32")
		_, err = Compare(cut, want, mag, Tolerance{Stored: p, Before: 1, Through: p})
		assert.NoError(t, err, "one rounding before allows as much again")
	}
}

// TestCoarse: what a coarse source makes every precision holds, and other sources
// make the same values as ever.
func TestCoarse(t *testing.T) {
	for _, p := range []ops.Precision{ops.FP16, ops.BF16} {
		for _, x := range NewRand(5 | Coarse).Floats(10000) {
			require.Equal(t, x, float64(p.Round(float32(x))))
		}
	}
	assert.Panics(t, func() { held("name", ops.BF16, []uint32{math.Float32bits(1 + 0x1p-9)}) })
	b := NewBlock("x", 2, 3, 5, 7)
	for _, x := range (NewRand(6 | Coarse)).distinct(2, 3, 5, 7).Data {
		require.Equal(t, x, float64(ops.FP16.Round(float32(x))))
	}
	assert.NotEqual(t, NewRand(6).Normal(b), NewRand(6|Coarse).Normal(b))
}
