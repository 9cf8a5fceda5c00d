package spirv_test

import (
	"fmt"
	"os"

	"sparsevk/shaders/spirv"
)

func ExampleReflect() {
	code, err := os.ReadFile("../spv/relu_fwd.spv")
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := spirv.Reflect(code)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, b := range m.Bindings {
		fmt.Println(b.Index, b.Readable, b.Written)
	}
	// Output:
	// 0 true false
	// 1 false true
}
