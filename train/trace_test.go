package train

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"sparsevk/train/safetensors"
)

// FuzzTrace: whatever the fields of a trace's header, it is refused, or its numbers
// are finite and its steps need the four images that it has.
func FuzzTrace(f *testing.F) {
	var b bytes.Buffer
	require.NoError(f, safetensors.Write(&b, nil, []safetensors.Tensor{
		safetensors.Float32("input", []int{4, 3, 2, 1}, make([]float32, 24)), safetensors.Uint32("label", []int{4}, make([]uint32, 4)),
	}))
	path := filepath.Join(f.TempDir(), "x.safetensors")
	require.NoError(f, os.WriteFile(path, b.Bytes(), 0o666))
	file, err := safetensors.Open(path)
	require.NoError(f, err)
	f.Cleanup(func() { _ = file.Close() })

	const bounds = `{"logits0": [1e-6, 1e-5], "grad0": [1e-6, 1e-5], "loss": [1e-6, 1e-5], "final": [1e-6, 1e-5], "eval": [1e-6, 1e-5]}`
	const optimizer = "sgd momentum=0.9 nesterov weight_decay=1e-4 on every parameter"
	f.Add("2", "2", "0.05", "[4, 4, 4]", "powers", bounds, optimizer)
	f.Add("4", "1", "1", "4", "table:0|1,0;0|1", bounds, optimizer)
	f.Add("4611686018427387905", "4", "1", "4", "dense", bounds, optimizer)
	f.Add("2", "2", "NaN", "4", "powers:3", bounds, optimizer)
	f.Add("-2", "-2", "1e999", "[1, x]", "table:0|9;", `{"loss": 3}`, optimizer)
	f.Add("2", "2", "1", "4", "dense", bounds, "sgd momentum=... nesterov weight_decay=1e-4 on every parameter")
	f.Add("2", "2", "1", "4", "dense", bounds, "sgd momentum=0.9 nesterov weight_decay=1e999 on every parameter")
	f.Fuzz(func(t *testing.T, batch, steps, number, list, wiring, bounds, optimizer string) {
		trace := &Trace{file: file}
		err := trace.read(meta{
			"blocks": list, "growth": list, "batch": batch, "steps": steps, "classes": "2", "parameters": "99", "compression": number,
			"learning_rate": number, "wiring": wiring, "bounds": bounds, "optimizer": optimizer,
		})
		if err != nil {
			return
		}
		if trace.Batch < 1 || 4%trace.Batch != 0 || 4/trace.Batch != trace.Steps {
			t.Fatalf("4 images for %d steps of batch %d", trace.Steps, trace.Batch)
		}
		for _, x := range []float64{trace.LearningRate, trace.Momentum, trace.Decay, trace.Config.Compression} {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				t.Fatalf("%+v", trace)
			}
		}
	})
}
