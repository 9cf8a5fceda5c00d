package sparsenet

import (
	"fmt"
	"math"
)

// A Finding says where in a training step a value first is NaN or infinite.
type Finding struct {
	Phase  Phase   // of the step
	Step   string  // label of the dispatch that made it, as "stage1/layer7/conv_fwd"; "" if it was there before
	Tensor string  // what holds it, as "map stage1/map7" or "parameter classifier.linear.weight"
	Count  uint64  // values of Tensor that are not finite; 0: none was found
	Of     uint64  // all values of Tensor
	First  uint64  // index of the first
	Value  float32 // the first
}

// Found reports whether there is such a value.
func (f Finding) Found() bool { return f.Count > 0 }

// String tells the finding in one line.
func (f Finding) String() string {
	values := fmt.Sprintf("%s, %d of %d values, the first is %g at %d", f.Tensor, f.Count, f.Of, f.Value, f.First)
	switch {
	case !f.Found():
		return "every value was finite when the step ran once more"
	case f.Step == "":
		return fmt.Sprintf("not finite before the step began (%s)", values)
	case f.Phase == Feed:
		return fmt.Sprintf("first in %s (%s): see the images, and the means and deviations they are normalised by", f.Step, values)
	}
	return fmt.Sprintf("first in %s (%s), from finite inputs", f.Step, values)
}

// count takes in value i of the tensor.
func (f *Finding) count(i uint64, x float32) {
	if math.Float32bits(x)&infinity != infinity {
		return
	}
	if f.Count == 0 {
		f.First, f.Value = i, x
	}
	f.Count++
}

// infinity is the exponent of NaN and of the infinities.
const infinity = 0x7f800000
