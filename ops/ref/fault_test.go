package ref

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A fault replaces the gradients of a right backward by wrong ones.
type fault func(right func(in, dy []*Tensor) []*Tensor) func(in, dy []*Tensor) []*Tensor

// instead ignores what is right.
func instead(wrong func(in, dy []*Tensor) []*Tensor) fault {
	return func(func(in, dy []*Tensor) []*Tensor) func(in, dy []*Tensor) []*Tensor { return wrong }
}

// after changes gradient i of what is right.
func after(i int, change func(d, dy *Tensor)) fault {
	return func(right func(in, dy []*Tensor) []*Tensor) func(in, dy []*Tensor) []*Tensor {
		return func(in, dy []*Tensor) []*Tensor {
			out := right(in, dy)
			if out[i] = out[i].Clone(); out[i] != nil {
				change(out[i], dy[0])
			}
			return out
		}
	}
}

func times(f float64) func(d, _ *Tensor) {
	return func(d, _ *Tensor) {
		for i := range d.Data {
			d.Data[i] *= f
		}
	}
}

func at(i int, v float64) func(d, _ *Tensor) {
	return func(d, _ *Tensor) { d.Data[i] += v }
}

func swapPlanes(d, _ *Tensor) {
	p := d.Plane()
	for i := range p {
		d.Data[i], d.Data[p+i] = d.Data[p+i], d.Data[i]
	}
}

// turned returns w with its window turned by 180 degrees.
func turned(w *Tensor) *Tensor {
	out, taps := w.Clone(), w.H*w.W
	for i := range w.Data {
		out.Data[i] = w.Data[i/taps*taps+taps-1-i%taps]
	}
	return out
}

// unmasked is the gradient of a convolution that activates on load, without [z > 0].
func unmasked(g Geometry) fault {
	return instead(func(in, dy []*Tensor) []*Tensor {
		dx, dgamma, dbeta := BatchNormBackward(in[0], BatchStats(in[0]), in[1], ConvBackwardData(g, dy[0], in[3], 4, 5))
		return []*Tensor{dx, dgamma, dbeta, nil}
	})
}

// paddedBefore pads x and activates then, so that the border is max(beta - ..., 0).
func paddedBefore(in, dy []*Tensor) []*Tensor {
	x, pad := in[0], New(in[0].C, in[0].N, in[0].H+2, in[0].W+2)
	for c := range x.C {
		for n := range x.N {
			for y := range x.H {
				copy(pad.Data[pad.Index(c, n, y+1, 1):], x.Data[x.Index(c, n, y, 0):][:x.W])
			}
		}
	}
	g := Geometry{R: 3, S: 3, Stride: 1}
	return []*Tensor{nil, nil, nil, ConvBackwardWeights(g, one(pad), links(x, in[1], in[2]), dy[0])}
}

// batchNormWithout leaves the terms of the mean or of xhat out of dx, or divides
// by m elements.
func batchNormWithout(mean, xhat float64, m float64) fault {
	return instead(func(in, dy []*Tensor) []*Tensor {
		s := BatchStats(in[0])
		dx, dgamma, dbeta := BatchNormBackward(in[0], s, in[1], dy[0])
		h := normalized(in[0], s)
		for i := range dx.Data {
			c := i / dx.Plane()
			g := dy[0].Data[i] - mean*dbeta.Data[c]/m - xhat*h.Data[i]*dgamma.Data[c]/m
			dx.Data[i] = in[1].Data[c] * s.Istd.Data[c] * g
		}
		return []*Tensor{dx, dgamma, dbeta}
	})
}

// overwritten keeps the last of the gradients that a pixel receives.
func overwritten(p Window) fault {
	return instead(func(in, dy []*Tensor) []*Tensor {
		x, won := New(in[0].C, in[0].N, in[0].H, in[0].W), p.winners(in[0], dy[0])
		for i, from := range won {
			x.Data[from] = dy[0].Data[i]
		}
		return one(x)
	})
}

// gatherOf is the gather of other readers than there are.
func gatherOf(change func(readers []Reader)) fault {
	wrong := gatherProblem(change).backward
	return instead(func(in, dy []*Tensor) []*Tensor {
		return append([]*Tensor{wrong(in, dy)[0]}, make([]*Tensor, len(in)-1)...)
	})
}

// finalised adds an error to the coefficients of the gather.
func finalised(word int, by float64) fault {
	return func(right func(in, dy []*Tensor) []*Tensor) func(in, dy []*Tensor) []*Tensor {
		return func(in, dy []*Tensor) []*Tensor {
			out, coef := right(in, dy), New(2, 1, 1, 4)
			coef.Data[word] = by
			out[0] = Add(out[0], Finalise(in[0], New(2, 2, 4, 6), coef, nil))
			return out
		}
	}
}

func TestFaultsAreCaught(t *testing.T) {
	same3 := Geometry{R: 3, S: 3, Stride: 1, Pad: 1}
	overlap := Window{3, 3, 2, 1}
	faults := []struct {
		name, problem string
		fault         fault
	}{
		{"one element off by 1e-6", "conv 3x3", after(0, at(3, 1e-6))},
		{"not a number", "conv 3x3", after(0, at(3, math.NaN()))},
		{"infinite", "conv 3x3", after(2, at(0, math.Inf(1)))},
		{"all zero", "conv 3x3", after(0, times(0))},
		{"twice", "conv 3x3", after(0, times(2))},
		{"sign", "conv 3x3", after(2, times(-1))},
		{"two channels swapped", "conv 3x3", after(0, swapPlanes)},
		{"too short", "conv 3x3", after(0, func(d, _ *Tensor) { d.Data = d.Data[1:] })},
		{"empty", "conv 3x3", instead(func(_, _ []*Tensor) []*Tensor { return make([]*Tensor, 4) })},
		{"one gradient missing", "conv 3x3", instead(func(_, _ []*Tensor) []*Tensor { return make([]*Tensor, 3) })},
		{"window turned", "conv 3x3", instead(func(in, dy []*Tensor) []*Tensor {
			return []*Tensor{ConvBackwardData(same3, dy[0], turned(in[2]), 4, 3).Slice(0, 2), nil, nil, nil}
		})},
		{"bias of the first image only", "conv 3x3", instead(func(_, dy []*Tensor) []*Tensor {
			d := From(2, 1, 4, 3, append(append([]float64(nil), dy[0].Data[:12]...), dy[0].Data[24:36]...))
			return []*Tensor{nil, nil, nil, ConvBackwardBias(d)}
		})},
		{"pooling not averaged", "conv pooled", after(0, times(4))},
		{"mask forgotten", "bnconv 3x3", unmasked(same3)},
		{"mask forgotten, pooled", "bnconv pooled", unmasked(Geometry{R: 1, S: 1, Stride: 1, Pool: true})},
		{"weights from raw input", "bnconv 3x3", instead(func(in, dy []*Tensor) []*Tensor {
			return []*Tensor{nil, nil, nil, ConvBackwardWeights(same3, one(in[0]), nil, dy[0])}
		})},
		{"weights without ReLU", "bnconv 3x3", instead(func(in, dy []*Tensor) []*Tensor {
			return []*Tensor{nil, nil, nil, ConvBackwardWeights(same3, one(Normalize(in[0], *links(in[0], in[1], in[2]))), nil, dy[0])}
		})},
		{"padding before activation", "bnconv 3x3", instead(paddedBefore)},
		{"no mean term", "batchnorm", batchNormWithout(0, 1, 12)},
		{"no xhat term", "batchnorm", batchNormWithout(1, 0, 12)},
		{"M-1 for M", "batchnorm", batchNormWithout(1, 1, 11)},
		{"dgamma and dbeta swapped", "batchnorm", instead(func(in, dy []*Tensor) []*Tensor {
			_, dgamma, dbeta := BatchNormBackward(in[0], BatchStats(in[0]), in[1], dy[0])
			return []*Tensor{nil, dbeta, dgamma}
		})},
		{"mask from dy", "relu", instead(func(_, dy []*Tensor) []*Tensor { return one(ReLU(dy[0])) })},
		{"no mask", "relu", instead(func(_, dy []*Tensor) []*Tensor { return dy })},
		{"mask turned", "relu", instead(func(in, dy []*Tensor) []*Tensor { return one(ReLUBackward(scaled(in[0], -1), dy[0])) })},
		{"= for +=", "max pool 3x3/2", overwritten(overlap)},
		{"minimum", "max pool 3x3/2", instead(func(in, dy []*Tensor) []*Tensor {
			return one(MaxPoolBackward(overlap, scaled(in[0], -1), dy[0]))
		})},
		{"average for maximum", "max pool 2x2", instead(func(_, dy []*Tensor) []*Tensor {
			return one(AvgPoolBackward(Window{2, 2, 2, 0}, dy[0], 4, 5))
		})},
		{"not divided", "avg pool 3x2/1", after(0, times(6))},
		{"not divided", "global avg pool", after(0, times(12))},
		{"pool without mask", "bnpool", instead(func(in, dy []*Tensor) []*Tensor {
			z := Normalize(in[0], *links(in[0], in[1], in[2]))
			dx, dgamma, dbeta := BatchNormBackward(in[0], BatchStats(in[0]), in[1], MaxPoolBackward(overlap, z, dy[0]))
			return []*Tensor{dx, dgamma, dbeta}
		})},
		{"weights not transposed", "linear", instead(func(in, dy []*Tensor) []*Tensor {
			return []*Tensor{Linear(dy[0], in[1], nil), nil, nil}
		})},
		{"all images count", "softmax", instead(func(in, dy []*Tensor) []*Tensor {
			return one(scaled(SoftmaxCrossEntropy(in[0], []int{2, 0, 4, 1}, 4, 1, 0).DLogits, dy[0].Data[0]))
		})},
		{"not divided by valid", "softmax", after(0, times(3))},
		{"smoothing forgotten", "softmax smooth", instead(func(in, dy []*Tensor) []*Tensor {
			return one(scaled(SoftmaxCrossEntropy(in[0], []int{2, 0, 4, 1}, 3, 1, 0).DLogits, dy[0].Data[0]))
		})},
		{"another mask", "dropout", instead(func(_, dy []*Tensor) []*Tensor {
			return one(Dropout{P: 0.4, Group: 1, Seed: 4}.Forward(dy[0]))
		})},
		{"not scaled", "dropout", after(0, times(0.6))},
		{"= for +=", "concat", instead(func(in, dy []*Tensor) []*Tensor { return []*Tensor{dy[0].Slice(0, 2), dy[0].Slice(2, 3)} })},
		{"sources swapped", "concat", instead(func(in, dy []*Tensor) []*Tensor {
			return []*Tensor{Add(dy[0].Slice(1, 3), dy[1]), dy[0].Slice(0, 1)}
		})},
		{"constant per plane", "gather", finalised(2, 1e-6)},
		{"slope per plane", "gather", finalised(5, 1e-6)},
		{"a reader forgotten", "gather", gatherOf(func(r []Reader) { r[1].DY = New(2, 2, 2, 3) })},
		{"the reader without batch norm forgotten", "gather", gatherOf(func(r []Reader) { r[3].DY = New(2, 2, 2, 3) })},
		{"channels of another map", "gather", gatherOf(func(r []Reader) { r[1].C0 = 2 })},
		{"no mask of one reader", "gather", gatherOf(func(r []Reader) { r[0].Beta = Fill(3, 1, 1, 1, 100) })},
		{"head not averaged", "gather", gatherOf(func(r []Reader) { r[2].DY = scaled(r[2].DY, 24) })},
		{"window turned", "gather", gatherOf(func(r []Reader) { r[0].W = turned(r[0].W) })},
		{"dgamma of the last reader", "gather", after(5, times(0.999))},
		{"dbeta of the second reader", "gather", after(4, times(1.001))},
	}
	all := problems()
	for _, f := range faults {
		t.Run(f.problem+"/"+f.name, func(t *testing.T) {
			p, found := all[f.problem]
			require.True(t, found)
			p.backward = f.fault(p.backward)
			_, err := checkGradient(p, source(99))
			assert.Error(t, err)
		})
	}
}
