package main

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/gpu"
	"sparsevk/sparsenet"
	"sparsevk/train/safetensors"
)

// ourLogits returns what the model in a file gives for images.
func ourLogits(t *testing.T, line string, images []float32) []float32 {
	t.Helper()
	c := newEvalCommand()
	f := &modelFlags{}
	c.ResetFlags()
	f.add(c)
	require.NoError(t, c.ParseFlags(strings.Fields(line)))
	require.NoError(t, f.find(c))
	config, err := f.net.config()
	require.NoError(t, err)
	g, err := sparsenet.Build(config)
	require.NoError(t, err)
	batch := len(images) / int(g.Maps[0].Floats())
	n, err := sparsenet.NewNetwork(g, sparsenet.Options{Batch: batch, Inference: true, Floats: true})
	require.NoError(t, err)
	d, err := gpu.Open(gpu.Options{})
	require.NoError(t, err)
	defer d.Close()
	m, err := n.Open(d, 1)
	require.NoError(t, err)
	defer m.Close()
	require.NoError(t, loadFile(m, f.path))
	require.NoError(t, m.SetInput(images))
	_, err = m.EvalStep(sparsenet.Hyper{Valid: batch})
	require.NoError(t, err)
	logits, err := m.Logits()
	require.NoError(t, err)
	return logits
}

// onnxLogits returns what onnxruntime makes of images. Without it the test is skipped,
// and fails under SPARSEVK_ONNX=require.
func onnxLogits(t *testing.T, model string, images []float32) []float32 {
	t.Helper()
	python, err := exec.Command("../../tools/setup.sh", "onnxruntime").Output()
	if err != nil {
		require.NotEqual(t, "require", os.Getenv("SPARSEVK_ONNX"), "no Python with onnxruntime: run tools/setup.sh ci")
		t.Skip("no Python with onnxruntime: run tools/setup.sh ci, or set SPARSEVK_PYTHON")
	}
	var in, out, errs bytes.Buffer
	require.NoError(t, binary.Write(&in, binary.LittleEndian, images))
	cmd := exec.Command(strings.TrimSpace(string(python)), "../../tools/onnx/run.py", model)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &in, &out, &errs
	require.NoError(t, cmd.Run(), errs.String())
	logits := make([]float32, out.Len()/4)
	require.NoError(t, binary.Read(&out, binary.LittleEndian, logits))
	return logits
}

// apart is the largest deviation; infinity where there is nothing to compare, or NaN.
func apart(a, b []float32) (w float64) {
	if len(a) != len(b) || len(a) == 0 {
		return math.Inf(1)
	}
	for i := range a {
		d := math.Abs(float64(a[i]) - float64(b[i]))
		if math.IsNaN(d) {
			return math.Inf(1)
		}
		w = max(w, d)
	}
	return w
}

// A checkpoint of PyTorch is imported, evaluated, trained for an epoch, exported and
// executed by onnxruntime: the logits agree at each hop.
func TestRoundTrip(t *testing.T) {
	needDevice(t)
	f, err := safetensors.Open(checkpoints + "expected.safetensors")
	require.NoError(t, err)
	defer f.Close()
	images, err := f.Float32("sparse.images")
	require.NoError(t, err)
	pytorch, err := f.Float32("sparse.logits")
	require.NoError(t, err)

	dir, data := t.TempDir(), tinyData(t)
	in := func(name string) string { return filepath.Join(dir, name) }
	run := func(line string) {
		t.Helper()
		_, errOut, code := execute(t, line)
		require.Equal(t, exitSuccess, code, "%s: %s", line, errOut)
	}
	device := " --class plain --batch 2 --foreign --data " + data + " "
	const bound = 1e-4

	run("import " + checkpoints + "sparse.pt" + sparseFlags + "--dataset fashion-mnist --out " + in("imported.safetensors"))
	ours := ourLogits(t, "--checkpoint "+in("imported.safetensors"), images)
	assert.True(t, apart(ours, pytorch) <= bound, "imported: %g", apart(ours, pytorch))
	run("export --checkpoint " + in("imported.safetensors") + " --out " + in("imported.onnx"))
	got := onnxLogits(t, in("imported.onnx"), images)
	assert.True(t, apart(got, pytorch) <= bound, "imported and exported: %g", apart(got, pytorch))

	run("eval --checkpoint " + in("imported.safetensors") + device)
	run("train --no-test --epochs 1 --lr 0.01 --dataset fashion-mnist" + device + sparseFlags + "--init " + in("imported.safetensors") + " --out " + in("run"))
	tuned := ourLogits(t, "--checkpoint "+in("run"), images)
	assert.False(t, apart(tuned, ours) <= bound, "an epoch changes nothing")
	run("export --format onnx --checkpoint " + in("run") + " --out " + in("tuned.onnx"))
	got = onnxLogits(t, in("tuned.onnx"), images)
	assert.True(t, apart(got, tuned) <= bound, "tuned and exported: %g", apart(got, tuned))

	run("export --checkpoint " + in("run") + " --out " + in("tuned.safetensors"))
	got = ourLogits(t, "--checkpoint "+in("tuned.safetensors"), images)
	assert.Equal(t, tuned, got)
}

// torchvision's names lead back to the same parameters.
func TestExportNames(t *testing.T) {
	dir := t.TempDir()
	first, second := filepath.Join(dir, "a.safetensors"), filepath.Join(dir, "b.safetensors")
	for _, line := range []string{
		"import " + checkpoints + "torchvision.pth" + visionFlags + "--out " + first,
		"export --names torchvision --checkpoint " + first + " --out " + second,
		"import " + second + visionFlags + "--out " + second,
	} {
		_, errOut, code := execute(t, line)
		require.Equal(t, exitSuccess, code, "%s: %s", line, errOut)
	}
	a, err := os.ReadFile(first)
	require.NoError(t, err)
	b, err := os.ReadFile(second)
	require.NoError(t, err)
	assert.Equal(t, a, b)
}

func TestBadExport(t *testing.T) {
	dir := t.TempDir()
	model := filepath.Join(dir, "model.safetensors")
	_, errOut, code := execute(t, "import "+checkpoints+"sparse.pt"+sparseFlags+"--out "+model)
	require.Equal(t, exitSuccess, code, errOut)
	export := "export --checkpoint " + model
	fails(t, exitUsage, export, "export needs a file to write")
	fails(t, exitUsage, "export --out x.onnx", "export needs a model: --checkpoint RUN or FILE")
	fails(t, exitUsage, export+" --out x.pb", `--format "pb": use safetensors or onnx`)
	fails(t, exitUsage, export+" --names keras --out x.safetensors", `unknown names "keras"`)
	fails(t, exitUsage, export+" --names torchvision --out x.onnx", "names are chosen for safetensors only")
	fails(t, exitFailure, export+" --out "+dir+"/no/folder/x.onnx", "no/folder", "no such file or directory")
	fails(t, exitFailure, export+" --out "+dir+" --format onnx", dir)
	fails(t, exitFailure, "export --checkpoint "+dir+"/none --out "+dir+"/x.onnx", "none", "no such file")
	require.NoError(t, os.WriteFile(dir+"/text", []byte("no model at all"), 0o666))
	fails(t, exitFailure, "export --checkpoint "+dir+"/text --out "+dir+"/x.onnx", "neither a safetensors file nor a checkpoint")
	failsAtLength(t, export+" --growth 4 --out "+dir+"/x.onnx", "is it another network?")
	_, err := os.Stat(dir + "/x.onnx")
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func mustBuild(t *testing.T, c sparsenet.Config) *sparsenet.Graph {
	t.Helper()
	g, err := sparsenet.Build(c)
	require.NoError(t, err)
	return g
}
