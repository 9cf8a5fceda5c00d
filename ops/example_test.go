package ops_test

import (
	"fmt"

	"sparsevk/ops"
)

// A concatenation is a list of places: what a layer reads of two maps, as one
// binding, before and after memory has been planned.
func ExamplePlanes() {
	a := &ops.Block{Name: "a", C: 12, N: 64, H: 32, W: 32}
	b := &ops.Block{Name: "b", C: 24, N: 64, H: 32, W: 32}
	x := ops.Planes{b.All(), a.View(0, 6)} // all of b, then half of a
	if _, err := ops.Place(nil, ops.DefaultChunk, a, b); err != nil {
		fmt.Println(err)
		return
	}
	off, bytes := x.Range()
	fmt.Println(x.C(), "channels,", bytes>>20, "MiB from byte", off)
	fmt.Println("first elements:", x.Bases())
	// Output:
	// 30 channels, 9 MiB from byte 0
	// first elements: [786432 0]
}

// A layer is data: its steps can be printed, counted and planned with no device.
func ExampleReLU() {
	x := &ops.Block{Name: "x", C: 12, N: 64, H: 32, W: 32}
	y := &ops.Block{Name: "y", C: 12, N: 64, H: 32, W: 32}
	relu := ops.ReLU{Env: ops.NewEnv(), Label: "layer1", X: x.All(), Y: y.All()}
	for _, s := range relu.Forward() {
		fmt.Println(s.Label, "reads", s.Reads(), "and writes", s.Writes(), "bytes")
	}
	plan, err := ops.Place(relu.Forward(), ops.DefaultChunk)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(plan.Total(), "bytes in all")
	// Output:
	// layer1/relu_fwd reads 3145728 and writes 3145728 bytes
	// 6291456 bytes in all
}
