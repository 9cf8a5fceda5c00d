package ref

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A block is a sparse block: map 0 is given, layer l makes map l from the maps of
// reads(l) by batch norm, ReLU and a 3x3 convolution. A transition reads the block
// through batch norm, ReLU, 2x2 average and 1x1; a second head reads it raw.
type block struct {
	layers, k           int
	x0                  *Tensor
	weight, gamma, beta []*Tensor // of layer l; that of the transition is the last
	dTransition, dRaw   *Tensor
}

var (
	same3x3    = Geometry{R: 3, S: 3, Stride: 1, Pad: 1}
	transition = Geometry{R: 1, S: 1, Stride: 1, Pool: true}
)

// reads returns the maps that a layer reads, newest first.
func reads(layer int) []int {
	var maps []int
	for i := 1; i <= layer; i *= 2 {
		maps = append(maps, layer-i)
	}
	return maps
}

func newBlock(r *rand.Rand, layers, k, n, h, w int) block {
	b := block{layers: layers, k: k, x0: Random(r, k, n, h, w), weight: one(nil), gamma: one(nil), beta: one(nil)}
	for l := 1; l <= layers+1; l++ {
		c, window := k*len(reads(l)), 3
		if l > layers {
			window = 1
		}
		b.weight = append(b.weight, Random(r, k, c, window, window))
		b.gamma = append(b.gamma, Random(r, c, 1, 1, 1))
		b.beta = append(b.beta, Random(r, c, 1, 1, 1))
	}
	b.dTransition, b.dRaw = Random(r, k, n, h/2, w/2), Random(r, k*len(reads(layers+1)), n, h, w)
	return b
}

func (b block) inputs(l int, maps []*Tensor) []*Tensor {
	var x []*Tensor
	for _, m := range reads(l) {
		x = append(x, maps[m])
	}
	return x
}

// gradients of a block: of x0, and of the weights, gamma and beta of each layer.
type gradients struct {
	dx0                    *Tensor
	dWeight, dGamma, dBeta []*Tensor
}

// layered runs the block as frameworks do: concatenation, batch norm, ReLU and
// convolution, each with its own backward.
func (b block) layered() gradients {
	last := b.layers + 1
	maps, z, cat := one(b.x0), make([]*Tensor, last+1), make([]*Tensor, last+1)
	for l := 1; l <= last; l++ {
		cat[l] = Concat(b.inputs(l, maps)...)
		z[l] = ReLU(BatchNorm(cat[l], BatchStats(cat[l]), b.gamma[l], b.beta[l]))
		if l < last {
			maps = append(maps, Conv(same3x3, one(z[l]), nil, b.weight[l], nil))
		}
	}
	dMaps := make([]*Tensor, last)
	for m := range dMaps {
		dMaps[m] = New(b.k, b.x0.N, b.x0.H, b.x0.W)
	}
	scatter := func(l int, d *Tensor) {
		var old []*Tensor
		for _, m := range reads(l) {
			old = append(old, dMaps[m])
		}
		for i, sum := range ConcatBackward(d, old) {
			dMaps[reads(l)[i]] = sum
		}
	}
	scatter(last, b.dRaw)
	g := gradients{nil, make([]*Tensor, last+1), make([]*Tensor, last+1), make([]*Tensor, last+1)}
	for l := last; l >= 1; l-- {
		geometry, dy := same3x3, b.dTransition
		if l == last { // pooled after the 1x1, as published
			geometry = pointwise
			dy = AvgPoolBackward(Window{2, 2, 2, 0}, dy, b.x0.H, b.x0.W)
		} else {
			dy = dMaps[l]
		}
		g.dWeight[l] = ConvBackwardWeights(geometry, one(z[l]), nil, dy)
		d := ReLUBackward(z[l], ConvBackwardData(geometry, dy, b.weight[l], b.x0.H, b.x0.W))
		d, g.dGamma[l], g.dBeta[l] = BatchNormBackward(cat[l], BatchStats(cat[l]), b.gamma[l], d)
		scatter(l, d)
	}
	g.dx0 = dMaps[0]
	return g
}

// A run is a block in the arena engine: arena[m] holds map m until every use of it
// is over, then its gradient.
type run struct {
	block
	arena []*Tensor
	stats []Stats
}

func (b block) forward() run {
	f := run{b, one(b.x0.Clone()), []Stats{BatchStats(b.x0)}}
	for l := 1; l <= b.layers; l++ {
		f.arena = append(f.arena, Conv(same3x3, b.inputs(l, f.arena), f.links(l), b.weight[l], nil))
		f.stats = append(f.stats, BatchStats(f.arena[l]))
	}
	return f
}

func (f run) links(l int) *Links {
	var mean, istd []*Tensor
	for _, m := range reads(l) {
		mean, istd = append(mean, f.stats[m].Mean), append(istd, f.stats[m].Istd)
	}
	return &Links{Concat(mean...), Concat(istd...), f.gamma[l], f.beta[l]}
}

// readers returns the readers of map m and the layers that they are; the raw head,
// the identity, comes last and is no layer.
func (f run) readers(m int) (readers []Reader, layers []int) {
	for l := m + 1; l <= f.layers+1; l++ {
		at := slices.Index(reads(l), m)
		if at < 0 {
			continue
		}
		r := Reader{Geometry: same3x3, W: f.weight[l], C0: at * f.k, Gamma: f.gamma[l], Beta: f.beta[l]}
		if l <= f.layers {
			r.DY = f.arena[l]
			readers, layers = append(readers, r), append(layers, l)
			continue
		}
		r.Geometry, r.DY = transition, f.dTransition
		identity := New(f.k, f.k, 1, 1)
		for c := range f.k {
			identity.Data[c*f.k+c] = 1
		}
		raw := Reader{Geometry: pointwise, W: identity, DY: f.dRaw.Slice(at*f.k, (at+1)*f.k)}
		readers, layers = append(readers, r, raw), append(layers, l)
	}
	return readers, layers
}

// inArena runs the block as we do: statistics once per map, activation on load,
// and a backward inside the forward's memory. spoil, if not nil, sees the readers
// of each map first.
func (b block) inArena(spoil func(m int, readers []Reader)) gradients {
	f, last := b.forward(), b.layers+1
	g := gradients{nil, make([]*Tensor, last+1), make([]*Tensor, last+1), make([]*Tensor, last+1)}
	for l := 1; l <= last; l++ {
		g.dGamma[l], g.dBeta[l] = New(b.gamma[l].C, 1, 1, 1), New(b.gamma[l].C, 1, 1, 1)
	}
	g.dWeight[last] = ConvBackwardWeights(transition, b.inputs(last, f.arena), f.links(last), b.dTransition)
	for m := b.layers; m >= 0; m-- {
		readers, layers := f.readers(m)
		if spoil != nil {
			spoil(m, readers)
		}
		got := Gather(f.arena[m], f.stats[m], readers)
		for j, l := range layers {
			copy(g.dGamma[l].Data[readers[j].C0:], got.DGamma[j].Data)
			copy(g.dBeta[l].Data[readers[j].C0:], got.DBeta[j].Data)
		}
		f.arena[m] = Finalise(f.arena[m], got.G, got.Coef, got.Plus)
		if m > 0 {
			g.dWeight[m] = ConvBackwardWeights(same3x3, b.inputs(m, f.arena), f.links(m), f.arena[m])
		}
	}
	g.dx0 = f.arena[0]
	return g
}

// difference returns the largest difference of any gradient, relative to the
// largest value of its tensor.
func (g gradients) difference(o gradients) float64 {
	var worst float64
	pair := func(a, b *Tensor) {
		for i := range a.Data {
			worst = math.Max(worst, math.Abs(a.Data[i]-b.Data[i])/largest(a)) // NaN stays
		}
	}
	pair(g.dx0, o.dx0)
	for l := 1; l < len(g.dWeight); l++ {
		pair(g.dWeight[l], o.dWeight[l])
		pair(g.dGamma[l], o.dGamma[l])
		pair(g.dBeta[l], o.dBeta[l])
	}
	return worst
}

// TestBatchNormOnce is the arena engine's algebra: a block of seven layers, run
// both ways, has the same gradients to 1e-12.
func TestBatchNormOnce(t *testing.T) {
	b := newBlock(source(30), 7, 2, 2, 6, 4)
	want := b.layered()
	d := b.inArena(nil).difference(want)
	if !(d <= 1e-12) {
		assert.Failf(t, "arena and layered differ", "by %g", d)
	}
	t.Logf("largest relative difference %.1e", d)

	spoils := map[string]func(m int, readers []Reader){
		"one beta off by 0.3": func(m int, readers []Reader) {
			if m == 3 {
				readers[0].Beta = Add(readers[0].Beta, Fill(readers[0].Beta.C, 1, 1, 1, 0.3))
			}
		},
		"the raw reader forgotten": func(m int, readers []Reader) {
			if r := &readers[len(readers)-1]; r.Gamma == nil {
				r.DY = New(r.DY.C, r.DY.N, r.DY.H, r.DY.W)
			}
		},
		"the window turned": func(m int, readers []Reader) {
			if m == 2 {
				readers[0].W = turned(readers[0].W)
			}
		},
	}
	for name, spoil := range spoils {
		require.Greater(t, b.inArena(spoil).difference(want), 1e-9, name)
	}
}

// TestGatherIdentities are the free cross-checks of KERNELS.md section 1.
func TestGatherIdentities(t *testing.T) {
	r := source(31)
	x := Random(r, 2, 3, 4, 4)
	s := BatchStats(x)
	var readers []Reader
	for range 3 {
		readers = append(readers, Reader{Geometry: same3x3, DY: Random(r, 3, 3, 4, 4), W: Random(r, 3, 2, 3, 3),
			Gamma: Random(r, 2, 1, 1, 1), Beta: Random(r, 2, 1, 1, 1)})
	}
	got := Gather(x, s, readers)
	xhat := normalized(x, s)
	sumG, sumGX := planeSums(got.G, nil), planeSums(got.G, xhat)
	dx := Finalise(x, got.G, got.Coef, nil)
	sumD, sumDX := planeSums(dx, nil), planeSums(dx, xhat)
	for c := range x.C {
		var s1, s2 float64
		for j, reader := range readers {
			s1 += reader.Gamma.Data[c] * got.DBeta[j].Data[c]
			s2 += reader.Gamma.Data[c] * got.DGamma[j].Data[c]
			// ⟨W[:,c], dW[:,c]⟩ = gamma·dgamma + beta·dbeta ties weight to data gradient.
			l := NewLinks(s, reader.Gamma, reader.Beta)
			dw := columns(ConvBackwardWeights(same3x3, one(x), &l, reader.DY), c, c+1)
			var inner float64
			for i, w := range columns(reader.W, c, c+1).Data {
				inner += w * dw.Data[i]
			}
			near(t, reader.Gamma.Data[c]*got.DGamma[j].Data[c]+reader.Beta.Data[c]*got.DBeta[j].Data[c], inner, 1e-12)
		}
		near(t, s1, sumG.Data[c], 1e-12)
		near(t, s2, sumGX.Data[c], 1e-12)
		near(t, 0, sumD.Data[c], 1e-12)
		near(t, 0, sumDX.Data[c], 1e-3) // up to eps
	}
}

// near demands |got - want| <= tol·max(1, |want|).
func near(t interface {
	Helper()
	Fatalf(string, ...any)
}, want, got, tol float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tol*math.Max(1, math.Abs(want))) {
		t.Fatalf("got %g, want %g within %g", got, want, tol)
	}
}
