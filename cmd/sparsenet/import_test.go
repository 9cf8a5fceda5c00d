package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/train"
	"sparsevk/train/safetensors"
)

// The networks of train/convert/testdata, as flags.
const (
	checkpoints = "../../train/convert/testdata/"
	visionFlags = " --stem imagenet --blocks 2,2,2,2 --growth 4 --wiring dense --bottleneck --init-channels 8 --classes 5 --input 32x32x3 "
	sparseFlags = " --blocks 3,3,3 --growth 3 --input 32x32x1 "
)

// What is imported says what it is, and has the network's own names.
func TestImport(t *testing.T) {
	out := filepath.Join(t.TempDir(), "model.safetensors")
	classes := filepath.Join(t.TempDir(), "classes")
	require.NoError(t, os.WriteFile(classes, []byte("ant\nbee\nsea cow\nemu\nfox\n"), 0o666))
	text, errOut, code := execute(t, "import "+checkpoints+"torchvision-legacy.pth"+visionFlags+
		"--mean 0.5,0.25,0.125 --std 1,2,3 --class-names "+classes+" --out "+out)
	require.Equal(t, exitSuccess, code, errOut)
	assert.Regexp(t, `torchvision-legacy.pth: \d+ tensors of .*, \d+ parameters, torchvision names\nsaved `, text)

	f, err := safetensors.Open(out)
	require.NoError(t, err)
	defer f.Close()
	_, ok := f.Info("features.dense-stage-3.block-2.bn2.running_var")
	assert.True(t, ok)
	d, err := train.Describe(f)
	require.NoError(t, err)
	assert.Equal(t, []float32{0.5, 0.25, 0.125}, d.Mean)
	assert.Equal(t, []float32{1, 2, 3}, d.Std)
	assert.Equal(t, []string{"ant", "bee", "sea cow", "emu", "fox"}, d.Classes)
	assert.Equal(t, []int{2, 2, 2, 2}, d.Network.Blocks)

	var got imported
	decode(t, "import --json "+checkpoints+"sparse.pt"+sparseFlags+"--out "+out, &got)
	assert.Equal(t, "official", got.Names)
	assert.Equal(t, out, got.Out)
}

func TestBadImport(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "model.safetensors")
	to := sparseFlags + "--out " + out + " "
	file := "import " + checkpoints + "sparse.pt "
	fails(t, exitUsage, file+sparseFlags, "import needs a file to write")
	fails(t, exitUsage, "import"+to, "import takes one file, not 0")
	fails(t, exitUsage, file+to+"--mean 1,2", `--std "": want a number for each channel`)
	fails(t, exitUsage, file+to+"--mean 1,2 --std 1,2", "2 means and 2 deviations for images of 1 channels")
	fails(t, exitUsage, file+to+"--mean 1 --std 0", "channel 0 has deviation 0")
	fails(t, exitUsage, file+to+"--dataset imagenet", "unknown data set")
	fails(t, exitFailure, file+to+"--class-names "+dir+"/none", "none", "no such file")
	fails(t, exitFailure, "import "+dir+"/none.pth"+to, "none.pth", "no such file")
	failsAtLength(t, file+to+"--growth 4", "sparse.pt", "of the wrong kind", "is it another network?",
		"wrong: _orig_mod.features.conv0.weight has shape [6 1 3 3], the network's is [8 1 3 3]")
	_, err := os.Stat(out)
	assert.ErrorIs(t, err, os.ErrNotExist, "nothing is written")
	fails(t, exitFailure, file+sparseFlags+"--out "+dir+"/no/such/folder.safetensors", "no/such", "no such file or directory")
	names := filepath.Join(dir, "names")
	require.NoError(t, os.WriteFile(names, []byte("one\ntwo\n"), 0o666))
	fails(t, exitUsage, file+to+"--class-names "+names, "2 names for 10 classes")
}

// A run directory and an imported file both name their network, and train goes on
// from either.
func TestImportedModelTrains(t *testing.T) {
	needDevice(t)
	data, dir := tinyData(t), t.TempDir()
	model := filepath.Join(dir, "model.safetensors")
	const net = " --blocks 3,3,3 --growth 3 --classes 10 --input 32x32x1 "
	run := filepath.Join(dir, "run")
	set := " --dataset fashion-mnist --foreign --batch 2 --class plain --data " + data
	for _, line := range []string{
		"train --no-test --epochs 1" + set + net + "--out " + run,
		"import --dataset fashion-mnist " + filepath.Join(run, "checkpoints", "step-000000000005.safetensors") + net + "--out " + model,
		"train --no-test --epochs 1" + set + net + "--init " + model,
		"eval --foreign --batch 2 --class plain --data " + data + " --checkpoint " + run,
		"eval --foreign --batch 2 --class plain --data " + data + " --checkpoint " + model,
	} {
		_, errOut, code := execute(t, line)
		require.Equal(t, exitSuccess, code, "%s: %s", line, errOut)
	}
	fails(t, exitFailure, "eval --checkpoint "+dir, "no checkpoint")
}
