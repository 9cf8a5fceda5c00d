package ref_test

import (
	"fmt"

	"sparsevk/ops/ref"
)

// A kernel's result is compared with Data, within 16·2⁻²⁴ times Mag.
func Example() {
	x := ref.From(1, 1, 2, 2, []float64{1, -2, 3, -4}) // one channel, one image of 2 by 2
	w := ref.From(1, 1, 1, 2, []float64{10, 1})        // one output, one input, a window of 1 by 2
	y := ref.Conv(ref.Geometry{R: 1, S: 2, Stride: 1}, []*ref.Tensor{x}, nil, w, nil)
	fmt.Println(y.Data, y.Mag)
	// Output: [8 26] [12 34]
}
