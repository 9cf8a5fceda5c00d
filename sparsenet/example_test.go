package sparsenet_test

import (
	"fmt"

	"sparsevk/sparsenet"
)

func ExampleBuild() {
	g, err := sparsenet.Build(sparsenet.Config{Depth: 40, Growth: []int{24}, Classes: 100})
	if err != nil {
		fmt.Println(err)
		return
	}
	c := g.Counts()
	fmt.Println(c.Parameters, "parameters,", c.MACs, "multiply-accumulates,", c.Links, "links")
	// Output: 757252 parameters, 312063360 multiply-accumulates, 123 links
}

func ExampleConfig_Validate() {
	fmt.Println(sparsenet.Config{Depth: 41, Growth: []int{24}}.Validate())
	// Output: sparsenet: depth 41: does not fit, (depth-4) must be a multiple of 3, one convolution per layer in each of three stages; nearest are 40 and 43
}

func ExamplePowers() {
	fmt.Println(sparsenet.Powers(2).Reads(13), sparsenet.Powers(3).Reads(13))
	// Output: [12 11 9 5] [12 10 4]
}
