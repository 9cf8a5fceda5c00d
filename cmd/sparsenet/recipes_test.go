package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/train"
	"sparsevk/train/safetensors"
)

func TestRecipesCommand(t *testing.T) {
	out, _, code := execute(t, "recipes")
	require.Equal(t, exitSuccess, code)
	for _, want := range []string{"keras ", "amsgrad, rate constant(0.001), plateau(x0.316", "images padded by 5 (edge) and cropped, mirrored, normalised by deviation; 5000 held out", "normalised by pixels/128", "bug, off: --bugs bn-momentum:", "bug, off: test-selection:"} {
		assert.Contains(t, out, want)
	}
	var all []train.Recipe
	decode(t, "recipes --json", &all)
	require.Len(t, all, len(train.Recipes()))
	assert.Equal(t, "keras", all[0].Name)
	assert.Equal(t, 100, all[0].Batch)
}

// A model that was trained on images whose pixels have a mean each is evaluated on such
// images: its checkpoint has the means, and eval finds what the training did.
func TestPixelMeansGoWithTheModel(t *testing.T) {
	needDevice(t)
	data, dir := tinyData(t), t.TempDir()
	run, out := filepath.Join(dir, "run"), filepath.Join(dir, "model.safetensors")
	_, errOut, code := execute(t, "train"+tinyFlags(data)+"--epochs 2 --lr 0.01 --recipe tensorpack --bugs double-shift --fill edge --out "+run)
	require.Equal(t, exitSuccess, code, errOut)
	trained, err := train.LoadEvaluation(run)
	require.NoError(t, err)

	loss := func(path string) float64 {
		t.Helper()
		var got struct{ Test train.Score }
		decode(t, "eval --json --foreign --batch 2 --class plain --data "+data+" --checkpoint "+path, &got)
		return got.Test.Loss
	}
	assert.Equal(t, trained.Score.Loss, loss(run))
	_, errOut, code = execute(t, "export --checkpoint "+run+" --out "+out)
	require.Equal(t, exitSuccess, code, errOut)
	assert.Equal(t, trained.Score.Loss, loss(out))

	f, err := safetensors.Open(out)
	require.NoError(t, err)
	defer f.Close()
	d, err := train.Describe(f)
	require.NoError(t, err)
	assert.Equal(t, []float32{128. / 255}, d.Mean, "the bug: another 1 is subtracted")
	require.Len(t, d.Pixels, 32*32)
	d.Pixels = nil
	g := mustBuild(t, d.Network)
	values, _, err := readParameters(g, out)
	require.NoError(t, err)
	require.NoError(t, train.SaveModel(out, d, g, values, nil))
	assert.NotEqual(t, trained.Score.Loss, loss(out), "a fault: without the means")
}
