package optest

import (
	"math/rand/v2"

	"sparsevk/ops"
)

// Rand makes the contents of cases; equal seeds give equal contents.
type Rand struct{ *rand.Rand }

// NewRand returns a source for seed.
func NewRand(seed uint64) Rand { return Rand{rand.New(rand.NewPCG(seed, 0x5eed))} }

// Normal returns a value for each element of the block: standard normal,
// rounded to float32 so that device and reference start from the same.
func (r Rand) Normal(b *ops.Block) []float64 { return r.Floats(int(b.All().Elems())) }

// Floats returns n standard normal values, rounded to float32.
func (r Rand) Floats(n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = float64(float32(r.NormFloat64()))
	}
	return v
}

// Clear returns n values like Floats whose magnitude is at least gap, so that
// no ReLU or maximum is near its kink.
func (r Rand) Clear(n int, gap float64) []float64 {
	v := r.Floats(n)
	for i, x := range v {
		for -gap < x && x < gap {
			x = float64(float32(r.NormFloat64()))
		}
		v[i] = x
	}
	return v
}
