package data_test

import (
	"fmt"

	"sparsevk/train/data"
)

// The order of an epoch depends on seed and epoch alone, so that a run goes on
// in the middle of one.
func ExampleLoader() {
	set := &data.Set{Name: "tiny", H: 1, W: 1, C: 1, Classes: 2, Mean: []float32{0}, Std: []float32{1},
		Labels: []uint16{0, 1, 0, 1, 0, 1, 0}, Images: []byte{10, 11, 12, 13, 14, 15, 16}}
	l := data.Loader{Set: set, Size: 3, Seed: 1}
	fmt.Println(l.Train(0).Len(), "batches to train on,", l.Eval().Len(), "to evaluate")
	images, labels := make([]byte, 3), make([]byte, 3*4)
	for batch := range l.Eval().From(1) {
		if err := batch.Fill(images, labels); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(images[:batch.Valid()])
	}
	// Output:
	// 2 batches to train on, 3 to evaluate
	// [13 14 15]
	// [16]
}
