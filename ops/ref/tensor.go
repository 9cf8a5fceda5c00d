package ref

import (
	"fmt"
	"slices"
)

// A Tensor holds C planes of N·H·W values in the order [C][N][H][W]. Weights
// [K][C][R][S] are a Tensor with C = K, N = C, H = R, W = S, a vector has one
// element per plane, and features of a batch are [C][N][1][1].
type Tensor struct {
	C, N, H, W int
	Data       []float64
	// Mag is the magnitude of each value. Every result has one; nil means that all
	// values are exact, as those of inputs are.
	Mag []float64
	// Len bounds the number of roundings on the way to any value, in whatever order
	// float32 takes its sums; 0 if no bound is stated.
	Len int
}

// New returns a tensor of zeros.
func New(c, n, h, w int) *Tensor {
	return From(c, n, h, w, make([]float64, c*n*h*w))
}

// From returns a tensor over data, which it keeps.
func From(c, n, h, w int, data []float64) *Tensor {
	check(len(data) == c*n*h*w, "tensor: %d values for [%d][%d][%d][%d]", len(data), c, n, h, w)
	return &Tensor{C: c, N: n, H: h, W: w, Data: data}
}

// Vec returns a vector: one plane of one element per value.
func Vec(data ...float64) *Tensor { return From(len(data), 1, 1, 1, data) }

// From32 returns a tensor with the values of data.
func From32(c, n, h, w int, data []float32) *Tensor {
	t := New(c, n, h, w)
	check(len(data) == len(t.Data), "tensor: %d values for [%d][%d][%d][%d]", len(data), c, n, h, w)
	for i, v := range data {
		t.Data[i] = float64(v)
	}
	return t
}

// Float32 returns the values, rounded.
func (t *Tensor) Float32() []float32 {
	out := make([]float32, len(t.Data))
	for i, v := range t.Data {
		out[i] = float32(v)
	}
	return out
}

// Round returns the values rounded to float32, as exact values: what a kernel
// gets when the result of one operation is uploaded as the input of the next.
func (t *Tensor) Round() *Tensor { return From32(t.C, t.N, t.H, t.W, t.Float32()) }

// Clone returns a copy.
func (t *Tensor) Clone() *Tensor {
	c := *t
	c.Data, c.Mag = slices.Clone(t.Data), slices.Clone(t.Mag)
	return &c
}

// Plane returns the number of values per channel, N·H·W.
func (t *Tensor) Plane() int { return t.N * t.H * t.W }

// Index returns where the value of channel c, image n, row y and column x lies.
func (t *Tensor) Index(c, n, y, x int) int { return ((c*t.N+n)*t.H+y)*t.W + x }

// Slice returns a copy of planes [lo, hi).
func (t *Tensor) Slice(lo, hi int) *Tensor {
	check(0 <= lo && lo <= hi && hi <= t.C, "tensor: slice [%d,%d) of %d planes", lo, hi, t.C)
	s, p := New(hi-lo, t.N, t.H, t.W), t.Plane()
	s.Len = t.Len
	for i := range s.Data {
		s.set(i, t.at(lo*p+i))
	}
	return s
}

func (t *Tensor) at(i int) num {
	if t.Mag == nil {
		return num{v: t.Data[i]}
	}
	return num{t.Data[i], t.Mag[i]}
}

func (t *Tensor) set(i int, a num) {
	if t.Mag == nil {
		t.Mag = make([]float64, len(t.Data))
	}
	t.Data[i], t.Mag[i] = a.v, a.m
}

// inexact reports whether any value carries a rounding.
func (t *Tensor) inexact() bool {
	return slices.ContainsFunc(t.Mag, func(m float64) bool { return m != 0 })
}

// length returns the number of roundings of a result that takes k of its own
// on inputs in: 0, unknown, if an inexact input does not know its own.
func length(k int, in ...*Tensor) int {
	for _, t := range in {
		if t == nil || !t.inexact() {
			continue
		}
		if t.Len == 0 {
			return 0
		}
		k += t.Len
	}
	return k
}

func sameShape(op string, a, b *Tensor) {
	check(a.C == b.C && a.N == b.N && a.H == b.H && a.W == b.W, "%s: shapes [%d][%d][%d][%d] and [%d][%d][%d][%d] differ",
		op, a.C, a.N, a.H, a.W, b.C, b.N, b.H, b.W)
}

func check(ok bool, format string, args ...any) {
	if !ok {
		panic(fmt.Sprintf("ref: "+format, args...))
	}
}
