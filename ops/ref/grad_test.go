package ref

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A problem is a function of tensors with its claimed gradient.
type problem struct {
	in       []*Tensor
	forward  func(in []*Tensor) []*Tensor
	backward func(in, dy []*Tensor) []*Tensor // gradient for each of in; nil where none is claimed
	upstream func(y *Tensor) *Tensor          // makes dy; nil for random values
}

// gradientTolerance is what central differences may miss, relative to values of
// order one: truncation h²·f”'/6 with h = 7e-6, and 1e-11·Σ|y·dy| of rounding.
const gradientTolerance = 2e-8

// checkGradient compares p.backward with central differences of Σ y·dy for random
// upstream gradients, and returns the worst deviation as a share of the tolerance.
func checkGradient(p problem, r *rand.Rand) (share float64, err error) {
	y := p.forward(p.in)
	dy := make([]*Tensor, len(y))
	for i := range y {
		dy[i] = Random(r, y[i].C, y[i].N, y[i].H, y[i].W)
		if p.upstream != nil {
			dy[i] = p.upstream(y[i])
		}
	}
	loss := func() (l float64) {
		for i, y := range p.forward(p.in) {
			for j := range y.Data {
				l += y.Data[j] * dy[i].Data[j]
			}
		}
		return l
	}
	got := p.backward(p.in, dy)
	if len(got) != len(p.in) {
		return 0, fmt.Errorf("%d gradients for %d inputs", len(got), len(p.in))
	}
	compared := 0
	for i, x := range p.in {
		if got[i] == nil {
			continue
		}
		if len(got[i].Data) != len(x.Data) {
			return 0, fmt.Errorf("gradient %d has %d values, not %d", i, len(got[i].Data), len(x.Data))
		}
		for j, old := range x.Data {
			h := math.Cbrt(3*0x1p-53) * math.Max(1, math.Abs(old))
			x.Data[j] = old + h
			up, above := x.Data[j], loss()
			x.Data[j] = old - h
			down, below := x.Data[j], loss()
			x.Data[j] = old
			want := (above - below) / (up - down)
			miss := math.Abs(got[i].Data[j]-want) / (gradientTolerance * math.Max(1, math.Abs(want)))
			if !(miss <= 1) && err == nil {
				err = fmt.Errorf("input %d element %d: gradient %g, differences say %g", i, j, got[i].Data[j], want)
			}
			share = math.Max(share, miss)
			compared++
		}
	}
	if compared == 0 {
		return 0, fmt.Errorf("nothing to compare")
	}
	return share, err
}

func source(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x5eed)) }

// links makes the links of a reader of x with batch statistics.
func links(x, gamma, beta *Tensor) *Links {
	l := NewLinks(BatchStats(x), gamma, beta)
	return &l
}

// clearOf moves x until gamma·xhat + beta is clear of 0 with x's own statistics,
// which change as it moves.
func clearOf(x, gamma, beta *Tensor) {
	for range 100 {
		before := x.Clone()
		ClearKinks(x, 1e-2, *links(x, gamma, beta))
		same := true
		for i := range x.Data {
			same = same && x.Data[i] == before.Data[i]
		}
		if same {
			return
		}
	}
	panic("no place clear of the kinks")
}

func convProblem(g Geometry, seed uint64, n, h, w int) problem {
	r := source(seed)
	return problem{
		in: []*Tensor{Random(r, 2, n, h, w), Random(r, 1, n, h, w), Random(r, 2, 3, g.R, g.S), Random(r, 2, 1, 1, 1)},
		forward: func(in []*Tensor) []*Tensor {
			return one(Conv(g, in[:2], nil, in[2], in[3]))
		},
		backward: func(in, dy []*Tensor) []*Tensor {
			dx := ConvBackwardData(g, dy[0], in[2], h, w)
			return []*Tensor{dx.Slice(0, 2), dx.Slice(2, 3), ConvBackwardWeights(g, in[:2], nil, dy[0]), ConvBackwardBias(dy[0])}
		},
	}
}

// bnConvProblem is a convolution that activates on load, with training's batch
// norm: inputs x, gamma, beta, w.
func bnConvProblem(g Geometry, seed uint64) problem {
	r := source(seed)
	x, gamma, beta := Random(r, 2, 2, 4, 5), Random(r, 2, 1, 1, 1), Random(r, 2, 1, 1, 1)
	beta.Data[0] = 2 // so that activated zeros would not be zero
	clearOf(x, gamma, beta)
	return problem{
		in: []*Tensor{x, gamma, beta, Random(r, 3, 2, g.R, g.S)},
		forward: func(in []*Tensor) []*Tensor {
			return one(Conv(g, one(in[0]), links(in[0], in[1], in[2]), in[3], nil))
		},
		backward: func(in, dy []*Tensor) []*Tensor {
			l := links(in[0], in[1], in[2])
			dz := ReLUBackward(Activate(in[0], *l), ConvBackwardData(g, dy[0], in[3], 4, 5))
			dx, dgamma, dbeta := BatchNormBackward(in[0], BatchStats(in[0]), in[1], dz)
			return []*Tensor{dx, dgamma, dbeta, ConvBackwardWeights(g, one(in[0]), l, dy[0])}
		},
	}
}

func batchNormProblem() problem {
	r := source(11)
	return problem{
		in: []*Tensor{Random(r, 3, 2, 3, 2), Random(r, 3, 1, 1, 1), Random(r, 3, 1, 1, 1)},
		forward: func(in []*Tensor) []*Tensor {
			return one(BatchNorm(in[0], BatchStats(in[0]), in[1], in[2]))
		},
		backward: func(in, dy []*Tensor) []*Tensor {
			dx, dgamma, dbeta := BatchNormBackward(in[0], BatchStats(in[0]), in[1], dy[0])
			return []*Tensor{dx, dgamma, dbeta}
		},
	}
}

// pointProblem is a function of one tensor x.
func pointProblem(x *Tensor, forward func(x *Tensor) *Tensor, backward func(x, dy *Tensor) *Tensor) problem {
	return problem{
		in:       one(x),
		forward:  func(in []*Tensor) []*Tensor { return one(forward(in[0])) },
		backward: func(in, dy []*Tensor) []*Tensor { return one(backward(in[0], dy[0])) },
	}
}

func reluProblem() problem {
	x := Random(source(12), 2, 2, 3, 3)
	ClearKinks(x, 1e-3)
	return pointProblem(x, ReLU, func(x, dy *Tensor) *Tensor { return ReLUBackward(ReLU(x), dy) })
}

func maxPoolProblem(p Window, h, w int) problem {
	return pointProblem(Distinct(source(13), 2, 2, h, w),
		func(x *Tensor) *Tensor { return MaxPool(p, x) },
		func(x, dy *Tensor) *Tensor { return MaxPoolBackward(p, x, dy) })
}

func avgPoolProblem(p Window, h, w int) problem {
	return pointProblem(Random(source(14), 2, 2, h, w),
		func(x *Tensor) *Tensor { return AvgPool(p, x) },
		func(_, dy *Tensor) *Tensor { return AvgPoolBackward(p, dy, h, w) })
}

func bnPoolProblem() problem {
	r := source(15)
	p := Window{3, 3, 2, 1}
	x, gamma, beta := Distinct(r, 2, 1, 5, 4), Random(r, 2, 1, 1, 1), Random(r, 2, 1, 1, 1)
	clearOf(x, gamma, beta)
	return problem{
		in: []*Tensor{x, gamma, beta},
		forward: func(in []*Tensor) []*Tensor {
			return one(BNPool(p, in[0], *links(in[0], in[1], in[2])))
		},
		backward: func(in, dy []*Tensor) []*Tensor {
			dx, dgamma, dbeta := BNPoolBackward(p, in[0], BatchStats(in[0]), in[1], in[2], dy[0])
			return []*Tensor{dx, dgamma, dbeta}
		},
	}
}

func linearProblem() problem {
	r := source(16)
	return problem{
		in:      []*Tensor{Random(r, 3, 4, 1, 1), Random(r, 3, 3, 1, 1), Random(r, 3, 1, 1, 1)},
		forward: func(in []*Tensor) []*Tensor { return one(Linear(in[0], in[1], in[2])) },
		backward: func(in, dy []*Tensor) []*Tensor {
			dx, dw, db := LinearBackward(in[0], in[1], dy[0])
			return []*Tensor{dx, dw, db}
		},
	}
}

// softmaxProblem is the mean loss of the first three of four images. Its gradient
// carries the loss scale 4, which is divided out again.
func softmaxProblem(smoothing float64) problem {
	labels := []int{2, 0, 4, 1}
	p := pointProblem(Random(source(17), 5, 4, 1, 1),
		func(x *Tensor) *Tensor { return SoftmaxCrossEntropy(x, labels, 3, 1, smoothing).Mean },
		func(x, dy *Tensor) *Tensor {
			return scaled(SoftmaxCrossEntropy(x, labels, 3, 4, smoothing).DLogits, dy.Data[0]/4)
		})
	return p
}

func scaled(x *Tensor, by float64) *Tensor {
	y := x.Clone()
	for i := range y.Data {
		y.Data[i] *= by
	}
	return y
}

func dropoutProblem() problem {
	d := Dropout{P: 0.4, Group: 1, Seed: 3}
	return pointProblem(Random(source(18), 2, 2, 3, 3), d.Forward, func(_, dy *Tensor) *Tensor { return d.Forward(dy) })
}

func concatProblem() problem {
	r := source(19)
	return problem{
		in:      []*Tensor{Random(r, 2, 2, 2, 1), Random(r, 1, 2, 2, 1)},
		forward: func(in []*Tensor) []*Tensor { return []*Tensor{Concat(in...), in[0]} },
		backward: func(in, dy []*Tensor) []*Tensor {
			return ConcatBackward(dy[0], []*Tensor{dy[1], New(1, 2, 2, 1)})
		},
	}
}

// gatherProblem is one map with four readers: 3x3, a transition, the head, and a
// strided one without batch norm; inputs x, then gamma and beta of the first three.
// Most read other channels too, before or after the map's. The backward's readers
// pass through change.
func gatherProblem(change func(readers []Reader)) problem {
	r := source(20)
	const c, n, h, w = 2, 2, 4, 6
	x := Random(r, c, n, h, w)
	readers := []Reader{
		{Geometry: Geometry{R: 3, S: 3, Stride: 1, Pad: 1}, W: Random(r, 3, 3, 3, 3), C0: 1},
		{Geometry: Geometry{R: 1, S: 1, Stride: 1, Pool: true}, W: Random(r, 2, 4, 1, 1), C0: 1},
		{GlobalPool: true, C0: 1},
		{Geometry: Geometry{R: 3, S: 3, Stride: 2, Pad: 1}, W: Random(r, 2, 2, 3, 3)},
	}
	in := []*Tensor{x}
	widths := []int{3, 4, 3}
	for _, c := range widths {
		in = append(in, Random(r, c, 1, 1, 1), Random(r, c, 1, 1, 1))
	}
	part := func(j int, v *Tensor) *Tensor { return v.Slice(readers[j].C0, readers[j].C0+c) }
	for range 20 { // statistics move with x
		for j := range 3 {
			clearOf(x, part(j, in[1+2*j]), part(j, in[2+2*j]))
		}
	}
	return problem{
		in: in,
		forward: func(in []*Tensor) []*Tensor {
			var y []*Tensor
			for j, reader := range readers {
				var l *Links
				if j < 3 {
					l = links(in[0], part(j, in[1+2*j]), part(j, in[2+2*j]))
				}
				if reader.GlobalPool { // the map is channels 1 and 2 of three
					y = append(y, Concat(New(1, n, 1, 1), ActPool(one(in[0]), *l)))
					continue
				}
				y = append(y, Conv(reader.Geometry, one(in[0]), l, columns(reader.W, reader.C0, reader.C0+c), nil))
			}
			return y
		},
		backward: func(in, dy []*Tensor) []*Tensor {
			rs := make([]Reader, len(readers))
			for j := range readers {
				rs[j] = readers[j]
				rs[j].DY = dy[j]
				if j < 3 {
					rs[j].Gamma, rs[j].Beta = in[1+2*j], in[2+2*j]
				}
			}
			change(rs)
			got := Gather(in[0], BatchStats(in[0]), rs)
			out := []*Tensor{Finalise(in[0], got.G, got.Coef, got.Plus)}
			for j, reader := range rs[:3] {
				before := New(reader.C0, 1, 1, 1)
				after := New(widths[j]-reader.C0-c, 1, 1, 1)
				out = append(out, Concat(before, got.DGamma[j], after), Concat(before, got.DBeta[j], after))
			}
			return out
		},
	}
}

func problems() map[string]problem {
	return map[string]problem{
		"conv 3x3":        convProblem(Geometry{R: 3, S: 3, Stride: 1, Pad: 1}, 1, 2, 4, 3),
		"conv 1x1":        convProblem(Geometry{R: 1, S: 1, Stride: 1}, 2, 2, 2, 3),
		"conv 5x2/2,3":    convProblem(Geometry{R: 5, S: 2, Stride: 2, Pad: 2}, 3, 1, 5, 4),
		"conv pad 2":      convProblem(Geometry{R: 2, S: 3, Stride: 3, Pad: 2}, 4, 1, 4, 4),
		"conv pooled":     convProblem(Geometry{R: 1, S: 1, Stride: 1, Pool: true}, 5, 2, 5, 4),
		"bnconv 3x3":      bnConvProblem(Geometry{R: 3, S: 3, Stride: 1, Pad: 1}, 6),
		"bnconv pooled":   bnConvProblem(Geometry{R: 1, S: 1, Stride: 1, Pool: true}, 7),
		"batchnorm":       batchNormProblem(),
		"relu":            reluProblem(),
		"max pool 2x2":    maxPoolProblem(Window{2, 2, 2, 0}, 4, 5),
		"max pool 3x3/2":  maxPoolProblem(Window{3, 3, 2, 1}, 5, 6),
		"avg pool 2x2":    avgPoolProblem(Window{2, 2, 2, 0}, 4, 5),
		"avg pool 3x2/1":  avgPoolProblem(Window{3, 2, 1, 0}, 4, 4),
		"global avg pool": avgPoolProblem(Window{3, 4, 1, 0}, 3, 4),
		"bnpool":          bnPoolProblem(),
		"linear":          linearProblem(),
		"softmax":         softmaxProblem(0),
		"softmax smooth":  softmaxProblem(0.1),
		"dropout":         dropoutProblem(),
		"concat":          concatProblem(),
		"gather":          gatherProblem(func([]Reader) {}),
	}
}

func TestGradients(t *testing.T) {
	for name, p := range problems() {
		t.Run(name, func(t *testing.T) {
			share, err := checkGradient(p, source(99))
			assert.NoError(t, err)
			t.Logf("%.2f of the tolerance", share)
		})
	}
}

// TestOnesHideFaults is why upstream gradients are random: under ones the loss
// after batch norm does not depend on x, and a backward that returns zeros passes.
func TestOnesHideFaults(t *testing.T) {
	p := batchNormProblem()
	right := p.backward
	p.backward = func(in, dy []*Tensor) []*Tensor {
		d := right(in, dy)
		return []*Tensor{New(3, 2, 3, 2), d[1], d[2]}
	}
	p.upstream = func(y *Tensor) *Tensor { return Fill(y.C, y.N, y.H, y.W, 1) }
	_, err := checkGradient(p, source(1))
	require.NoError(t, err, "ones see no fault")
	p.upstream = nil
	_, err = checkGradient(p, source(1))
	require.Error(t, err, "random values see it")
}
