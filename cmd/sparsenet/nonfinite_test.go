package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A loss that is not finite ends the run with one line, which names the layer and
// the checkpoint to go on from; that one is left.
func TestTrainNotFinite(t *testing.T) {
	needDevice(t)
	dir := t.TempDir()
	_, errOut, code := execute(t, "train"+tinyFlags(tinyData(t))+"--epochs 1 --no-test --lr 1e37 --out "+dir)
	assert.Equal(t, exitFailure, code)
	lines := strings.Split(strings.TrimSpace(errOut), "\n")
	last := lines[len(lines)-1]
	assert.Regexp(t, `^sparsenet: train: step \d+, learning rate 1e\+37: .*(first in|not finite before).*: lower the rate, or go on from checkpoint `, last)
	assert.Equal(t, 1, strings.Count(errOut, "learning rate 1e+37"))
	files, err := filepath.Glob(filepath.Join(dir, "checkpoints", "*"))
	require.NoError(t, err)
	require.Len(t, files, 1, "the one from before the first step")
	assert.True(t, strings.HasSuffix(last, files[0]), last)
}
