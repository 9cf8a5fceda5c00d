package ref

// A Dropout zeroes groups of elements with probability P and scales the others by
// 1/(1-P). The mask is a function of what it is keyed by, and is computed again in
// the backward pass:
//
//	key = (seed low, seed high)     counter = (j, Step, Layer, StreamDropout)
//	u   = (word 0 of Philox >> 8)·2⁻²⁴      keep if u >= P      j = i/Group
//
// i is the index of the element in [C][N][H][W] order, a 32-bit number. u and P are
// float32 values, so that the choice is exact.
type Dropout struct {
	P     float32
	Group int // consecutive elements that share a fate: 1, or H·W to drop whole channels of an image
	Seed  uint64
	Step  uint32
	Layer uint32
}

// Forward returns y = x·[keep]/(1-P). Backward is the same function of dy.
func (d Dropout) Forward(x *Tensor) *Tensor {
	check(d.Group > 0 && 0 <= d.P && d.P < 1, "dropout: probability %g, groups of %d", d.P, d.Group)
	y := New(x.C, x.N, x.H, x.W)
	y.Len = length(3, x)
	scale := div(exact(1), sub(exact(1), exact(float64(d.P))))
	for i := range x.Data {
		kept := num{}
		if d.Keep(i) {
			kept = mul(x.at(i), scale)
		}
		y.set(i, kept)
	}
	return y
}

// Keep reports whether element i survives.
func (d Dropout) Keep(i int) bool {
	words := Philox([4]uint32{uint32(i / d.Group), d.Step, d.Layer, StreamDropout}, seedKey(d.Seed))
	return float32(words[0]>>8)*0x1p-24 >= d.P
}
