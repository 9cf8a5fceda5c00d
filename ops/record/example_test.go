package record_test

import (
	"fmt"

	"sparsevk/ops"
	"sparsevk/ops/record"
)

// Two steps that read the same map need no barrier between them; the step that
// reads what one of them wrote does.
func ExampleBarriers() {
	env := ops.NewEnv()
	block := func(name string, off uint64) *ops.Block {
		return &ops.Block{Name: name, C: 3, N: 1, H: 8, W: 8, Off: off}
	}
	x, a, b, y := block("x", 0), block("a", 1024), block("b", 2048), block("y", 3072)
	var steps []ops.Step
	for _, of := range [][2]*ops.Block{{x, a}, {x, b}, {b, y}} {
		relu := ops.ReLU{Env: env, Label: of[1].Name, X: of[0].All(), Y: of[1].All()}
		steps = append(steps, relu.Forward()...)
	}
	for i, barrier := range record.Barriers(steps) {
		fmt.Println(steps[i].Label, barrier)
	}
	// Output:
	// a/relu_fwd false
	// b/relu_fwd false
	// y/relu_fwd true
}
