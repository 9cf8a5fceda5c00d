package ref

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// These tests run formulas in float32, as a kernel would, and hold them against
// the tolerance that magnitudes give: what is well written must pass with room,
// what loses digits must fail.

// share returns the largest error of got as a share of the tolerance of
// CONVENTIONS.md section 7: 16·u·m, capped by the length bound.
func share(got []float32, want *Tensor) float64 {
	worst := 0.0
	for i, g := range got {
		c := 16.0
		if want.Len > 0 {
			c = math.Min(c, float64(want.Len)/(1-float64(want.Len)/(1<<24)))
		}
		s := math.Abs(float64(g)-want.Data[i]) / (c*want.Mag[i]/(1<<24) + 0x1p-126)
		if math.IsNaN(s) {
			return s
		}
		worst = math.Max(worst, s)
	}
	return worst
}

func passes(t *testing.T, got []float32, want *Tensor) {
	t.Helper()
	s := share(got, want)
	assert.True(t, s <= 1, "%.3g of the tolerance", s)
	t.Logf("%.2f of the tolerance", s)
}

func fails(t *testing.T, got []float32, want *Tensor) {
	t.Helper()
	s := share(got, want)
	assert.False(t, s <= 1, "a wrong form passes with %.3g of the tolerance", s)
}

func TestDotProducts(t *testing.T) {
	for _, terms := range []int{1, 9, 144, 20736} {
		t.Run(fmt.Sprint(terms), func(t *testing.T) {
			r := source(uint64(terms))
			x, w := Random(r, terms, 8, 1, 1), Random(r, 1, terms, 1, 1)
			y, dropped := make([]float32, 8), make([]float32, 8)
			for n := range y {
				for c := range terms {
					y[n] += float32(w.Data[c]) * float32(x.Data[c*8+n])
				}
				last := terms - 1
				dropped[n] = y[n] - float32(w.Data[last])*float32(x.Data[last*8+n])
			}
			want := Conv(pointwise, one(x), nil, w, nil)
			passes(t, y, want)
			fails(t, dropped, want)
			y[3] = float32(math.NaN())
			fails(t, y, want)
		})
	}
}

// shifted returns x with mean times its deviation added, in float32 values.
func shifted(r *rand.Rand, mean float64, n int) *Tensor {
	x := Random(r, 1, 1, 1, n)
	for i := range x.Data {
		x.Data[i] = float64(float32(x.Data[i] + mean))
	}
	return x
}

// stats32 takes statistics in float32: tiles of tile elements, each in two passes,
// merged by Chan's rule.
func stats32(x []float32, tile int) []float32 {
	var na, mean, m2 float32
	for lo := 0; lo < len(x); lo += tile {
		part := x[lo:min(lo+tile, len(x))]
		var s, q float32
		for _, v := range part {
			s += v
		}
		nb := float32(len(part))
		mb := s / nb
		for _, v := range part {
			q += (v - mb) * (v - mb)
		}
		d, n := mb-mean, na+nb
		mean += d * (nb / n)
		m2 += q + d*d*(na*nb/n)
		na = n
	}
	v := m2 / na
	return []float32{mean, v, 1 / float32(math.Sqrt(float64(v+Eps))), na}
}

// onePass is what must not pass: E[x²] - E[x]².
func onePass(x []float32) []float32 {
	var s, q float32
	for _, v := range x {
		s += v
		q += v * v
	}
	n := float32(len(x))
	mean := s / n
	v := q/n - mean*mean
	return []float32{mean, v, 1 / float32(math.Sqrt(float64(v+Eps))), n}
}

func TestStatistics(t *testing.T) {
	for _, mean := range []float64{0, 1, 20, 100, 1000} {
		t.Run(fmt.Sprint(mean), func(t *testing.T) {
			x := shifted(source(40), mean, 16384)
			want := BatchStats(x).Words()
			for _, tile := range []int{64, 256, 1024} {
				passes(t, stats32(x.Float32(), tile), want)
			}
			if mean >= 20 {
				fails(t, onePass(x.Float32()), want)
			}
		})
	}
	// Structured planes: tile means far from the mean are where merging rounds.
	x := shifted(source(41), 100, 4096)
	for i := range x.Data {
		x.Data[i] = float64(float32(x.Data[i] + float64(i/512)))
	}
	passes(t, stats32(x.Float32(), 64), BatchStats(x).Words())
}

func TestNormalizeFarFromTheMean(t *testing.T) {
	for _, mean := range []float64{0, 100} {
		x := shifted(source(42), mean, 4096)
		s := BatchStats(x).Round()
		gamma, beta := Vec(1.5), Vec(-0.25)
		want := BatchNorm(x, s, gamma, beta)
		mu, istd := float32(s.Mean.Data[0]), float32(s.Istd.Data[0])
		straight, folded := make([]float32, 4096), make([]float32, 4096)
		a := 1.5 * istd
		b := -0.25 - mu*a
		for i, v := range x.Float32() {
			straight[i] = ((v-mu)*istd)*1.5 - 0.25
			folded[i] = v*a + b
		}
		passes(t, straight, want)
		if mean > 0 {
			fails(t, folded, want)
		}
	}
}

// TestBatchNormChain takes statistics, normalises and goes back in float32 alone.
func TestBatchNormChain(t *testing.T) {
	for _, mean := range []float64{0, 3, 100} {
		r := source(43)
		x, gamma, beta, dy := shifted(r, mean, 4096), Vec(1.5), Vec(-0.25), Random(r, 1, 1, 1, 4096)
		s32 := stats32(x.Float32(), 256)
		mu, istd, x32, dy32 := s32[0], s32[2], x.Float32(), dy.Float32()
		y, dx := make([]float32, 4096), make([]float32, 4096)
		var dgamma, dbeta float32
		for i, v := range x32 {
			h := (v - mu) * istd
			y[i] = h*1.5 - 0.25
			dgamma += dy32[i] * h
			dbeta += dy32[i]
		}
		for i, v := range x32 {
			dx[i] = 1.5 * istd * (dy32[i] - dbeta/4096 - (v-mu)*istd*(dgamma/4096))
		}
		s := BatchStats(x)
		passes(t, y, BatchNorm(x, s, gamma, beta))
		wantX, wantGamma, wantBeta := BatchNormBackward(x, s, gamma, dy)
		passes(t, dx, wantX)
		passes(t, []float32{dgamma}, wantGamma)
		passes(t, []float32{dbeta}, wantBeta)
		for i := range dx {
			dx[i] += 1.5 * istd * dbeta / 4096 // the mean term forgotten
		}
		fails(t, dx, wantX)
	}
}

// TestGatherIn32 runs one 1x1 reader's gather and finalise in float32.
func TestGatherIn32(t *testing.T) {
	for _, mean := range []float64{0, 100} {
		r := source(44)
		x := shifted(r, mean, 1024)
		s := BatchStats(x).Round()
		gamma, beta := Vec(0.75), Vec(0.25)
		ClearKinks(x, 1e-3, NewLinks(s, gamma, beta))
		dy, w := Random(r, 3, 1, 1, 1024), Random(r, 3, 1, 1, 1)
		got := Gather(x, s, []Reader{{Geometry: pointwise, DY: dy, W: w, Gamma: gamma, Beta: beta}})
		want := Finalise(x, got.G, got.Coef, nil)

		mu, istd := float32(s.Mean.Data[0]), float32(s.Istd.Data[0])
		x32, dy32, w32 := x.Float32(), dy.Float32(), w.Float32()
		g, dx := make([]float32, 1024), make([]float32, 1024)
		var dgamma, dbeta float32
		for i, v := range x32 {
			h := (v - mu) * istd
			d := w32[0]*dy32[i] + w32[1]*dy32[1024+i] + w32[2]*dy32[2048+i]
			if h*0.75+0.25 <= 0 {
				d = 0
			}
			g[i] = 0.75 * d
			dbeta += d
			dgamma += d * h
		}
		m1, m2 := 0.75*dbeta/1024, 0.75*dgamma/1024
		b, k := -istd*istd*m2, istd*(mu*istd*m2-m1)
		for i, v := range x32 {
			dx[i] = istd*g[i] + b*v + k
		}
		passes(t, g, got.G)
		passes(t, []float32{dgamma}, got.DGamma[0])
		passes(t, []float32{dbeta}, got.DBeta[0])
		passes(t, []float32{istd, b, k, 0}, got.Coef)
		passes(t, dx, want)
		for i := range dx {
			dx[i] -= k
		}
		fails(t, dx, want)
	}
}

func TestSoftmaxIn32(t *testing.T) {
	for _, size := range []float64{1, 10} {
		r := source(45)
		const k, n = 100, 16
		x := Random(r, k, n, 1, 1)
		labels := make([]int, n)
		for i := range x.Data {
			x.Data[i] = float64(float32(size * x.Data[i]))
		}
		want := SoftmaxCrossEntropy(x, labels, n, 1, 0)
		loss, unshifted, d := make([]float32, n), make([]float32, n), make([]float32, k*n)
		x32 := x.Float32()
		exp32 := func(v float32) float32 { return float32(math.Exp(float64(v))) }
		for i := range n {
			top, s, raw := x32[i], float32(0), float32(0)
			for c := range k {
				top = max(top, x32[c*n+i])
			}
			for c := range k {
				s += exp32(x32[c*n+i] - top)
				raw += exp32(x32[c*n+i] + 60)
			}
			loss[i] = float32(math.Log(float64(s))) - (x32[i] - top)
			unshifted[i] = float32(math.Log(float64(raw))) - (x32[i] + 60)
			for c := range k {
				d[c*n+i] = exp32(x32[c*n+i]-top) / s
				if c == labels[i] {
					d[c*n+i]--
				}
				d[c*n+i] /= n
			}
		}
		passes(t, loss, want.PerImage)
		passes(t, d, want.DLogits)
		if size > 1 {
			fails(t, unshifted, want.PerImage) // overflows
		}
		d[5] += d[5] * 1e-4
		fails(t, d, want.DLogits)
	}
}

// TestSoftmaxWithLooseDrivers: exp and ln that miss by all that Vulkan grants (3 +
// 2|x| ulp; 2⁻²¹ near 1, 3 ulp elsewhere), always to the same side, are accepted.
func TestSoftmaxWithLooseDrivers(t *testing.T) {
	const ulp = 0x1p-23
	for _, size := range []float64{0.001, 1, 30} {
		r := source(49)
		x := Random(r, 8, 16, 1, 1)
		for i := range x.Data {
			x.Data[i] = float64(float32(size * x.Data[i]))
		}
		want := SoftmaxCrossEntropy(x, make([]int, 16), 16, 1, 0)
		loss, p := make([]float32, 16), make([]float32, 8*16)
		for i := range 16 {
			top, s := x.Data[i], 0.0
			for c := range 8 {
				top = math.Max(top, x.Data[c*16+i])
			}
			e := func(c int) float64 {
				d := x.Data[c*16+i] - top
				return math.Exp(d) * (1 + (3+2*math.Abs(d))*ulp)
			}
			for c := range 8 {
				s += e(c)
			}
			ln := math.Log(s) + math.Max(0x1p-21, 3*ulp*math.Log(s))
			loss[i] = float32(ln - (x.Data[i] - top))
			for c := range 8 {
				p[c*16+i] = float32(e(c) / s / 16)
				if c == 0 {
					p[i] = float32((e(0)/s - 1) / 16)
				}
			}
		}
		passes(t, loss, want.PerImage)
		passes(t, p, want.DLogits)
	}
}

func TestUpdatesIn32(t *testing.T) {
	r := source(46)
	w, v, dw := Random(r, 256, 1, 1, 1), Random(r, 256, 1, 1, 1), Random(r, 256, 1, 1, 1)
	rate, mu, decay := float32(0.1), float32(0.9), float32(1e-4)
	o := SGD{float64(rate), float64(mu), float64(decay), 1, true}
	wantW, wantV := o.Step(w, v, dw)
	gotW, gotV := w.Float32(), v.Float32()
	noDecay := make([]float32, len(gotW))
	for i, d := range dw.Float32() {
		g := d + decay*gotW[i]
		gotV[i] = mu*gotV[i] + g
		noDecay[i] = gotW[i] - rate*(d+mu*gotV[i])
		gotW[i] -= rate * (g + mu*gotV[i])
	}
	passes(t, gotW, wantW)
	passes(t, gotV, wantV)
	fails(t, noDecay, wantW)

	b := Batch{C: 1, H: 16, W: 16, Mean: []float64{0.4914}, Std: []float64{0.2470}, Valid: 1}
	raw, got := make([]byte, 256), make([]float32, 256)
	for i := range raw {
		raw[i] = byte(i)
		got[i] = (float32(i)/255 - float32(0.4914)) * (1 / float32(0.2470))
	}
	want := b.Forward(raw)
	passes(t, got, want)
	for i := range got {
		got[i] *= 255.0 / 256
	}
	fails(t, got, want)
}

func TestPoolsIn32(t *testing.T) {
	x := Random(source(47), 1, 64, 8, 8)
	got := make([]float32, 64)
	for i, v := range x.Float32() {
		got[i/64] += v
	}
	for i := range got {
		got[i] *= 1.0 / 64
	}
	passes(t, got, GlobalAvgPool(x))
	got[7] *= 64.0 / 63
	fails(t, got, GlobalAvgPool(x))
}

// TestExactResultsHaveNoTolerance: what copies and selects must be equal.
func TestExactResultsHaveNoTolerance(t *testing.T) {
	x := Distinct(source(48), 2, 2, 4, 4)
	two := Window{2, 2, 2, 0}
	for name, y := range map[string]*Tensor{"relu": ReLU(x), "relu backward": ReLUBackward(x, x), "concat": Concat(x, x), "max pool": MaxPool(two, x),
		"slice": x.Slice(1, 2), "fill": Fill(1, 1, 1, 1, 3)} {
		require.Len(t, y.Mag, len(y.Data), name)
		for _, m := range y.Mag {
			require.Zero(t, m, name)
		}
	}
	// A magnitude travels through them.
	y := Conv(pointwise, one(x), nil, Fill(1, 2, 1, 1, 3), nil)
	z := MaxPool(two, ReLU(y))
	assert.Equal(t, y.Len, z.Len)
	for i, m := range z.Mag {
		assert.GreaterOrEqual(t, m, z.Data[i])
	}
}
