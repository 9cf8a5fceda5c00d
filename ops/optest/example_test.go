package optest_test

import (
	"fmt"

	"sparsevk/ops/optest"
)

// A value is right if it is within 16 rounding errors of its magnitude. NaN is
// never right.
func ExampleCompare() {
	want, magnitude := []float64{1, 2}, []float64{3, 2}
	got := []float32{1 + 20*optest.Unit, 2}
	d, err := optest.Compare(got, want, magnitude, optest.Tolerance{})
	fmt.Printf("%.2f of the tolerance, error: %v\n", d.Share, err)
	got[1] = 2 + 40*optest.Unit
	_, err = optest.Compare(got, want, magnitude, optest.Tolerance{})
	fmt.Println(err != nil)
	// Output:
	// 0.42 of the tolerance, error: <nil>
	// true
}
