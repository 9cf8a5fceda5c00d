package ref

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestPhilox holds the generator against the known answers of Random123
// (github.com/DEShawResearch/random123, tests/kat_vectors, philox4x32 10).
func TestPhilox(t *testing.T) {
	const f = math.MaxUint32
	for _, k := range []struct {
		counter [4]uint32
		key     [2]uint32
		want    [4]uint32
	}{
		{want: [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{[4]uint32{f, f, f, f}, [2]uint32{f, f}, [4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{[4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, [2]uint32{0xa4093822, 0x299f31d0},
			[4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	} {
		assert.Equal(t, k.want, Philox(k.counter, k.key))
	}
	// The place of every word matters.
	seen := map[[4]uint32]bool{}
	for i := range 6 {
		var words [6]uint32
		words[i] = 1
		seen[Philox([4]uint32(words[:4]), [2]uint32(words[4:]))] = true
	}
	assert.Len(t, seen, 6)
}

// TestBatchPlaces pads, cuts and mirrors as torchvision does, one after the other.
func TestBatchPlaces(t *testing.T) {
	const c, h, w, pad, images = 2, 5, 4, 2, 40
	r := rand.New(rand.NewPCG(1, 1))
	raw := make([]byte, images*c*h*w)
	index := make([]uint32, images)
	for i := range raw {
		raw[i] = byte(r.IntN(256))
	}
	for i := range index {
		index[i] = r.Uint32()
	}
	b := Batch{C: c, H: h, W: w, Mean: []float64{0.5, 0.25}, Std: []float64{0.25, 0.5}, Train: true, Pad: pad, Flip: true,
		Seed: 0x0123456789abcdef, Epoch: 7, Index: index, Valid: images - 1}
	x := b.Forward(raw)
	var places [2*pad + 1][2*pad + 1][2]int
	for n := range images {
		words := Philox([4]uint32{index[n], 7, 1, 0}, [2]uint32{0x89abcdef, 0x01234567})
		oy, ox, mirror := int(words[0]%5), int(words[1]%5), int(words[2]&1)
		places[oy][ox][mirror]++
		for ch := range c {
			padded := make([][]byte, h+2*pad)
			for y := range padded {
				padded[y] = make([]byte, w+2*pad)
				if y >= pad && y < pad+h {
					copy(padded[y][pad:], raw[((n*c+ch)*h+y-pad)*w:][:w])
				}
			}
			for y := range h {
				row := append([]byte(nil), padded[oy+y][ox:ox+w]...)
				for col := range w {
					from := col
					if mirror == 1 {
						from = w - 1 - col
					}
					want := (float64(row[from])/255 - b.Mean[ch]) / b.Std[ch]
					if n == images-1 {
						want = 0
					}
					require.Equal(t, want, x.Data[x.Index(ch, n, y, col)], "image %d channel %d pixel %d,%d", n, ch, y, col)
				}
			}
		}
	}
	distinct := 0
	for _, row := range places {
		for _, p := range row {
			for _, n := range p {
				distinct += min(n, 1)
			}
		}
	}
	assert.Greater(t, distinct, 20, "40 images over 50 places fall on about 28")
}

func TestBatchInEvaluation(t *testing.T) {
	b := Batch{C: 1, H: 2, W: 2, Mean: []float64{0.5}, Std: []float64{0.5}, Pad: 4, Flip: true, Valid: 1}
	same(t, plane(2, 2, -1, 1, 0.6, -0.6), b.Forward([]byte{0, 255, 204, 51}), 1e-15)

	// Without Flip an image is never mirrored, and moves all the same.
	b.Train, b.Flip, b.Pad = true, false, 1
	moved := false
	for i := range 50 {
		b.Index = []uint32{uint32(i)}
		oy, ox, mirrored := b.Place(0)
		require.False(t, mirrored)
		moved = moved || oy != 1 || ox != 1
	}
	assert.True(t, moved)
}

func TestDropout(t *testing.T) {
	const n = 20000
	d := Dropout{P: 0.2, Group: 1, Seed: 5, Step: 6, Layer: 7}
	x := Random(rand.New(rand.NewPCG(2, 2)), 4, 5, 25, 40)
	y, kept := d.Forward(x), 0
	for i := range n {
		words := Philox([4]uint32{uint32(i), 6, 7, 2}, [2]uint32{5, 0})
		want := 0.0
		if float64(words[0]>>8)/(1<<24) >= float64(float32(0.2)) {
			want = x.Data[i] / (1 - float64(float32(0.2)))
			kept++
		}
		if !(math.Abs(y.Data[i]-want) <= 1e-15*math.Abs(want)) {
			require.Failf(t, "dropout", "element %d: got %g, want %g", i, y.Data[i], want)
		}
	}
	// Five standard deviations of the binomial.
	assert.Less(t, math.Abs(float64(kept)-0.8*n), 5*math.Sqrt(n*0.2*0.8))

	// Groups share a fate, and another layer, step or seed draws another mask.
	d.Group = 1000
	for i := range n {
		require.Equal(t, d.Keep(i/1000*1000), d.Keep(i))
	}
	d.Group = 1
	for name, other := range map[string]Dropout{
		"seed": {P: 0.2, Group: 1, Seed: 5 << 32, Step: 6, Layer: 7}, "step": {P: 0.2, Group: 1, Seed: 5, Step: 7, Layer: 7},
		"layer": {P: 0.2, Group: 1, Seed: 5, Step: 6, Layer: 6}} {
		differ := 0
		for i := range n {
			if d.Keep(i) != other.Keep(i) {
				differ++
			}
		}
		// Independent masks differ in 2·0.2·0.8 of the elements.
		assert.Less(t, math.Abs(float64(differ)-0.32*n), 5*math.Sqrt(n*0.32*0.68), name)
	}
	same(t, x, Dropout{Group: 1}.Forward(x), 0)
}

func TestInputsStayClear(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	x := Distinct(r, 2, 3, 4, 5)
	for c := range 2 {
		for i := range 60 {
			for j := range i {
				require.Greater(t, math.Abs(x.Data[c*60+i]-x.Data[c*60+j]), 0.06)
			}
		}
	}
	x = Random(r, 2, 3, 4, 5)
	near := 0
	for _, v := range x.Data {
		if math.Abs(v) < 0.05 {
			near++
		}
	}
	require.Positive(t, near, "random inputs come near a kink")
	readers := []Links{{Vec(0, 1), Vec(1, 2), Vec(1, -1), Vec(0.1, 0.2)}, {Vec(0, 1), Vec(1, 2), Vec(0, 3), Vec(0, -1)}}
	ClearKinks(x, 0.05)
	ClearKinks(x, 0.05, readers...)
	for i, v := range x.Data {
		c := i / x.Plane()
		require.Equal(t, float64(float32(v)), v, "float32 values")
		for _, l := range readers {
			z := l.Gamma.Data[c]*l.Istd.Data[c]*(v-l.Mean.Data[c]) + l.Beta.Data[c]
			if l.Gamma.Data[c] != 0 {
				require.GreaterOrEqual(t, math.Abs(z), 0.05)
			}
		}
	}
}
