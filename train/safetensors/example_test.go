package safetensors_test

import (
	"bytes"
	"fmt"

	"sparsevk/train/safetensors"
)

func Example() {
	var file bytes.Buffer
	w := safetensors.Float32("conv.weight", []int{2, 1}, []float32{0.5, -1})
	if err := safetensors.Write(&file, map[string]string{"made_by": "me"}, []safetensors.Tensor{w}); err != nil {
		fmt.Println(err)
		return
	}
	f, err := safetensors.NewFile(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		fmt.Println(err)
		return
	}
	v, err := f.Float32("conv.weight")
	fmt.Println(v, f.Metadata()["made_by"], err)
	// Output: [0.5 -1] me <nil>
}
