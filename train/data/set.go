package data

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
)

// A Split is one of the two parts in which data sets are published.
type Split int

// The splits. A validation set is held out of Train, see [HoldOut]; Test is for
// the last number of a report.
const (
	Train Split = iota
	Test
)

// String returns "train" or "test".
func (s Split) String() string {
	if s == Test {
		return "test"
	}
	return "train"
}

// A Set is a labelled image data set in memory. It may be built by hand; Check
// says whether it is consistent.
type Set struct {
	Name       string
	Split      Split
	H, W, C    int
	Classes    int
	Images     []byte    // [n][c][y][x]
	Labels     []uint16  // [n], each below Classes
	Mean, Std  []float32 // [c], of the pixels as value/255
	ClassNames []string  // [Classes], or nil
	Files      []File    // where the images came from, if from files
}

// A File is one file of a data set on disk.
type File struct {
	Path   string
	Bytes  int    // of the unpacked content
	SHA256 string // of the unpacked content, in hex
	Known  bool   // whether that is the published content
}

// Len returns the number of images.
func (s *Set) Len() int { return len(s.Labels) }

// Record returns the bytes of one image, C·H·W.
func (s *Set) Record() int { return s.C * s.H * s.W }

// Image returns the bytes of image i, [c][y][x], which the set owns.
func (s *Set) Image(i int) []byte {
	r := s.Record()
	return s.Images[i*r : (i+1)*r : (i+1)*r]
}

// Check reports the first inconsistency: sizes that disagree, a label out of
// range, a deviation that cannot be divided by.
func (s *Set) Check() error {
	n := len(s.Labels)
	switch {
	case n == 0 || n > math.MaxInt32:
		return fmt.Errorf("data: %s: %d images, want 1 to 2^31-1", s.Name, n)
	case s.H < 1 || s.W < 1 || s.C < 1 || s.Classes < 1 || s.Classes > math.MaxUint16:
		return fmt.Errorf("data: %s: images of %dx%dx%d in %d classes", s.Name, s.H, s.W, s.C, s.Classes)
	case len(s.Images) != n*s.Record():
		return fmt.Errorf("data: %s: %d bytes of images, %d images of %dx%dx%d have %d",
			s.Name, len(s.Images), n, s.H, s.W, s.C, n*s.Record())
	case len(s.Mean) != s.C || len(s.Std) != s.C:
		return fmt.Errorf("data: %s: %d means and %d deviations for %d channels", s.Name, len(s.Mean), len(s.Std), s.C)
	case s.ClassNames != nil && len(s.ClassNames) != s.Classes:
		return fmt.Errorf("data: %s: %d class names for %d classes", s.Name, len(s.ClassNames), s.Classes)
	}
	for i, l := range s.Labels {
		if int(l) >= s.Classes {
			return fmt.Errorf("data: %s: image %d has label %d, there are %d classes", s.Name, i, l, s.Classes)
		}
	}
	for c, sd := range s.Std {
		if mean := s.Mean[c]; !(sd > 0) || math.IsInf(float64(sd), 0) || !(mean >= 0 && mean <= 1) {
			return fmt.Errorf("data: %s: channel %d has mean %g and deviation %g", s.Name, c, mean, sd)
		}
	}
	return nil
}

// Head returns the set of the first n images, which shares the memory of s.
func (s *Set) Head(n int) (*Set, error) {
	if n < 1 || n > s.Len() {
		return nil, fmt.Errorf("data: %s: limit of %d images, the %s split has %d", s.Name, n, s.Split, s.Len())
	}
	h := *s
	h.Images, h.Labels = s.Images[:n*s.Record()], s.Labels[:n]
	return &h, nil
}

// Pad returns a copy whose images lie in the middle of h·w pixels of value 0;
// an odd margin has its extra pixel below and to the right. Mean and deviation
// stay those of the images without margin. A set that has the size already is
// returned as it is.
func (s *Set) Pad(h, w int) (*Set, error) {
	if h < s.H || w < s.W {
		return nil, fmt.Errorf("data: %s: images of %dx%d do not fit into an input of %dx%d", s.Name, s.H, s.W, h, w)
	}
	if h == s.H && w == s.W {
		return s, nil
	}
	p := *s
	p.H, p.W = h, w
	p.Images = make([]byte, s.Len()*p.Record())
	top, left := (h-s.H)/2, (w-s.W)/2
	for plane := range s.Len() * s.C {
		from, to := s.Images[plane*s.H*s.W:], p.Images[plane*h*w:]
		for y := range s.H {
			copy(to[(top+y)*w+left:], from[y*s.W:(y+1)*s.W])
		}
	}
	return &p, nil
}

// Measure returns mean and standard deviation of each channel over all images,
// of the pixels as value/255. Sums are integers: the result is exact up to the
// last rounding.
func (s *Set) Measure() (mean, std []float32) {
	mean, std = make([]float32, s.C), make([]float32, s.C)
	plane := s.H * s.W
	for c := range s.C {
		var sum, squares uint64
		for i := range s.Len() {
			for _, v := range s.Image(i)[c*plane : (c+1)*plane] {
				sum += uint64(v)
				squares += uint64(v) * uint64(v)
			}
		}
		n := float64(s.Len() * plane)
		m := float64(sum) / n
		mean[c] = float32(m / 255)
		std[c] = float32(math.Sqrt(max(0, float64(squares)/n-m*m)) / 255)
	}
	return mean, std
}

// PixelMeans returns the mean of each pixel over all images, as value/255, [C][H][W].
func (s *Set) PixelMeans() []float32 {
	sums := make([]uint64, s.Record())
	for i := range s.Len() {
		for p, v := range s.Image(i) {
			sums[p] += uint64(v)
		}
	}
	means := make([]float32, len(sums))
	for p, sum := range sums {
		means[p] = float32(float64(sum) / float64(s.Len()) / 255)
	}
	return means
}

// Counts returns the number of images in each class.
func (s *Set) Counts() []int {
	counts := make([]int, s.Classes)
	for _, l := range s.Labels {
		counts[l]++
	}
	return counts
}

// Hash returns the SHA-256, in hex, of everything in the set that a training
// run can see: sizes, mean and deviation, labels and images.
func (s *Set) Hash() string {
	h := sha256.New()
	b := binary.LittleEndian.AppendUint64(nil, uint64(s.Len()))
	for _, v := range []int{s.C, s.H, s.W, s.Classes} {
		b = binary.LittleEndian.AppendUint64(b, uint64(v))
	}
	for _, list := range [][]float32{s.Mean, s.Std} {
		for _, v := range list {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		}
	}
	for _, l := range s.Labels {
		b = binary.LittleEndian.AppendUint16(b, l)
	}
	h.Write(b)
	h.Write(s.Images)
	return hex.EncodeToString(h.Sum(nil))
}

// A Shape is what is known of a data set before it is read.
type Shape struct{ H, W, C, Classes int }

// Describe returns the shape of one of the sets in [Names].
func Describe(name string) (Shape, error) {
	k := lookUp(name)
	if k == nil {
		return Shape{}, unknown(name)
	}
	return Shape{k.h, k.w, k.c, len(k.classes)}, nil
}
