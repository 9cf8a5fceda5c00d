package shaders

import (
	"fmt"
	"math"
)

// Precision is how the elements of maps are stored: of feature maps, of gradients
// that lie where maps lie, and of packed weights. Arithmetic, sums, statistics,
// master weights and momentum are float32 in all of them.
type Precision uint8

// The precisions.
const (
	FP32 Precision = iota
	FP16           // IEEE 754 binary16: 11 bits of precision, largest 65504
	BF16           // the upper half of a float32: 8 bits of precision, the range of float32
)

// Precisions are all of them.
var Precisions = [...]Precision{FP32, FP16, BF16}

// String returns fp32, fp16 or bf16.
func (p Precision) String() string { return [...]string{"fp32", "fp16", "bf16"}[p] }

// ParsePrecision reads fp32, fp16 or bf16.
func ParsePrecision(s string) (Precision, error) {
	for _, p := range Precisions {
		if p.String() == s {
			return p, nil
		}
	}
	return FP32, fmt.Errorf("shaders: unknown precision %q: use fp32, fp16 or bf16", s)
}

// MarshalText stores p by its name.
func (p Precision) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText is ParsePrecision.
func (p *Precision) UnmarshalText(text []byte) (err error) {
	*p, err = ParsePrecision(string(text))
	return err
}

// Bytes returns the size of an element.
func (p Precision) Bytes() uint64 {
	if p == FP32 {
		return 4
	}
	return 2
}

// Encode returns the bits of the element nearest to x, ties to even, as
// shaders/map.glsl stores it.
func (p Precision) Encode(x float32) uint32 {
	bits := math.Float32bits(x)
	switch p {
	case FP16:
		return half(bits)
	case BF16:
		if bits&0x7fffffff > 0x7f800000 {
			return 0x7fc0
		}
		return (bits + 0x7fff + bits>>16&1) >> 16
	}
	return bits
}

// half is the float16 nearest to the float32 with these bits.
func half(bits uint32) uint32 {
	sign, size := bits>>16&0x8000, bits&0x7fffffff
	switch {
	case size > 0x7f800000:
		return 0x7e00
	case size >= 0x477ff000: // 65520
		return sign | 0x7c00
	case size < 0x38800000: // below 2^-14: a multiple of 2^-24
		return sign | uint32(math.RoundToEven(float64(math.Float32frombits(size))*(1<<24)))
	}
	return sign | (size-0x38000000+0xfff+size>>13&1)>>13
}

// Decode returns the value of an element, exactly.
func (p Precision) Decode(bits uint32) float32 {
	switch p {
	case FP16:
		sign, exponent, fraction := bits&0x8000<<16, bits>>10&31, bits&0x3ff
		switch exponent {
		case 0:
			return math.Float32frombits(sign | math.Float32bits(float32(fraction)/(1<<24)))
		case 31:
			return math.Float32frombits(sign | 0x7f800000 | fraction<<13)
		}
		return math.Float32frombits(sign | (exponent+112)<<23 | fraction<<13)
	case BF16:
		return math.Float32frombits(bits << 16)
	}
	return math.Float32frombits(bits)
}

// Round returns what is left of x when it is stored and loaded again.
func (p Precision) Round(x float32) float32 { return p.Decode(p.Encode(x)) }
