package ref

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sumProblem has three maps and two readers in the sum form, batch norm, ReLU and
// a 3x3 convolution of x1 + x0 and of x2 + x1 + x0: inputs are the maps, then
// gamma, beta and weights of each reader. stats says whose statistics a reader's
// backward takes.
func sumProblem(stats func(sum *Tensor, terms []*Tensor) Stats) problem {
	r := source(31)
	g := Geometry{R: 3, S: 3, Stride: 1, Pad: 1}
	in := []*Tensor{Random(r, 2, 2, 4, 3)}
	for range 2 {
		in = append(in, Random(r, 2, 2, 4, 3))
	}
	for range 2 {
		in = append(in, Random(r, 2, 1, 1, 1), Random(r, 2, 1, 1, 1), Random(r, 3, 2, 3, 3))
	}
	terms := func(in []*Tensor, reader int) []*Tensor {
		return [][]*Tensor{{in[1], in[0]}, {in[2], in[1], in[0]}}[reader]
	}
	for reader := range 2 { // the newest term takes what keeps the sum clear of the kinks
		newest := in[reader+1]
		s := Sum(terms(in, reader)...)
		old := s.Clone()
		clearOf(s, in[3+3*reader], in[4+3*reader])
		for i := range newest.Data {
			newest.Data[i] += s.Data[i] - old.Data[i]
		}
	}
	return problem{
		in: in,
		forward: func(in []*Tensor) (y []*Tensor) {
			for reader := range 2 {
				s, own := Sum(terms(in, reader)...), in[3+3*reader:]
				y = append(y, Conv(g, one(s), links(s, own[0], own[1]), own[2], nil))
			}
			return y
		},
		backward: func(in, dy []*Tensor) []*Tensor {
			out := make([]*Tensor, len(in))
			var ds [2]*Tensor
			for reader := range 2 {
				x, own, d := terms(in, reader), in[3+3*reader:], out[3+3*reader:]
				s := Sum(x...)
				l := links(s, own[0], own[1])
				dz := ReLUBackward(Activate(s, *l), ConvBackwardData(g, dy[reader], own[2], s.H, s.W))
				ds[reader], d[0], d[1] = BatchNormBackward(s, stats(s, x), own[0], dz)
				d[2] = ConvBackwardWeights(g, one(s), l, dy[reader])
			}
			out[0], out[1], out[2] = Sum(ds[0], ds[1]), Sum(ds[0], ds[1]), ds[1]
			return out
		},
	}
}

func ofSum(sum *Tensor, _ []*Tensor) Stats { return BatchStats(sum) }

// In the sum form a map's gradient is the sum of its readers' gradients of their
// sums, each through the batch norm of that sum. The statistics of one term, or one
// reader too few, give other gradients.
func TestSumGradient(t *testing.T) {
	share, err := checkGradient(sumProblem(ofSum), source(99))
	require.NoError(t, err)
	t.Logf("%.2f of the tolerance", share)
	_, err = checkGradient(sumProblem(func(_ *Tensor, x []*Tensor) Stats { return BatchStats(x[0]) }), source(99))
	assert.Error(t, err)
	p := sumProblem(ofSum)
	right := p.backward
	p.backward = func(in, dy []*Tensor) []*Tensor {
		out := right(in, dy)
		out[0] = out[2]
		return out
	}
	_, err = checkGradient(p, source(99))
	assert.Error(t, err)
}

func TestSumByHand(t *testing.T) {
	a, b := Fill(1, 1, 1, 2, 1), Fill(1, 1, 1, 2, 2)
	b.Data[1] = -5
	assert.Equal(t, []float64{4, -3}, Sum(a, b, a).Data)
	assert.Equal(t, []float64{1, 1}, Sum(a).Data)
}
