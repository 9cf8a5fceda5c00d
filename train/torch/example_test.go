package torch_test

import (
	"fmt"
	"log"

	"sparsevk/train/torch"
)

// The tensors of a checkpoint, without running a line of what is in it.
func Example() {
	file, err := torch.Open("../convert/testdata/sparse.pt")
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	first := file.Tensors()[0]
	bytes := make([]byte, first.Bytes)
	err = file.Read(first.Name, bytes)
	fmt.Println(first.Name, first.DType, first.Shape, err)
	// Output: _orig_mod.features.conv0.weight F64 [6 1 3 3] <nil>
}
