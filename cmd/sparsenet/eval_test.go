package main

import (
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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
