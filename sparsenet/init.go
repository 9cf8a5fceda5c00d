package sparsenet

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/bits"
)

// An InitRule says how the weights of convolutions start; the rest starts as
// Param.Fill says.
type InitRule string

// The rules of the published recipes. R by S is the window, K the output channels.
const (
	FanOut  InitRule = "fan-out"   // N(0, √(2/(R·S·K))): He et al., as PyTorch's implementations have it
	FanIn   InitRule = "fan-in"    // N(0, √(2/(R·S·C))): he_normal of Keras, without its truncation
	FanOut9 InitRule = "fan-out/9" // N(0, √(2/(9·K))) for every window: the tensorpack port's
)

// ParseInitRule reads the name of a rule.
func ParseInitRule(s string) (InitRule, error) {
	switch r := InitRule(s); r {
	case FanOut, FanIn, FanOut9:
		return r, nil
	}
	return "", fmt.Errorf("sparsenet: unknown initialisation %q: use fan-out, fan-in or fan-out/9", s)
}

// fan returns what the variance of the weights of p is two over.
func (r InitRule) fan(p Param) int {
	switch window := p.Shape[2] * p.Shape[3]; r {
	case FanIn:
		return p.Shape[1] * window
	case FanOut9:
		return p.Shape[0] * 9
	default:
		return p.Shape[0] * window
	}
}

// Init returns the parameters' region as it stands before training, p.Elems
// values with zeros between tensors: convolutions from N(0, √(2/(R·S·K))) (He et
// al., fan-out), gamma 1, beta and linear bias 0, linear weights uniform in
// ±1/√fan-in. A value depends on the seed, the tensor's name and its index
// alone, and has the same bits on every platform: the generator is made of
// integers and of float64 operations that are each rounded, in particular
// without the fused multiply-adds that Go allows itself on some platforms.
func (p *Params) Init(seed uint64) []float32 {
	region := make([]float32, p.Elems)
	for _, t := range p.Trained {
		t.Fill(region[t.Offset:t.Offset+t.Elems()], seed)
	}
	return region
}

// InitRunning returns the running statistics' region before training: means 0,
// variances 1, zeros between tensors.
func (p *Params) InitRunning() []float32 {
	region := make([]float32, p.RunningElems)
	for _, t := range p.Running {
		t.Fill(region[t.Offset:t.Offset+t.Elems()], 0)
	}
	return region
}

// Fill writes the initial values of p into dst, which holds p.Elems() values.
func (p Param) Fill(dst []float32, seed uint64) { p.FillBy(FanOut, dst, seed) }

// FillBy is Fill with another rule for the weights of convolutions.
func (p Param) FillBy(rule InitRule, dst []float32, seed uint64) {
	switch p.Kind {
	case ConvWeight:
		newDraws(seed, p.Name).normal(dst, math.Sqrt(2/float64(rule.fan(p))))
	case LinearWeight:
		newDraws(seed, p.Name).uniform(dst, 1/math.Sqrt(float64(p.Shape[1])))
	case Gamma, RunningVar:
		for i := range dst {
			dst[i] = 1
		}
	default:
		clear(dst)
	}
}

// draws is a stream of random numbers that can be entered anywhere: Philox with
// the seed as its key and (index, attempt, hash of the name) as its counter.
type draws struct {
	seed, stream uint64
}

func newDraws(seed uint64, name string) draws {
	h := fnv.New64a()
	h.Write([]byte(name)) // a hash never returns an error
	return draws{seed, h.Sum64()}
}

// pair returns two numbers in [0, 1) of 53 bits each.
func (d draws) pair(index, attempt uint32) (u, v float64) {
	r := philox([4]uint32{index, attempt, uint32(d.stream), uint32(d.stream >> 32)}, [2]uint32{uint32(d.seed), uint32(d.seed >> 32)})
	return unit(r[0], r[1]), unit(r[2], r[3])
}

// unit makes a number in [0, 1) out of 53 of 64 bits.
func unit(lo, hi uint32) float64 {
	return float64((uint64(hi)<<32|uint64(lo))>>11) * (1.0 / (1 << 53))
}

// uniform fills dst with numbers between -bound and bound.
func (d draws) uniform(dst []float32, bound float64) {
	for i := range dst {
		u, _ := d.pair(uint32(i), 0)
		dst[i] = float32(float64(float64(2*u)-1) * bound)
	}
}

// normal fills dst with normal numbers of mean 0 and the given deviation, two
// at a time by Marsaglia's polar method: of the elementary functions it needs
// only the logarithm and the square root.
func (d draws) normal(dst []float32, deviation float64) {
	for i := 0; i < len(dst); i += 2 {
		var u, v, s float64
		for attempt := uint32(0); s >= 1 || s == 0; attempt++ {
			u, v = d.pair(uint32(i/2), attempt)
			u, v = float64(2*u)-1, float64(2*v)-1
			s = float64(u*u) + float64(v*v)
		}
		scale := deviation * math.Sqrt(float64(-2*logarithm(s))/s)
		dst[i] = float32(u * scale)
		if i+1 < len(dst) {
			dst[i+1] = float32(v * scale)
		}
	}
}

// logarithm returns ln x for normal x > 0 with a relative error of a few units
// in the last place, by ln m = 2·(t + t³/3 + t⁵/5 + …), t = (m-1)/(m+1), for m
// near 1. math.Log may differ in its last bit between platforms.
func logarithm(x float64) float64 {
	m, exp := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m, exp = 2*m, exp-1
	}
	t := (m - 1) / (m + 1)
	t2 := t * t
	sum := 0.0
	for _, c := range odd {
		sum = float64(sum*t2) + c
	}
	return float64(float64(2*t)*sum) + float64(float64(exp)*math.Ln2)
}

// odd holds the coefficients of the series, the last first; |t| <= 0.172, so the
// first that is left out is below 1e-20.
var odd = [...]float64{1. / 25, 1. / 23, 1. / 21, 1. / 19, 1. / 17, 1. / 15, 1. / 13, 1. / 11, 1. / 9, 1. / 7, 1. / 5, 1. / 3, 1}

// philox is Philox4x32-10 of Salmon et al., Parallel Random Numbers: As Easy as
// 1, 2, 3, SC 2011: ten rounds over the counter ctr with the given key.
func philox(ctr [4]uint32, key [2]uint32) [4]uint32 {
	for range 10 {
		hi0, lo0 := bits.Mul32(0xD2511F53, ctr[0])
		hi1, lo1 := bits.Mul32(0xCD9E8D57, ctr[2])
		ctr = [4]uint32{hi1 ^ ctr[1] ^ key[0], lo1, hi0 ^ ctr[3] ^ key[1], lo0}
		key[0] += 0x9E3779B9
		key[1] += 0xBB67AE85
	}
	return ctr
}
