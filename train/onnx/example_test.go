package onnx_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"sparsevk/sparsenet"
	"sparsevk/train/onnx"
)

// A network is written with the values that it starts from; those of a trained one come
// from sparsenet.Model.Values, or from a file by package convert.
func ExampleWrite() {
	graph, err := sparsenet.Build(sparsenet.Config{Depth: 7, Growth: []int{2}})
	if err != nil {
		log.Fatal(err)
	}
	values := map[string][]float32{}
	for _, p := range graph.Params.All {
		values[p.Name] = make([]float32, p.Elems())
		p.Fill(values[p.Name], 1)
	}
	path := filepath.Join(os.TempDir(), "sparsevk-example.onnx")
	defer os.Remove(path)
	if err := onnx.Write(path, graph, values, map[string]string{"dataset": "cifar10"}); err != nil {
		log.Fatal(err)
	}
	file, err := os.ReadFile(path)
	fmt.Println(len(file) > 4*graph.Params.Count(), err)
	// Output: true <nil>
}
