package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/ops/optest"
	"sparsevk/train"
)

// A checkpoint names its network, but the user's flags come first, and what is
// no preset's name is not used.
func TestEvalAdoptsTheCheckpointsNetwork(t *testing.T) {
	save := func(network string) string {
		r, err := train.OpenRun(t.TempDir())
		require.NoError(t, err)
		defer r.Close()
		path, err := r.Save(train.State{Step: 1, Config: map[string]string{"network": network}}, nil)
		require.NoError(t, err)
		return path
	}
	named, changed := save("sparse-16-12"), save("sparse-16-12+")
	for _, c := range []struct{ model, flags, want string }{
		{named, "", "sparse-16-12"},
		{named, "--depth=22", "sparse-22-12"},
		{changed, "", "sparse-40-12"},
	} {
		cmd := &cobra.Command{}
		f := &modelFlags{}
		f.add(cmd)
		f.path = c.model
		if c.flags != "" {
			require.NoError(t, cmd.ParseFlags([]string{c.flags}))
		}
		require.NoError(t, f.find(cmd))
		got, err := f.net.config()
		require.NoError(t, err)
		assert.Equal(t, c.want, got.Name(), "%v", c)
	}
}

// The test images that a run evaluates several batches at a time have the score that
// eval finds with the batch that it is told.
func TestEvalOfAWideEvaluation(t *testing.T) {
	needDevice(t)
	dir := filepath.Join(t.TempDir(), "run")
	flags := strings.Replace(tinyFlags(tinyData(t)), "--depth 7", "--depth 22 --bottleneck", 1)
	out, errOut, code := execute(t, "train"+flags+"--epochs 1 --lr 1e-3 --out "+dir)
	require.Equal(t, exitSuccess, code, errOut)
	assert.Regexp(t, `, batch 2, evaluation of \d+ at once, `, out)
	want, err := train.LoadEvaluation(dir)
	require.NoError(t, err)
	require.Equal(t, 7, want.Score.Images)
	for _, batch := range []string{"--batch 3", ""} {
		_, errOut, code = execute(t, "eval --class plain --data "+strings.Fields(flags)[4]+" --foreign --model "+dir+" "+batch)
		require.Equal(t, exitSuccess, code, errOut)
		got, err := train.LoadEvaluation(dir)
		require.NoError(t, err)
		assert.Equal(t, want.Confusion, got.Confusion, batch)
		assert.Equal(t, [3]int{7, want.Score.Hits, want.Score.Hits5}, [3]int{got.Score.Images, got.Score.Hits, got.Score.Hits5}, batch)
		_, err = optest.Compare([]float32{float32(got.Score.Loss)}, []float64{want.Score.Loss}, []float64{1}, optest.Tolerance{})
		assert.NoError(t, err, "loss %s", batch)
	}
}
