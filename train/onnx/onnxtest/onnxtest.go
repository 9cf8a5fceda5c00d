// Package onnxtest helps tests to hold the logits of one program against those of
// another: ours, PyTorch's, onnxruntime's.
package onnxtest

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sparsevk/gpu"
	"sparsevk/sparsenet"
)

// python returns the command of a Python that has onnxruntime. Where there is none
// the test is skipped, and fails under SPARSEVK_ONNX=require.
func python(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("../../tools/setup.sh", "onnxruntime").Output()
	if err != nil {
		require.NotEqual(t, "require", os.Getenv("SPARSEVK_ONNX"), "no Python with onnxruntime: run tools/setup.sh ci, or set SPARSEVK_PYTHON")
		t.Skip("no Python with onnxruntime: run tools/setup.sh ci, or set SPARSEVK_PYTHON")
	}
	return strings.TrimSpace(string(out))
}

// Run runs the model in a file on images, [N][C][H][W], with onnxruntime, and
// returns the logits and what the model says of itself. The package under test lies
// two folders below the repository's root.
func Run(t testing.TB, path string, images []float32) (logits []float32, about map[string]any) {
	t.Helper()
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

// Classify returns our own logits of images, with the given parameters and running
// statistics.
func Classify(t testing.TB, dev *gpu.Device, g *sparsenet.Graph, values map[string][]float32, images []float32) []float32 {
	t.Helper()
	batch := len(images) / int(g.Maps[0].Floats())
	n, err := sparsenet.NewNetwork(g, sparsenet.Options{Batch: batch, Inference: true, Floats: true})
	require.NoError(t, err)
	m, err := n.Open(dev, 1)
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

// Apart is the largest deviation; infinity where there is nothing to compare, or NaN.
func Apart(got, want []float32) (w float64) {
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
