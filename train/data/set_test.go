package data

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// small returns a set of n images of h·w·c pixels by pixel, in 3 classes.
func small(n, h, w, c int) *Set {
	s := &Set{Name: "small", H: h, W: w, C: c, Classes: 3}
	for i := range n {
		s.Labels = append(s.Labels, uint16(i%3))
		for p := range c * h * w {
			s.Images = append(s.Images, pixel(i, p))
		}
	}
	for range c {
		s.Mean, s.Std = append(s.Mean, 0.5), append(s.Std, 0.25)
	}
	return s
}

func TestCheckNamesTheInconsistency(t *testing.T) {
	require.NoError(t, small(4, 2, 3, 2).Check())
	for want, breakIt := range map[string]func(*Set){
		"47 bytes of images, 4 images of 2x3x2 have 48": func(s *Set) { s.Images = s.Images[1:] },
		"0 images":                         func(s *Set) { s.Labels = nil },
		"image 2 has label 3, there are 3": func(s *Set) { s.Labels[2] = 3 },
		"1 means and 2 deviations":         func(s *Set) { s.Mean = s.Mean[1:] },
		"channel 1 has mean":               func(s *Set) { s.Std[1] = float32(math.NaN()) },
		"deviation 0":                      func(s *Set) { s.Std[0] = 0 },
		"channel 0 has mean 127":           func(s *Set) { s.Mean[0] = 127 },
		"images of 0x3x2":                  func(s *Set) { s.H = 0 },
		"2 class names for 3 classes":      func(s *Set) { s.ClassNames = []string{"a", "b"} },
		"images of 2x3x2 in 70000 classes": func(s *Set) { s.Classes = 70000 },
	} {
		s := small(4, 2, 3, 2)
		breakIt(s)
		assert.ErrorContains(t, s.Check(), want)
	}
}

func TestMeasureByHand(t *testing.T) {
	s := &Set{H: 1, W: 2, C: 2, Classes: 1, Labels: []uint16{0, 0}, Images: []byte{0, 255, 51, 51, 0, 255, 51, 51}}
	mean, std := s.Measure()
	assert.Equal(t, []float32{0.5, 0.2}, mean)
	assert.Equal(t, []float32{0.5, 0}, std)
	assert.Equal(t, []int{2}, s.Counts())
	assert.Equal(t, []float32{0, 1, 0.2, 0.2}, s.PixelMeans())
	s.Images[0] = 255
	assert.Equal(t, []float32{0.5, 1, 0.2, 0.2}, s.PixelMeans())
}

func TestPadPutsTheImageInTheMiddle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string, lo, hi int) int { return rapid.IntRange(lo, hi).Draw(t, name) }
		n, h, w, c := draw("n", 1, 4), draw("h", 1, 6), draw("w", 1, 6), draw("c", 1, 3)
		s := small(n, h, w, c)
		ph, pw := h+draw("dh", 0, 5), w+draw("dw", 0, 5)
		p, err := s.Pad(ph, pw)
		require.NoError(t, err)
		require.Equal(t, s.Mean, p.Mean)
		top, left := (ph-h)/2, (pw-w)/2
		for i := range n {
			for ch := range c {
				for y := range ph {
					for x := range pw {
						want := byte(0)
						if y >= top && y < top+h && x >= left && x < left+w {
							want = s.Image(i)[(ch*h+y-top)*w+x-left]
						}
						require.Equal(t, want, p.Image(i)[(ch*ph+y)*pw+x])
					}
				}
			}
		}
	})
	s := small(2, 28, 28, 1)
	same, err := s.Pad(28, 28)
	require.NoError(t, err)
	assert.Same(t, s, same)
	_, err = s.Pad(27, 32)
	assert.ErrorContains(t, err, "images of 28x28 do not fit into an input of 27x32")
}

func TestHead(t *testing.T) {
	s := small(5, 2, 2, 1)
	h, err := s.Head(3)
	require.NoError(t, err)
	assert.Equal(t, 3, h.Len())
	assert.Equal(t, s.Image(2), h.Image(2))
	assert.NoError(t, h.Check())
	for _, n := range []int{0, -1, 6} {
		_, err = s.Head(n)
		assert.ErrorContains(t, err, "the train split has 5")
	}
}

func TestHashSeesEverything(t *testing.T) {
	base := small(4, 2, 3, 2)
	assert.Equal(t, base.Hash(), small(4, 2, 3, 2).Hash())
	for name, change := range map[string]func(*Set){
		"image":   func(s *Set) { s.Images[47]++ },
		"label":   func(s *Set) { s.Labels[3]++ },
		"mean":    func(s *Set) { s.Mean[1] += 1e-3 },
		"std":     func(s *Set) { s.Std[0] += 1e-3 },
		"classes": func(s *Set) { s.Classes++ },
		"shape":   func(s *Set) { s.H, s.W = s.W, s.H },
	} {
		s := small(4, 2, 3, 2)
		change(s)
		assert.NotEqual(t, base.Hash(), s.Hash(), name)
	}
}
