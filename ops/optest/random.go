package optest

import (
	"math"
	"math/rand/v2"

	"sparsevk/ops"
	"sparsevk/ops/ref"
)

// Rand makes the contents of cases; equal seeds give equal contents.
type Rand struct {
	*rand.Rand
	coarse bool // values that every precision holds
}

// Coarse, added to a seed, makes its values ones of 8 significant bits and of
// multiples of 2^-24, which float32, float16 and bfloat16 hold alike.
const Coarse = 1 << 63

// NewRand returns a source for seed.
func NewRand(seed uint64) Rand {
	return Rand{rand.New(rand.NewPCG(seed&^Coarse, 0x5eed)), seed&Coarse != 0}
}

// held rounds x up to what the tensors of a case may hold.
func (r Rand) held(x float64) float64 {
	if !r.coarse || x == 0 {
		return float64(float32(x))
	}
	_, e := math.Frexp(x)
	step := max(math.Ldexp(1, e-8), 0x1p-24)
	return math.Ceil(x/step) * step
}

// hold rounds the values of t up in place and returns t.
func (r Rand) hold(t *ref.Tensor) *ref.Tensor {
	for i, x := range t.Data {
		t.Data[i] = r.held(x)
	}
	return t
}

// distinct returns values between -2 and 2 of which no two of a plane are near
// each other; coarse ones may be equal.
func (r Rand) distinct(c, n, h, w int) *ref.Tensor { return r.hold(ref.Distinct(r.Rand, c, n, h, w)) }

// clear moves values of x up until no mask of the readers is in doubt.
func (r Rand) clear(x *ref.Tensor, margin float64, readers ...ref.Links) {
	ref.ClearKinks(x, margin, readers...)
	if r.coarse { // up, so that what was moved stays clear
		r.hold(x)
	}
}

// Normal returns a value for each element of the block: standard normal,
// rounded to float32 so that device and reference start from the same.
func (r Rand) Normal(b *ops.Block) []float64 { return r.Floats(int(b.All().Elems())) }

// Floats returns n standard normal values, rounded to float32.
func (r Rand) Floats(n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = r.held(r.NormFloat64())
	}
	return v
}

// Clear returns n values like Floats whose magnitude is at least gap, so that
// no ReLU or maximum is near its kink.
func (r Rand) Clear(n int, gap float64) []float64 {
	v := r.Floats(n)
	for i, x := range v {
		for -gap < x && x < gap {
			x = r.held(r.NormFloat64())
		}
		v[i] = x
	}
	return v
}
