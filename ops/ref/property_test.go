package ref

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// draw makes a convolution of random shape: geometry, input, weights, and an
// upstream gradient.
func draw(t *rapid.T) (g Geometry, x, w, dy *Tensor) {
	dim := func(name string, lo, hi int) int { return rapid.IntRange(lo, hi).Draw(t, name) }
	g = Geometry{R: dim("r", 1, 4), S: dim("s", 1, 4), Stride: dim("stride", 1, 3), Pad: dim("pad", 0, 2)}
	if rapid.Bool().Draw(t, "pool") {
		g = Geometry{R: 1, S: 1, Stride: 1, Pool: true}
	}
	c, k, n, h, width := dim("c", 1, 4), dim("k", 1, 4), dim("n", 1, 3), dim("h", 4, 7), dim("w", 4, 7)
	r := source(rapid.Uint64().Draw(t, "seed"))
	p, q := g.Out(h, width)
	return g, Random(r, c, n, h, width), Random(r, k, c, g.R, g.S), Random(r, k, n, p, q)
}

func inner(a, b *Tensor) (s float64) {
	for i := range a.Data {
		s += a.Data[i] * b.Data[i]
	}
	return s
}

// largest returns the largest |value| of x.
func largest(x *Tensor) (m float64) {
	for _, v := range x.Data {
		m = math.Max(m, math.Abs(v))
	}
	return m
}

// agree demands equal tensors to 1e-12 of the largest value.
func agree(t *rapid.T, want, got *Tensor) {
	t.Helper()
	sameShape("test", want, got)
	for i := range want.Data {
		if !(math.Abs(want.Data[i]-got.Data[i]) <= 1e-12*math.Max(1, largest(want))) {
			t.Fatalf("element %d: got %g, want %g", i, got.Data[i], want.Data[i])
		}
	}
}

func TestConvIsLinear(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g, x, w, _ := draw(t)
		r := source(rapid.Uint64().Draw(t, "other"))
		other, weights := Random(r, x.C, x.N, x.H, x.W), Random(r, w.C, w.N, w.H, w.W)
		y := Conv(g, one(x), nil, w, nil)
		agree(t, Add(scaled(y, 2), Conv(g, one(other), nil, w, nil)), Conv(g, one(Add(scaled(x, 2), other)), nil, w, nil))
		agree(t, Add(scaled(y, 2), Conv(g, one(x), nil, weights, nil)), Conv(g, one(x), nil, Add(scaled(w, 2), weights), nil))
	})
}

// TestConvAdjoint: ⟨conv(x), dy⟩ = ⟨x, convᵀ(dy)⟩ = ⟨w, dw⟩.
func TestConvAdjoint(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g, x, w, dy := draw(t)
		want := inner(Conv(g, one(x), nil, w, nil), dy)
		near(t, want, inner(x, ConvBackwardData(g, dy, w, x.H, x.W)), 1e-11)
		near(t, want, inner(w, ConvBackwardWeights(g, one(x), nil, dy)), 1e-11)
	})
}

// TestConvReadsConcatenations: a list of inputs is their concatenation, and every
// channel keeps its weights.
func TestConvReadsConcatenations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g, x, w, dy := draw(t)
		cut := rapid.IntRange(0, x.C).Draw(t, "cut")
		a, b := x.Slice(0, cut), x.Slice(cut, x.C)
		agree(t, x, Concat(a, b))
		y := Conv(g, one(x), nil, w, nil)
		agree(t, y, Conv(g, []*Tensor{a, b}, nil, w, nil))
		parts := Add(Conv(g, one(a), nil, columns(w, 0, cut), nil), Conv(g, one(b), nil, columns(w, cut, x.C), nil))
		agree(t, y, parts)
		agree(t, ConvBackwardData(g, dy, w, x.H, x.W).Slice(cut, x.C), ConvBackwardData(g, dy, columns(w, cut, x.C), x.H, x.W))
	})
}

// TestConvOfAnImpulse: an input of one 1 gives the window, turned, around it.
func TestConvOfAnImpulse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := Random(source(rapid.Uint64().Draw(t, "seed")), 1, 1, 3, 3)
		y, x := rapid.IntRange(0, 4).Draw(t, "y"), rapid.IntRange(0, 3).Draw(t, "x")
		in := New(1, 1, 5, 4)
		in.Data[in.Index(0, 0, y, x)] = 1
		out, want := Conv(same3x3, one(in), nil, w, nil), New(1, 1, 5, 4)
		for dy := -1; dy <= 1; dy++ {
			for dx := -1; dx <= 1; dx++ {
				if p, q := y+dy, x+dx; 0 <= p && p < 5 && 0 <= q && q < 4 {
					want.Data[want.Index(0, 0, p, q)] = w.Data[(1-dy)*3+1-dx]
				}
			}
		}
		agree(t, want, out)
	})
}

// TestPoolFirst: averaging commutes with a 1x1 convolution, forward and backward.
func TestPoolFirst(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		_, x, _, _ := draw(t)
		r, two := source(rapid.Uint64().Draw(t, "weights")), Window{2, 2, 2, 0}
		w := Random(r, 3, x.C, 1, 1)
		l := NewLinks(BatchStats(x), Random(r, x.C, 1, 1, 1), Random(r, x.C, 1, 1, 1))
		dy := Random(r, 3, x.N, x.H/2, x.W/2)
		agree(t, AvgPool(two, Conv(pointwise, one(x), &l, w, nil)), Conv(transition, one(x), &l, w, nil))
		late := AvgPoolBackward(two, dy, x.H, x.W)
		agree(t, ConvBackwardData(pointwise, late, w, x.H, x.W), ConvBackwardData(transition, dy, w, x.H, x.W))
		agree(t, ConvBackwardWeights(pointwise, one(x), &l, late), ConvBackwardWeights(transition, one(x), &l, dy))
	})
}

// TestBatchNormMoments: mean beta, variance gamma²·var/(var+eps); and the scale of
// x does not matter, up to eps.
func TestBatchNormMoments(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		_, x, _, _ := draw(t)
		r := source(rapid.Uint64().Draw(t, "affine"))
		gamma, beta := Random(r, x.C, 1, 1, 1), Random(r, x.C, 1, 1, 1)
		s := BatchStats(x)
		y := BatchNorm(x, s, gamma, beta)
		after := BatchStats(y)
		larger := scaled(x, 1000)
		again := BatchNorm(larger, BatchStats(larger), gamma, beta)
		for c := range x.C {
			near(t, beta.Data[c], after.Mean.Data[c], 1e-11)
			v := s.Var.Data[c]
			near(t, gamma.Data[c]*gamma.Data[c]*v/(v+Eps), after.Var.Data[c], 1e-11)
		}
		for i, v := range again.Data {
			c := i / x.Plane()
			near(t, y.Data[i], v, Eps/s.Var.Data[c]*math.Abs(y.Data[i]-beta.Data[c])+1e-9)
		}
	})
}

// TestTilesMerge: Chan's rule over tiles of any size gives the plain statistics.
func TestTilesMerge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		_, x, _, _ := draw(t)
		offset := rapid.SampledFrom([]float64{0, 5, 1000}).Draw(t, "mean")
		for i := range x.Data {
			x.Data[i] += offset
		}
		tile := rapid.IntRange(1, x.Plane()+1).Draw(t, "tile")
		want, got := BatchStats(x), MergeStats(StatTiles(x, tile), tile, x.Plane())
		for i, v := range want.Words().Data {
			near(t, v, got.Words().Data[i], 1e-10)
		}
	})
}

// TestPoolsKeepChannelsApart: pooling commutes with a permutation of channels.
func TestPoolsKeepChannelsApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		_, x, _, _ := draw(t)
		p := Window{rapid.IntRange(2, 3).Draw(t, "r"), 2, rapid.IntRange(1, 2).Draw(t, "stride"), rapid.IntRange(0, 1).Draw(t, "pad")}
		order := rapid.Permutation(channels(x)).Draw(t, "order")
		permuted := pick(x, order)
		agree(t, pick(MaxPool(p, x), order), MaxPool(p, permuted))
		p.Pad = 0
		agree(t, pick(AvgPool(p, x), order), AvgPool(p, permuted))
	})
}

func channels(x *Tensor) []int {
	c := make([]int, x.C)
	for i := range c {
		c[i] = i
	}
	return c
}

func pick(x *Tensor, order []int) *Tensor {
	var planes []*Tensor
	for _, c := range order {
		planes = append(planes, x.Slice(c, c+1))
	}
	return Concat(planes...)
}
