package sparsenet

import (
	"hash/crc32"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The known answers of Random123, kat_vectors.
func TestPhilox(t *testing.T) {
	const f = math.MaxUint32
	assert.Equal(t, [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}, philox([4]uint32{}, [2]uint32{}))
	assert.Equal(t, [4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}, philox([4]uint32{f, f, f, f}, [2]uint32{f, f}))
	assert.Equal(t, [4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1},
		philox([4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, [2]uint32{0xa4093822, 0x299f31d0}))
}

func TestLogarithm(t *testing.T) {
	for i := range 20000 {
		x := math.Exp(float64(i)*0.01-150) * (1 + float64(i%7)*0.03)
		want := math.Log(x)
		err := math.Abs(logarithm(x)-want) / math.Max(math.Abs(want), 1e-3)
		require.True(t, err <= 1e-15, "ln %g: %g, want %g", x, logarithm(x), want)
	}
	assert.Zero(t, logarithm(1))
	// The polar method takes logarithms of numbers just below 1.
	near := 1 - math.Ldexp(1, -53)
	assert.Equal(t, math.Log(near), logarithm(near))
}

// moments returns mean, deviation and excess kurtosis.
func moments(v []float32) (mean, deviation, kurtosis float64) {
	for _, x := range v {
		mean += float64(x) / float64(len(v))
	}
	var m2, m4 float64
	for _, x := range v {
		d := float64(x) - mean
		m2 += d * d / float64(len(v))
		m4 += d * d * d * d / float64(len(v))
	}
	return mean, math.Sqrt(m2), m4/(m2*m2) - 3
}

func TestInitDistributions(t *testing.T) {
	p := build(t, "sparse-100-16x32x64").Params
	region := p.Init(7)
	for _, q := range p.Trained {
		v := region[q.Offset : q.Offset+q.Elems()]
		n := float64(len(v))
		mean, dev, kurtosis := moments(v)
		switch q.Kind {
		case ConvWeight:
			want := math.Sqrt(2 / float64(q.Shape[0]*q.Shape[2]*q.Shape[3]))
			assert.True(t, math.Abs(mean) <= 5*want/math.Sqrt(n), "%s: mean %g", q.Name, mean)
			assert.True(t, math.Abs(dev/want-1) <= 5/math.Sqrt(2*n), "%s: deviation %g, want %g", q.Name, dev, want)
			assert.True(t, math.Abs(kurtosis) <= 6*math.Sqrt(24/n), "%s: kurtosis %g", q.Name, kurtosis)
		case LinearWeight:
			bound := 1 / math.Sqrt(float64(q.Shape[1]))
			assert.True(t, float64(slices.Max(v)) <= bound && float64(slices.Min(v)) >= -bound)
			assert.True(t, float64(slices.Max(v)) > 0.99*bound && float64(slices.Min(v)) < -0.99*bound)
			assert.True(t, math.Abs(dev/bound*math.Sqrt(3)-1) <= 5/math.Sqrt(n), "deviation %g", dev)
		case Gamma:
			assert.Equal(t, [2]float32{1, 1}, [2]float32{slices.Min(v), slices.Max(v)}, q.Name)
		default:
			assert.Equal(t, [2]float32{}, [2]float32{slices.Min(v), slices.Max(v)}, q.Name)
		}
	}
	running := p.InitRunning()
	for _, q := range p.Running {
		for _, x := range running[q.Offset : q.Offset+q.Elems()] {
			require.Equal(t, q.Kind == RunningVar, x == 1)
			require.Equal(t, q.Kind == RunningMean, x == 0)
		}
	}
}

// checksum is over the bits of v.
func checksum(v []float32) uint32 {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		u := math.Float32bits(x)
		b = append(b, byte(u), byte(u>>8), byte(u>>16), byte(u>>24))
	}
	return crc32.ChecksumIEEE(b)
}

// The bits of an initialisation are a promise: the same on every platform and
// from one version to the next.
func TestInitBits(t *testing.T) {
	p := build(t, "sparse-40-12").Params
	assert.Equal(t, uint32(0xaf093876), checksum(p.Init(1)))
	assert.Equal(t, checksum(p.Init(1)), checksum(p.Init(1)))
	changed := p.Init(1)
	changed[5] = math.Nextafter32(changed[5], 1)
	assert.NotEqual(t, checksum(p.Init(1)), checksum(changed), "one bit")
	assert.NotEqual(t, checksum(p.Init(1)), checksum(p.Init(2)), "seed")
	assert.NotEqual(t, checksum(p.Init(1)), checksum(p.Init(1|1<<40)), "high half of the seed")
}

// A tensor's values depend on its name, not on what lies around it, and no two
// tensors share values.
func TestInitByName(t *testing.T) {
	small, large := build(t, "sparse-40-12").Params, build(t, "dense-100-12-c100").Params
	a, ok := small.Find("features.dense-stage-0.block-2.conv1.weight")
	require.True(t, ok)
	b, ok := large.Find(a.Name)
	require.True(t, ok)
	require.Equal(t, a.Shape, b.Shape)
	va, vb := make([]float32, a.Elems()), make([]float32, b.Elems())
	a.Fill(va, 3)
	b.Fill(vb, 3)
	assert.Equal(t, checksum(va), checksum(vb))
	a.Name = "features.dense-stage-1.block-2.conv1.weight"
	a.Fill(va, 3)
	assert.NotEqual(t, checksum(va), checksum(vb))
	odd := make([]float32, a.Elems()-1) // the last of a pair alone
	a.Fill(odd, 3)
	assert.Equal(t, checksum(va[:len(odd)]), checksum(odd))
}

func BenchmarkInit(b *testing.B) {
	c, err := Preset("dense-bc-190-40")
	require.NoError(b, err)
	g, err := Build(c)
	require.NoError(b, err)
	for b.Loop() {
		g.Params.Init(1)
	}
}
