package ref

import "math"

// A Batch turns the bytes of images into planes. Every image is C·H·W bytes, plane
// after plane, each row-major, as in CIFAR's .bin records without the label.
//
// In training an image is padded by Pad bytes on every side, cut back to H by
// W at a random place, and mirrored or not: output pixel (y, x) is the pixel
// (y+oy-Pad, x'+ox-Pad) of the image, x' = W-1-x if mirrored, else x; outside it
// is byte 0, or with Edge the nearest one of the image. Then, and always, it is
// normalised: (byte/255 - mean[c] - pixels[c][y][x])/std[c]. So padding comes before
// normalisation, as in torchvision's RandomCrop, and the mean of a pixel is that of
// its place in the output, as in tensorpack's examples.
//
//	key = (seed low, seed high)     counter = (Index[n], Epoch, StreamAugment, 0)
//	oy  = word0 % (2·Pad+1)     ox = word1 % (2·Pad+1)     mirrored = word2 & 1
type Batch struct {
	C, H, W   int
	Mean, Std []float64 // per channel, in units of byte/255
	Train     bool
	Pad       int
	Edge      bool
	Pixels    []float64 // [C][H][W], in units of byte/255; nil: 0
	Flip      bool      // mirror at random
	Seed      uint64
	Epoch     uint32
	Index     []uint32 // a number per image, that its place is drawn from
	Valid     int      // images that count; the others give planes of 0
}

// Forward returns the planes [C][N][H][W] of images. Magnitude: that of the
// formula, where mean and std are themselves rounded to float32.
func (b Batch) Forward(images []byte) *Tensor {
	size := b.C * b.H * b.W
	check(size > 0 && len(images)%size == 0, "batch: %d bytes for images of %d", len(images), size)
	check(len(b.Mean) == b.C && len(b.Std) == b.C, "batch: %d means and %d deviations for %d channels", len(b.Mean), len(b.Std), b.C)
	x := New(b.C, len(images)/size, b.H, b.W)
	x.Len = 8
	for n := range x.N {
		oy, ox, mirrored := b.Place(n)
		for c := range b.C {
			for y := range b.H {
				for col := range b.W {
					sy, sx := y+oy-b.Pad, col+ox-b.Pad
					if mirrored {
						sx = b.W - 1 - col + ox - b.Pad
					}
					if b.Edge {
						sy, sx = min(max(sy, 0), b.H-1), min(max(sx, 0), b.W-1)
					}
					var raw byte
					if 0 <= sy && sy < b.H && 0 <= sx && sx < b.W {
						raw = images[n*size+(c*b.H+sy)*b.W+sx]
					}
					x.set(x.Index(c, n, y, col), b.normalise(n, c, (c*b.H+y)*b.W+col, raw))
				}
			}
		}
	}
	return x
}

func (b Batch) normalise(n, c, pixel int, raw byte) num {
	if n >= b.Valid {
		return num{}
	}
	mean, std := num{b.Mean[c], math.Abs(b.Mean[c])}, num{b.Std[c], b.Std[c]}
	if b.Pixels != nil {
		mean = add(mean, num{b.Pixels[pixel], math.Abs(b.Pixels[pixel])})
	}
	return div(sub(div(exact(float64(raw)), exact(255)), mean), std)
}

// Place returns where image n of the batch is cut from its padded self, and
// whether it is mirrored. Without Train that is the image itself.
func (b Batch) Place(n int) (oy, ox int, mirrored bool) {
	if !b.Train {
		return b.Pad, b.Pad, false
	}
	words := Philox([4]uint32{b.Index[n], b.Epoch, StreamAugment, 0}, seedKey(b.Seed))
	side := uint32(2*b.Pad + 1)
	return int(words[0] % side), int(words[1] % side), b.Flip && words[2]&1 == 1
}
