package onnx

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/ops/optest"
	"sparsevk/sparsenet"
)

func TestMain(m *testing.M) { optest.Main(m) }

// python returns the command of a Python that has onnxruntime. Where there is none
// the test is skipped, and fails under SPARSEVK_ONNX=require.
func python(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("../../tools/setup.sh", "onnxruntime").Output()
	if err != nil {
		if os.Getenv("SPARSEVK_ONNX") == "require" {
			t.Fatalf("SPARSEVK_ONNX=require: no Python with onnxruntime: run tools/setup.sh ci, or set SPARSEVK_PYTHON")
		}
		t.Skip("no Python with onnxruntime: run tools/setup.sh ci, or set SPARSEVK_PYTHON")
	}
	return strings.TrimSpace(string(out))
}

// execute runs a model on images with onnxruntime.
func execute(t *testing.T, model []byte, images []float32) (logits []float32, about map[string]any) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.onnx")
	require.NoError(t, os.WriteFile(path, model, 0o666))
	cmd := exec.Command(python(t), "../../tools/onnx/run.py", path)
	var in, out, errs bytes.Buffer
	require.NoError(t, binary.Write(&in, binary.LittleEndian, images))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &in, &out, &errs
	require.NoError(t, cmd.Run(), errs.String())
	logits = make([]float32, out.Len()/4)
	require.NoError(t, binary.Read(&out, binary.LittleEndian, logits))
	require.NoError(t, json.Unmarshal(errs.Bytes(), &about))
	return logits, about
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

// classify returns our own logits.
func classify(t *testing.T, g *sparsenet.Graph, values map[string][]float32, images []float32, batch int) []float32 {
	t.Helper()
	n, err := sparsenet.NewNetwork(g, sparsenet.Options{Batch: batch, Inference: true, Floats: true})
	require.NoError(t, err)
	m, err := n.Open(optest.Device(t), 1)
	require.NoError(t, err)
	defer m.Close()
	require.NoError(t, m.Load(values))
	require.NoError(t, m.SetInput(images))
	_, err = m.EvalStep(sparsenet.Hyper{Valid: batch})
	require.NoError(t, err)
	logits, err := m.Logits()
	require.NoError(t, err)
	return logits
}

// worst is the largest deviation; infinity where there is nothing to compare, or NaN.
func worst(got, want []float32) (w float64) {
	if len(got) != len(want) || len(got) == 0 {
		return math.Inf(1)
	}
	for i := range got {
		d := math.Abs(float64(got[i]) - float64(want[i]))
		if math.IsNaN(d) {
			return math.Inf(1)
		}
		w = max(w, d)
	}
	return w
}

// Another runtime gives our logits for every kind of layer, at another batch than 1,
// with running statistics that differ among the readers of a map.
func TestRuntimeAgrees(t *testing.T) {
	for name, c := range map[string]sparsenet.Config{
		"sparse":     {Blocks: []int{4, 3, 2}, Growth: []int{3, 4, 5}, Classes: 7, Input: sparsenet.Input{H: 20, W: 12, C: 1}},
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

			got, about := execute(t, b, images)
			want := classify(t, g, values, images, batch)
			d := worst(got, want)
			t.Logf("onnxruntime %v deviates by %.2g", about["onnxruntime"], d)
			assert.True(t, d <= 1e-4, "deviates by %g", d)
			in := g.Config.Input
			assert.Equal(t, []any{"images", []any{"batch", float64(in.C), float64(in.H), float64(in.W)}}, about["input"])
			assert.Equal(t, []any{"logits", []any{"batch", float64(g.Config.Classes)}}, about["output"])
			assert.Equal(t, map[string]any{"mean": "[0.5]", "a": "é"}, about["metadata"])
			assert.Equal(t, "sparsevk", about["producer"])

			// a fault: one reader's statistics are off
			for i := range values["features.norm_last.running_mean"] {
				values["features.norm_last.running_mean"][i] -= 0.1
			}
			b, err = Encode(g, values, nil)
			require.NoError(t, err)
			got, _ = execute(t, b, images)
			assert.False(t, worst(got, want) <= 1e-4)
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
