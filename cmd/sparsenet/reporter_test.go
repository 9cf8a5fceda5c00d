package main

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/train"
)

// The line of an epoch has what is known of it, and calls saved what is on disk.
func TestEpochLine(t *testing.T) {
	whole := train.Epoch{N: 1, Step: 20, Rate: 0.1, Images: 320, Loss: 2, Accuracy: 0.25, ImagesPerSecond: 100, Checkpoint: "c"}
	written, stopped := whole, whole
	written.Saved = true
	stopped.N, stopped.Stopped, stopped.Saved = 0, true, true
	for want, e := range map[string]train.Epoch{
		"epoch 1/3  step 20  loss 2.0000  accuracy 25.00%  lr 0.1  100.0 images/s  saving c\n":           whole,
		"epoch 1/3  step 20  loss 2.0000  accuracy 25.00%  lr 0.1  100.0 images/s  saved c\n":            written,
		"stopped in epoch 1/3  step 20  loss 2.0000  accuracy 25.00%  lr 0.1  100.0 images/s  saved c\n": stopped,
		"stopped before epoch 2/3  step 20  saved c\n":                                                   {N: 1, Step: 20, Rate: 0.1, Stopped: true, Checkpoint: "c", Saved: true},
		"stopped before epoch 1/3  step 0\n":                                                             {Rate: 0.1, Stopped: true},
		"epoch 2/3  step 20  loss 2.0000  accuracy 25.00%  lr 0.1  held out: loss 1.0000  accuracy 50.00%\n": {
			N: 2, Step: 20, Rate: 0.1, Images: 320, Loss: 2, Accuracy: 0.25, Valid: &train.Score{Images: 4, Hits: 2, Loss: 1}},
	} {
		var out bytes.Buffer
		(&reporter{out: &out, epochs: 3}).epoch(e)
		assert.Equal(t, want, out.String())
	}
}

// A run says why it ends before its last epoch, and that there is nothing to do.
func TestWhyARunEnded(t *testing.T) {
	needDevice(t)
	dir := filepath.Join(t.TempDir(), "run")
	line := "train" + tinyFlags(tinyData(t)) + "--no-test --valid 2 --out " + dir
	out, errOut, code := execute(t, line+" --epochs 50 --lr 1e-30 --patience 2")
	require.Equal(t, exitSuccess, code, errOut)
	assert.Regexp(t, `(?m)^no better validation in 2 epochs; the best was [\d.]+% after step \d+$`, out)
	out, errOut, code = execute(t, line+" --epochs 2 --lr 1e-30 --resume --force")
	require.Equal(t, exitSuccess, code, errOut)
	assert.Regexp(t, `(?m)^nothing is left to train: \d+ of 2 epochs are done$`, out)
	assert.NotContains(t, out, "no better validation")

	out, errOut, code = execute(t, line+"2 --epochs 100000 --max-time 1s")
	require.Equal(t, exitSuccess, code, errOut)
	assert.Regexp(t, `(?m)^stopped .*  saved .*\nthe time is up: --max-time 1s$`, out)
}
