package onnx

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/ops/optest"
	"sparsevk/sparsenet"
	"sparsevk/train/onnx/onnxtest"
)

func TestMain(m *testing.M) { optest.Main(m) }

// saved writes a model to a file.
func saved(t *testing.T, model []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.onnx")
	require.NoError(t, os.WriteFile(path, model, 0o666))
	return path
}

// some returns parameters and statistics that are all different, and images.
func some(g *sparsenet.Graph, batch int) (values map[string][]float32, images []float32) {
	r := rand.New(rand.NewPCG(4, 2))
	values = map[string][]float32{}
	for _, p := range g.Params.All {
		v := make([]float32, p.Elems())
		p.Fill(v, 7)
		for i := range v {
			switch p.Kind {
			case sparsenet.Gamma, sparsenet.RunningVar:
				v[i] = 0.5 + r.Float32()
			case sparsenet.Beta, sparsenet.RunningMean, sparsenet.LinearBias:
				v[i] = 0.3 * float32(r.NormFloat64())
			}
		}
		values[p.Name] = v
	}
	images = make([]float32, batch*int(g.Maps[0].Floats()))
	for i := range images {
		images[i] = float32(r.NormFloat64())
	}
	return values, images
}

// Another runtime gives our logits for every kind of layer, at another batch than 1,
// with running statistics that differ among the readers of a map.
func TestRuntimeAgrees(t *testing.T) {
	for name, c := range map[string]sparsenet.Config{
		"sparse":     {Blocks: []int{4, 3, 2}, Growth: []int{3, 4, 5}, Classes: 7, Input: sparsenet.Input{H: 20, W: 12, C: 1}},
		"dense":      {Blocks: []int{3, 2}, Growth: []int{4}, Wiring: sparsenet.Dense(), Compression: 0.6, Input: sparsenet.Input{H: 10, W: 7, C: 3}},
		"resnet":     {Blocks: []int{2, 3}, Growth: []int{3, 5}, Form: sparsenet.Sum, Wiring: sparsenet.Dense(), Input: sparsenet.Input{H: 8, W: 8, C: 1}},
		"bottleneck": {Blocks: []int{2, 2}, Growth: []int{3}, Bottleneck: true, Input: sparsenet.Input{H: 9, W: 9, C: 3}},
		"sum":        {Blocks: []int{4, 2}, Growth: []int{4, 8}, Form: sparsenet.Sum, Bottleneck: true, Input: sparsenet.Input{H: 9, W: 10, C: 3}},
		"imagenet": {Blocks: []int{2, 1, 2, 1}, Growth: []int{3}, Bottleneck: true, Stem: sparsenet.ImageNet, Classes: 3, Wiring: sparsenet.Dense(),
			Input: sparsenet.Input{H: 37, W: 40, C: 3}},
	} {
		t.Run(name, func(t *testing.T) {
			const batch = 3
			g, err := sparsenet.Build(c)
			require.NoError(t, err)
			values, images := some(g, batch)
			b, err := Encode(g, values, map[string]string{"mean": "[0.5]", "a": "é"})
			require.NoError(t, err)
			again, err := Encode(g, values, map[string]string{"a": "é", "mean": "[0.5]"})
			require.NoError(t, err)
			assert.Equal(t, b, again)

			got, about := onnxtest.Run(t, saved(t, b), images)
			want := onnxtest.Classify(t, optest.Device(t), g, values, images)
			d := onnxtest.Apart(got, want)
			t.Logf("onnxruntime %v deviates by %.2g", about["onnxruntime"], d)
			assert.True(t, d <= 1e-4, "deviates by %g", d)
			in := g.Config.Input
			assert.Equal(t, []any{"images", []any{"batch", float64(in.C), float64(in.H), float64(in.W)}}, about["input"])
			assert.Equal(t, []any{"logits", []any{"batch", float64(g.Config.Classes)}}, about["output"])
			assert.Equal(t, map[string]any{"mean": "[0.5]", "a": "é"}, about["metadata"])
			assert.Equal(t, "sparsevk", about["producer"])

			if name != "sparse" {
				return
			}
			// a fault: one reader's statistics are off
			for i := range values["features.norm_last.running_mean"] {
				values["features.norm_last.running_mean"][i] -= 0.1
			}
			b, err = Encode(g, values, nil)
			require.NoError(t, err)
			got, _ = onnxtest.Run(t, saved(t, b), images)
			assert.False(t, onnxtest.Apart(got, want) <= 1e-4)
		})
	}
}

// What has no form here is refused by name, and nothing is written.
func TestRefuses(t *testing.T) {
	g, err := sparsenet.Build(sparsenet.Config{Blocks: []int{1}, Growth: []int{2}})
	require.NoError(t, err)
	values, _ := some(g, 1)
	path := filepath.Join(t.TempDir(), "model.onnx")

	odd := *g
	odd.Nodes = append([]sparsenet.Node(nil), g.Nodes...)
	odd.Nodes[1].Kind = sparsenet.Head
	odd.Nodes[1].Grid = 3
	assert.ErrorContains(t, Write(path, &odd, values, nil), "stage0/layer1 pools to 3×3, which is not exported to ONNX")

	big := *g
	params := *g.Params
	params.Elems = 1 << 29
	big.Params = &params
	assert.ErrorContains(t, Write(path, &big, values, nil), "has 2147483648 bytes of parameters, an ONNX file holds less than 2 GiB")

	values["classifier.linear.bias"] = nil
	assert.ErrorContains(t, Write(path, g, values, nil), "classifier.linear.bias has 0 values, want 10")
	_, err = os.Stat(path)
	assert.ErrorIs(t, err, os.ErrNotExist)

	values, _ = some(g, 1)
	assert.ErrorContains(t, Write(filepath.Join(path, "x", "y.onnx"), g, values, nil), "no such file or directory")
}
