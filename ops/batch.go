package ops

import (
	"fmt"

	"sparsevk/shaders"
)

// Batch turns the bytes of images into planes:
//
//	y[c,n,i,j] = (byte/255 - Mean[c] - Pixels[c,i,j])/Std[c]
//
// In training (State) an image is cropped at random from itself with Pad bytes on
// every side, zeros or with Edge those nearest in the image, then mirrored or not if Flip; where and whether depends on
// the seed, the epoch and the image's number alone (ref.Batch has the formula).
// Images from the State's valid count on are 0.
type Batch struct {
	Env       *Env
	Label     string
	Pad       uint32
	Edge      bool
	Flip      bool
	Mean, Std []float32 // one for each channel, in units of 255
	Pixels    View      // C·H·W floats [C][H][W], added to the means; the zero View: none
	Bytes     View      // ⌈N·C·H·W/4⌉ words: images [N][C][H][W], four bytes a word, the first lowest
	Index     View      // N words: the number of each image in the data set
	State     View
	Y         View // 1 to 4 planes, each N·H·W
}

// Forward reads Bytes, Index, State and Pixels and writes Y.
func (o Batch) Forward() []Step {
	b, c := o.Y.Block, o.Y.C()
	if c < 1 || c > 4 || len(o.Mean) != int(c) || len(o.Std) != int(c) {
		panic(fmt.Sprintf("ops: batch: %d planes, %d means and %d deviations, want 1 to 4 of each", c, len(o.Mean), len(o.Std)))
	}
	var mean, inv [4]float32
	for i := range o.Mean {
		mean[i], inv[i] = o.Mean[i], 1/o.Std[i]
	}
	pixels := o.Pixels
	if pixels.Block == nil {
		pixels = o.State // every binding needs a buffer; it is not read
	} else if want := uint64(c) * uint64(b.H) * uint64(b.W); pixels.Elems() != want {
		panic(fmt.Sprintf("ops: batch: means of %d pixels, want %d", pixels.Elems(), want))
	}
	var steps []Step
	for _, v := range o.Env.runs(o.Y) {
		y := v[0]
		rows := y.Elems() / uint64(b.W)
		steps = append(steps, Step{
			Label: o.Label + "/batch", Kernel: &shaders.Batch, Args: bind(o.Bytes, o.Index, o.State, pixels, y),
			Push: &shaders.BatchPush{Planes: y.C(), First: y.Lo - o.Y.Lo, Channels: c, Images: b.N, H: b.H, W: b.W, Pad: o.Pad, Flip: flag(o.Flip), Edge: flag(o.Edge), Pixels: flag(o.Pixels.Block != nil),
				Mean0: mean[0], Mean1: mean[1], Mean2: mean[2], Mean3: mean[3], Inv0: inv[0], Inv1: inv[1], Inv2: inv[2], Inv3: inv[3],
				Bytes: where(o.Bytes), Index: where(o.Index), State: where(o.State), M: where(pixels), Y: where(y)},
			Groups: rowGroups(rows),
		})
	}
	return steps
}
