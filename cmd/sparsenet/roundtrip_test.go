package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/gpu"
	"sparsevk/sparsenet"
	"sparsevk/train/onnx/onnxtest"
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
	assert.True(t, onnxtest.Apart(ours, pytorch) <= bound, "imported: %g", onnxtest.Apart(ours, pytorch))
	run("export --checkpoint " + in("imported.safetensors") + " --out " + in("imported.onnx"))
	got, _ := onnxtest.Run(t, in("imported.onnx"), images)
	assert.True(t, onnxtest.Apart(got, pytorch) <= bound, "imported and exported: %g", onnxtest.Apart(got, pytorch))

	run("eval --checkpoint " + in("imported.safetensors") + device)
	run("train --no-test --epochs 1 --lr 0.01 --dataset fashion-mnist" + device + sparseFlags + "--init " + in("imported.safetensors") + " --out " + in("run"))
	tuned := ourLogits(t, "--checkpoint "+in("run"), images)
	assert.False(t, onnxtest.Apart(tuned, ours) <= bound, "an epoch changes nothing")
	run("export --format onnx --checkpoint " + in("run") + " --out " + in("tuned.onnx"))
	got, _ = onnxtest.Run(t, in("tuned.onnx"), images)
	assert.True(t, onnxtest.Apart(got, tuned) <= bound, "tuned and exported: %g", onnxtest.Apart(got, tuned))

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
