package ref

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// same demands that got has the shape of want and its values within tol.
func same(t *testing.T, want, got *Tensor, tol float64) {
	t.Helper()
	require.Equal(t, [4]int{want.C, want.N, want.H, want.W}, [4]int{got.C, got.N, got.H, got.W}, "shape")
	for i := range want.Data {
		if !(math.Abs(got.Data[i]-want.Data[i]) <= tol) {
			require.Failf(t, "values differ", "element %d: got %g, want %g, tolerance %g", i, got.Data[i], want.Data[i], tol)
		}
	}
}

// plane is one channel of one image.
func plane(h, w int, v ...float64) *Tensor { return From(1, 1, h, w, v) }

func one(x *Tensor) []*Tensor { return []*Tensor{x} }

func TestConvByHand(t *testing.T) {
	x := plane(3, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9)
	w := plane(2, 2, 1, 2, 3, 4)
	g := Geometry{R: 2, S: 2, Stride: 1}
	y := Conv(g, one(x), nil, w, Vec(-100))
	same(t, plane(2, 2, -63, -53, -33, -23), y, 0)
	assert.Equal(t, []float64{137, 147, 167, 177}, y.Mag, "a magnitude is Σ|terms|")
	assert.Equal(t, 5, y.Len)

	dy := plane(2, 2, 1, 0, 0, 10)
	same(t, plane(3, 3, 1, 2, 0, 3, 14, 20, 0, 30, 40), ConvBackwardData(g, dy, w, 3, 3), 0)
	same(t, plane(2, 2, 51, 62, 84, 95), ConvBackwardWeights(g, one(x), nil, dy), 0)
	same(t, Vec(11), ConvBackwardBias(dy), 0)
}

func TestConvPadsAndStrides(t *testing.T) {
	x, ones := plane(3, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9), plane(3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1)
	same(t, plane(2, 2, 12, 16, 24, 28), Conv(Geometry{R: 3, S: 3, Stride: 2, Pad: 1}, one(x), nil, ones, nil), 0)

	// Not square: a 1x3 window over 2 rows of 3, and the widths of the concatenation.
	a, b := plane(2, 3, 1, 2, 3, 4, 5, 6), plane(2, 3, 1, 1, 1, 1, 1, 1)
	w := From(1, 2, 1, 3, []float64{1, 10, 100, 0, 0, 1000})
	same(t, plane(2, 1, 1321, 1654), Conv(Geometry{R: 1, S: 3, Stride: 1}, []*Tensor{a, b}, nil, w, nil), 0)
}

func TestPaddingComesAfterActivation(t *testing.T) {
	x := plane(2, 2, 5, 5, 5, 5)
	l := &Links{Vec(5), Vec(1), Vec(3), Vec(1)} // z = 1 inside the image
	y := Conv(Geometry{R: 3, S: 3, Stride: 1, Pad: 1}, one(x), l, plane(3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1), nil)
	same(t, plane(2, 2, 4, 4, 4, 4), y, 0)

	l.Beta = Vec(-1) // z = 0
	same(t, plane(1, 1, 0), Conv(Geometry{R: 1, S: 1, Stride: 1, Pool: true}, one(x), l, plane(1, 1, 7), nil), 0)
	l = &Links{Vec(5), Vec(2), Vec(0.5), Vec(0)} // z = max(x-5, 0)
	x = plane(2, 3, 9, 1, 100, 1, 13, 100)       // the odd column is in no window
	same(t, plane(1, 1, 21), Conv(Geometry{R: 1, S: 1, Stride: 1, Pool: true}, one(x), l, plane(1, 1, 7), nil), 0)
}

func TestBatchNormByHand(t *testing.T) {
	x := plane(1, 2, 1, 3)
	s := BatchStats(x)
	istd := 1 / math.Sqrt(1+1e-5)
	same(t, plane(1, 4, 2, 1, istd, 2), s.Words(), 1e-15)
	same(t, plane(1, 2, 1-2*istd, 1+2*istd), BatchNorm(x, s, Vec(2), Vec(1)), 1e-15)

	mean, variance := RunningUpdate(Vec(10), Vec(100), s, 0.1)
	same(t, Vec(9.2), mean, 1e-14)
	same(t, Vec(90.2), variance, 1e-14) // unbiased: 1·2/(2-1)
	same(t, plane(1, 4, 10, 100, 1/math.Sqrt(100+1e-5), 8), RunningStats(Vec(10), Vec(100), 8).Words(), 1e-16)

	single := BatchStats(plane(1, 1, 7))
	mean, variance = RunningUpdate(Vec(0), Vec(1), single, 0.1)
	same(t, Vec(0.7), mean, 1e-15)
	same(t, Vec(0.9), variance, 1e-15)
}

func TestReLUByHand(t *testing.T) {
	same(t, Vec(0, 0, 2), ReLU(Vec(-1, 0, 2)), 0)
	same(t, Vec(0, 0, 7), ReLUBackward(Vec(0, 0, 2), Vec(5, 6, 7)), 0)
	assert.Equal(t, []float64{0, 0, 0}, ReLU(Vec(-1, 0, 2)).Mag, "exact")
}

func TestPoolsByHand(t *testing.T) {
	// Ties: the first in row-major order wins.
	x := plane(2, 4, 1, 5, 3, 3, 5, 5, 3, 3)
	p := Window{2, 2, 2, 0}
	same(t, plane(1, 2, 5, 3), MaxPool(p, x), 0)
	same(t, plane(2, 4, 0, 10, 20, 0, 0, 0, 0, 0), MaxPoolBackward(p, x, plane(1, 2, 10, 20)), 0)

	// 3x3 stride 2 padding 1: windows overlap, negative values beat the padding.
	x = plane(3, 3, -9, -8, -7, -6, -1, -5, -4, -3, -2)
	p = Window{3, 3, 2, 1}
	same(t, plane(2, 2, -1, -1, -1, -1), MaxPool(p, x), 0)
	same(t, plane(3, 3, 0, 0, 0, 0, 10, 0, 0, 0, 0), MaxPoolBackward(p, x, plane(2, 2, 1, 2, 3, 4)), 0)

	x = plane(3, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9)
	p = Window{2, 2, 1, 0}
	same(t, plane(2, 2, 3, 4, 6, 7), AvgPool(p, x), 0)
	same(t, plane(3, 3, 1, 3, 2, 4, 10, 6, 3, 7, 4), AvgPoolBackward(p, plane(2, 2, 4, 8, 12, 16), 3, 3), 0)
	same(t, plane(1, 1, 5), GlobalAvgPool(x), 1e-15)
	same(t, plane(2, 2, 3, 3, 3, 3), GlobalAvgPoolBackward(plane(1, 1, 12), 2, 2), 0)
}

func TestActPoolByHand(t *testing.T) {
	l := Links{Vec(1, 0), Vec(2, 1), Vec(-1, 1), Vec(0, 0)} // max(2 - 2x, 0) and max(x, 0)
	got := ActPool([]*Tensor{plane(1, 2, -1, 2), plane(1, 2, 4, 5)}, l)
	same(t, From(2, 1, 1, 1, []float64{2, 4.5}), got, 0)
}

func TestBNPoolByHand(t *testing.T) {
	l := Links{Vec(1), Vec(2), Vec(-1), Vec(0)} // z = max(2 - 2x, 0)
	same(t, plane(1, 1, 4), BNPool(Window{2, 2, 2, 0}, plane(2, 2, -1, 0, 1, 2), l), 0)
}

func TestConcatByHand(t *testing.T) {
	a, b := Vec(1, 2), Vec(3)
	same(t, Vec(1, 2, 3), Concat(a, b), 0)
	d := ConcatBackward(Vec(10, 20, 30), []*Tensor{a, b})
	same(t, Vec(11, 22), d[0], 0)
	same(t, Vec(33), d[1], 0)
}

func TestLinearByHand(t *testing.T) {
	x := From(2, 1, 1, 1, []float64{3, 4})
	w := From(3, 2, 1, 1, []float64{1, 2, 10, 20, 100, -200})
	same(t, From(3, 1, 1, 1, []float64{11, 111, -500}), Linear(x, w, Vec(0, 1, 0)), 0)
	dx, dw, db := LinearBackward(x, w, From(3, 1, 1, 1, []float64{1, 0, 2}))
	same(t, From(2, 1, 1, 1, []float64{201, -398}), dx, 0)
	same(t, From(3, 2, 1, 1, []float64{3, 4, 0, 0, 6, 8}), dw, 0)
	same(t, Vec(1, 0, 2), db, 0)
}

func TestSoftmaxByHand(t *testing.T) {
	// Three images of two classes; the third does not count.
	x := From(2, 3, 1, 1, []float64{0, 0, 9, 0, math.Log(3), 9})
	l := SoftmaxCrossEntropy(x, []int{0, 0, 0}, 2, 8, 0)
	same(t, Vec(math.Ln2, math.Log(4), 0), l.PerImage, 1e-15)
	same(t, Vec(math.Log(8)/2), l.Mean, 1e-15)
	same(t, Vec(math.Log(8)), l.Sum, 1e-15)
	same(t, From(2, 3, 1, 1, []float64{-2, -3, 0, 2, 3, 0}), l.DLogits, 1e-14)
	assert.Equal(t, []int{0, 1, 2}, l.Rank, "of equal logits the lower class wins")
	assert.Equal(t, 1, l.Correct(1))
	assert.Equal(t, 2, l.Correct(5), "an image that does not count is never correct")
	assert.Equal(t, []int{1}, SoftmaxCrossEntropy(From(2, 1, 1, 1, []float64{0, 0}), []int{1}, 1, 1, 0).Rank)

	// Smoothing 0.5 over two classes: target 3/4 and 1/4.
	l = SoftmaxCrossEntropy(From(2, 1, 1, 1, []float64{1000, 1000 + math.Log(3)}), []int{1}, 1, 1, 0.5)
	same(t, Vec(-0.25*math.Log(0.25)-0.75*math.Log(0.75)), l.Mean, 1e-12)
	same(t, From(2, 1, 1, 1, []float64{0, 0}), l.DLogits, 1e-12)
}

func TestSGDByHand(t *testing.T) {
	o := SGD{Rate: 0.1, Momentum: 0.9, Decay: 0.1, Factor: 0.5, Nesterov: true}
	w, v := o.Step(Vec(1), Vec(0), Vec(1))
	same(t, Vec(0.886), w, 1e-15)
	same(t, Vec(0.6), v, 1e-15)
	w, v = o.Step(w, v, Vec(0.4))
	same(t, Vec(0.782566), w, 1e-15)
	same(t, Vec(0.8286), v, 1e-15)
	o.Nesterov = false
	w, _ = o.Step(Vec(1), Vec(1), Vec(1))
	same(t, Vec(0.85), w, 1e-15)
}

func TestGatherByHand(t *testing.T) {
	// One plane of two pixels, xhat = (-1, 1); a 1x1 reader with weight 2 whose
	// mask is open at the second pixel only, a head, and one without batch norm.
	x := plane(1, 2, 4, 8)
	s := Stats{Mean: Vec(6), Var: Vec(4), Istd: Vec(0.5), Count: 2}
	point := Geometry{R: 1, S: 1, Stride: 1}
	readers := []Reader{
		{Geometry: point, DY: plane(1, 2, 1, 3), W: From(1, 2, 1, 1, []float64{99, 2}), C0: 1, Gamma: Vec(99, 10), Beta: Vec(99, -5)},
		{GlobalPool: true, DY: Vec(99, 24), C0: 1, Gamma: Vec(99, 1), Beta: Vec(99, 2)},
		{Geometry: point, DY: plane(1, 2, 5, 7), W: plane(1, 1, 1)},
	}
	got := Gather(x, s, readers)
	same(t, plane(1, 2, 12, 10*6+12), got.G, 0)
	same(t, plane(1, 2, 5, 7), got.Plus, 0)
	same(t, Vec(6), got.DBeta[0], 0)
	same(t, Vec(6), got.DGamma[0], 0)
	same(t, Vec(24), got.DBeta[1], 0)
	same(t, Vec(0), got.DGamma[1], 0)
	assert.Nil(t, got.DBeta[2])
	m1, m2 := (10*6.0+24)/2, (10*6.0+0)/2
	same(t, plane(1, 4, 0.5, -0.25*m2, 0.5*(6*0.5*m2-m1), 0), got.Coef, 0)
	// dx = istd·(G - m1 - xhat·m2) + plus: both pixels of two are fixed by the mean and xhat.
	same(t, plane(1, 2, 5, 7), Finalise(x, got.G, got.Coef, got.Plus), 1e-14)
}

func TestTensor(t *testing.T) {
	x := From(2, 1, 1, 2, []float64{1, 2, 3, 4})
	same(t, plane(1, 2, 3, 4), x.Slice(1, 2), 0)
	assert.Equal(t, 3, x.Index(1, 0, 0, 1))
	c := x.Clone()
	c.Data[0] = 9
	assert.Equal(t, 1.0, x.Data[0], "a clone is apart")
	same(t, Vec(float64(float32(0.1))), Vec(0.1).Round(), 0)
	same(t, Fill(1, 1, 1, 2, 3), plane(1, 2, 3, 3), 0)
	squares, finite := Norm2(Vec(3, -4))
	same(t, Vec(25), squares, 0)
	assert.True(t, finite)
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		_, finite = Norm2(Vec(1, bad))
		assert.False(t, finite)
	}
}

func TestWrongShapesPanic(t *testing.T) {
	x, w := New(2, 1, 4, 4), New(3, 1, 3, 3)
	g := Geometry{R: 3, S: 3, Stride: 1, Pad: 1}
	cases := map[string]func(){
		"input channels": func() { Conv(g, one(x), nil, w, nil) },
		"window":         func() { Conv(Geometry{R: 1, S: 3, Stride: 1}, one(x), nil, New(3, 2, 3, 3), nil) },
		"bias":           func() { Conv(g, one(x), nil, New(3, 2, 3, 3), Vec(1)) },
		"output":         func() { ConvBackwardData(g, New(3, 1, 5, 4), New(3, 2, 3, 3), 4, 4) },
		"stride":         func() { Conv(Geometry{R: 3, S: 3}, one(x), nil, New(3, 2, 3, 3), nil) },
		"too small":      func() { MaxPool(Window{5, 5, 1, 0}, x) },
		"average pad":    func() { AvgPool(Window{3, 3, 2, 1}, x) },
		"outside":        func() { MaxPool(Window{1, 1, 1, 1}, x) },
		"concat":         func() { Concat(x, New(1, 1, 4, 5)) },
		"concat widths":  func() { ConcatBackward(x, one(New(1, 1, 4, 4))) },
		"relu":           func() { ReLUBackward(x, New(2, 1, 4, 5)) },
		"links":          func() { Activate(x, Links{Vec(1), Vec(1), Vec(1), Vec(1)}) },
		"label":          func() { SoftmaxCrossEntropy(New(3, 1, 1, 1), []int{3}, 1, 1, 0) },
		"no image":       func() { SoftmaxCrossEntropy(New(3, 1, 1, 1), []int{0}, 0, 1, 0) },
		"data":           func() { From(1, 1, 1, 2, []float64{1}) },
		"slice":          func() { x.Slice(1, 3) },
		"bytes":          func() { Batch{C: 1, H: 2, W: 2, Mean: []float64{0}, Std: []float64{1}}.Forward(make([]byte, 5)) },
		"features":       func() { Linear(x, New(3, 2, 1, 1), nil) },
	}
	for name, f := range cases {
		t.Run(name, func(t *testing.T) {
			defer func() {
				message, ok := recover().(string)
				require.True(t, ok, "no panic")
				assert.Regexp(t, "^ref: ", message)
			}()
			f()
		})
	}
}

// The numbers are torch.optim's, three steps in float64.
func TestAdamByTorch(t *testing.T) {
	for _, c := range []struct {
		decoupled, amsgrad bool
		want               *Tensor
	}{
		{false, false, Vec(0.93201065800821725, -2.2251242680305165)},
		{true, false, Vec(0.92964197128880433, -2.1725453601983129)},
		{false, true, Vec(0.93201065800821725, -2.224379639687375)},
		{true, true, Vec(0.92964197128880433, -2.1723161185980198)},
	} {
		o := Adam{Rate: 0.1, Beta1: 0.9, Beta2: 0.99, Epsilon: 1e-3, Decay: 0.1, Factor: 1, Decoupled: c.decoupled, AMSGrad: c.amsgrad}
		w, s := Vec(1, -2), Moments{Vec(0, 0), Vec(0, 0), Vec(0, 0)}
		for _, g := range []*Tensor{Vec(0.5, 4), Vec(-1, 0.25), Vec(0.125, 0.5)} {
			o.Updates++
			w, s = o.Step(w, g, s)
		}
		same(t, c.want, w, 1e-14)
	}
}

func TestClipByHand(t *testing.T) {
	assert.Equal(t, 0.25, Clip(100, 4, 0))
	assert.Equal(t, 0.25, Clip(100, 4, 3)) // the norm is 10/4
	assert.Equal(t, 1/(2.5+1e-6)/4, Clip(100, 4, 1))
}
