package convert_test

import (
	"fmt"
	"log"

	"sparsevk/sparsenet"
	"sparsevk/train/convert"
)

// A checkpoint of PyTorch is read for a network of the same shape; no device is needed.
func Example() {
	graph, err := sparsenet.Build(sparsenet.Config{Blocks: []int{3, 3, 3}, Growth: []int{3}, Input: sparsenet.Input{H: 32, W: 32, C: 1}})
	if err != nil {
		log.Fatal(err)
	}
	source, err := convert.Open("testdata/sparse.pt")
	if err != nil {
		log.Fatal(err)
	}
	defer source.Close()
	values, scheme, err := convert.Import(graph, source)
	fmt.Println(scheme, len(values["classifier.linear.bias"]), err)
	// Output: official 10 <nil>
}
