package main

import (
	"bytes"
	"context"
	"encoding/json"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/train/data"
)

// writeImages writes the test images of a data set in the form of Fashion-MNIST as PNG
// files, and returns their folder.
func writeImages(t *testing.T, from string) string {
	t.Helper()
	set, err := data.Open("fashion-mnist", from, data.Test, data.Options{Foreign: true})
	require.NoError(t, err)
	dir := t.TempDir()
	for i := range set.Len() {
		m := &image.Gray{Pix: set.Image(i), Stride: 28, Rect: image.Rect(0, 0, 28, 28)}
		var b bytes.Buffer
		require.NoError(t, png.Encode(&b, m))
		require.NoError(t, os.WriteFile(filepath.Join(dir, string(rune('a'+i))+".png"), b.Bytes(), 0o666))
	}
	return dir
}

// importSparse brings in the small network of the test data, as one that was trained
// on Fashion-MNIST.
func importSparse(t *testing.T) string {
	t.Helper()
	model := filepath.Join(t.TempDir(), "model.safetensors")
	_, errOut, code := execute(t, "import --dataset fashion-mnist "+checkpoints+"sparse.pt"+sparseFlags+"--out "+model)
	require.Equal(t, exitSuccess, code, errOut)
	return model
}

// Images as files are classified as those of the data set are: padded from 28 to 32
// pixels and normalised, whatever the batch.
func TestPredictAgreesWithEval(t *testing.T) {
	needDevice(t)
	from := tinyData(t)
	model, dir := importSparse(t), writeImages(t, from)
	var score struct {
		Confusion [][]int `json:"confusion"`
		Classes   []struct{ Recall float64 }
	}
	picture := filepath.Join(t.TempDir(), "confusion.svg")
	decode(t, "eval --json --foreign --class plain --batch 2 --data "+from+" --checkpoint "+model+" --confusion "+picture, &score)
	svg, err := os.ReadFile(picture)
	require.NoError(t, err)
	assert.Contains(t, string(svg), "ankle boot")

	out, errOut, code := execute(t, "predict --json --features --top 10 --class plain --batch 3 --checkpoint "+model+" "+dir)
	require.Equal(t, exitSuccess, code, errOut)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	require.Len(t, lines, 7)
	counts := make([][]int, 10)
	for i := range counts {
		counts[i] = make([]int, 10)
	}
	for i, line := range lines {
		var p prediction
		require.NoError(t, json.Unmarshal([]byte(line), &p))
		assert.Equal(t, filepath.Join(dir, string(rune('a'+i))+".png"), p.File)
		require.Len(t, p.Classes, 10)
		assert.NotEmpty(t, p.Features)
		sum := 0.0
		for j, c := range p.Classes {
			sum += c.Probability
			assert.True(t, j == 0 || c.Probability <= p.Classes[j-1].Probability)
		}
		assert.True(t, math.Abs(sum-1) < 1e-9, sum)
		counts[i%10][p.Classes[0].Index]++
	}
	assert.Equal(t, score.Confusion, counts)
}

// The features are what the classifier reads: its weights over them give the logits'
// differences, so the probabilities.
func TestPredictFeatures(t *testing.T) {
	needDevice(t)
	model, dir := importSparse(t), writeImages(t, tinyData(t))
	out, errOut, code := execute(t, "predict --json --features --top 10 --class plain --checkpoint "+model+" "+dir+"/a.png")
	require.Equal(t, exitSuccess, code, errOut)
	var p prediction
	require.NoError(t, json.Unmarshal([]byte(out), &p))

	f := &modelFlags{}
	c := newEvalCommand()
	c.ResetFlags()
	f.add(c)
	require.NoError(t, c.ParseFlags([]string{"--checkpoint", model}))
	require.NoError(t, f.find(c))
	config, err := f.net.config()
	require.NoError(t, err)
	values, _, err := readParameters(mustBuild(t, config), model)
	require.NoError(t, err)
	logit := func(class int) float64 {
		sum := float64(values["classifier.linear.bias"][class])
		for i, x := range p.Features {
			sum += float64(x) * float64(values["classifier.linear.weight"][class*len(p.Features)+i])
		}
		return sum
	}
	first := p.Classes[0]
	for _, c := range p.Classes[1:] {
		want := math.Exp(logit(c.Index) - logit(first.Index))
		got := c.Probability / first.Probability
		assert.True(t, math.Abs(got/want-1) < 1e-4, "%v: %g, want %g", c, got, want)
	}
}

// Standard input, other formats and sizes, and files that cannot be read.
func TestPredictFiles(t *testing.T) {
	needDevice(t)
	model, dir := importSparse(t), t.TempDir()
	big := image.NewRGBA(image.Rect(0, 0, 300, 200))
	for i := range big.Pix {
		big.Pix[i] = byte(i)
	}
	var photo bytes.Buffer
	require.NoError(t, jpeg.Encode(&photo, big, nil))
	dot := image.NewGray(image.Rect(0, 0, 2, 2))
	dot.Set(0, 0, color.White)
	var point bytes.Buffer
	require.NoError(t, png.Encode(&point, dot))
	for name, b := range map[string][]byte{
		"photo.jpg": photo.Bytes(), "dot.png": point.Bytes(), "cut.jpg": photo.Bytes()[:photo.Len()/2], "empty.png": nil, "notes.txt": []byte("no image"),
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), b, 0o666))
	}
	line := "predict --class plain --top 2 --checkpoint " + model + " "
	out, errOut, code := execute(t, line+dir+" "+dir+"/notes.txt "+dir+"/none.png")
	assert.Equal(t, exitFailure, code)
	assert.Equal(t, 2, strings.Count(out, "\n"), out)
	assert.Regexp(t, `dot.png  .* \d+\.\d\d%  .* \d+\.\d\d%\n`, out)
	assert.Contains(t, out, "photo.jpg  ")
	for _, s := range []string{"passed over: " + dir + "/cut.jpg: picture: ", "/empty.png: picture: neither PNG", "/notes.txt: picture: neither PNG", "/none.png: open", "4 of 6 images could not be read"} {
		assert.Contains(t, errOut, s)
	}

	root := newRoot(func() {})
	var o bytes.Buffer
	root.SetArgs(strings.Fields(line + "-"))
	root.SetIn(bytes.NewReader(point.Bytes()))
	root.SetOut(&o)
	require.NoError(t, root.ExecuteContext(context.Background()))
	assert.True(t, strings.HasPrefix(o.String(), "-  "), o.String())
}

func TestBadPredict(t *testing.T) {
	model, empty := importSparse(t), t.TempDir()
	fails(t, exitUsage, "predict --checkpoint "+model, "predict needs images")
	fails(t, exitUsage, "predict x.png", "predict needs a model")
	fails(t, exitUsage, "predict --top 0 x.png --checkpoint "+model, "--top 0: want at least 1 class")
	fails(t, exitUsage, "predict --batch 0 x.png --checkpoint "+model, "--batch 0")
	fails(t, exitFailure, "predict x.png --checkpoint "+checkpoints+"none.pt", "none.pt", "no such file")
	fails(t, exitUsage, "predict x.png --checkpoint "+checkpoints+"sparse.pt"+sparseFlags, "does not say how its images were normalised")
	fails(t, exitFailure, "predict --checkpoint "+model+" "+empty, empty, "holds no images")
	fails(t, exitUsage, "eval --confusion c.pdf --checkpoint "+model, "want a file that ends in .svg or .png")
}
