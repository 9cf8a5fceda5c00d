package shaders_test

import (
	"fmt"

	"sparsevk/shaders"
)

// What the host must know of a kernel is generated from its code.
func Example() {
	k := &shaders.ReluBwd
	for i, b := range k.Bindings {
		fmt.Println(i, b.Name, b.Access)
	}
	fmt.Println(k.PushBytes, "bytes of push constants, groups of", k.Size(nil))
	// Output:
	// 0 y read
	// 1 dy read
	// 2 dx write
	// 28 bytes of push constants, groups of [128 1 1]
}
