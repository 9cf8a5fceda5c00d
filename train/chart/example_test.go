package chart_test

import (
	"bytes"
	"fmt"
	"log"

	"sparsevk/train"
	"sparsevk/train/chart"
)

// Curves of a run; train.ReadMetrics reads those of a run directory.
func ExampleCurves() {
	metrics := []train.Metric{
		{Kind: train.KindEpoch, Step: 100, LR: 0.1, Loss: 2.1, Accuracy: 0.2},
		{Kind: train.KindEpoch, Step: 200, LR: 0.01, Loss: 1.4, Accuracy: 0.5},
	}
	var picture bytes.Buffer
	if err := chart.Curves(&picture, "png", metrics); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.4q\n", picture.Bytes())
	// Output: "\x89PNG"
}
