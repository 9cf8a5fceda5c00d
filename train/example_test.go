package train_test

import (
	"context"
	"fmt"
	"log"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"sparsevk/gpu"
	"sparsevk/ops/optest"
	"sparsevk/sparsenet"
	"sparsevk/train"
	"sparsevk/train/data"
)

// The README shows this function (tools/docs_test.go holds it to that).

// learn trains a SparseNet on set for one epoch.
func learn(ctx context.Context, device *gpu.Device, set *data.Set) error {
	graph, err := sparsenet.Build(sparsenet.Config{
		Depth: 16, Growth: []int{8}, Classes: set.Classes, Input: sparsenet.Input{H: set.H, W: set.W, C: set.C},
	})
	if err != nil {
		return err
	}
	network, err := sparsenet.NewNetwork(graph, sparsenet.Options{Batch: 64, Flip: true, Mean: set.Mean, Std: set.Std}.For(device))
	if err != nil {
		return err
	}
	fmt.Printf("%d parameters, %.1f MiB\n", graph.Counts().Parameters, sparsenet.MiB(network.Memory().Total))
	model, err := network.Open(device, 1) // parameters from seed 1
	if err != nil {
		return err
	}
	defer model.Close()
	trainer := &train.Trainer{
		Model: model, Train: data.Loader{Set: set, Size: 64, Seed: 1},
		Epochs: 1, Seed: 1, LR: train.Cosine(0.1, 0, 1), Momentum: 0.9, Decay: 1e-4,
	}
	for epoch, err := range trainer.Loop(ctx) {
		if err != nil {
			return err
		}
		fmt.Printf("epoch %d  loss %.4f  accuracy %.2f%%\n", epoch.N, epoch.Loss, 100*epoch.Accuracy)
	}
	return nil
}

// Without an Output comment it is compiled, not run: it takes minutes and a data
// set. TestExample runs what it calls.
func Example() {
	set, err := data.Open("fashion-mnist", "", data.Train, data.Options{})
	if err != nil {
		log.Fatal(err)
	}
	if set, err = set.Pad(32, 32); err != nil { // 32 halves evenly, down to the last stage
		log.Fatal(err)
	}
	device, err := gpu.Open(gpu.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer device.Close()
	if err := learn(context.Background(), device, set); err != nil {
		log.Print(err)
	}
}

func TestExample(t *testing.T) {
	device := optest.Device(t)
	set := &data.Set{Name: "noise", H: 32, W: 32, C: 1, Classes: 10, Mean: []float32{0.5}, Std: []float32{0.3}}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 128 {
		set.Labels = append(set.Labels, uint16(i%set.Classes))
		for range set.Record() {
			set.Images = append(set.Images, byte(r.Uint32()))
		}
	}
	require.NoError(t, learn(t.Context(), device, set))
	set.Classes = 3
	require.ErrorContains(t, learn(t.Context(), device, set), "label")
}
