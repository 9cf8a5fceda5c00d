package durable

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A pipe without a writer is refused at once; opening it would wait for ever.
func TestOpen(t *testing.T) {
	dir := t.TempDir()
	pipe, file := filepath.Join(dir, "pipe"), filepath.Join(dir, "file")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	require.NoError(t, os.WriteFile(file, []byte("seven.."), 0o600))
	for _, path := range []string{pipe, dir, "/dev/zero"} {
		_, _, err := Open(path)
		assert.ErrorIs(t, err, ErrNotRegular, path)
	}
	_, _, err := Open(filepath.Join(dir, "none"))
	assert.ErrorIs(t, err, fs.ErrNotExist)
	assert.NotContains(t, err.Error(), dir)

	f, size, err := Open(file)
	require.NoError(t, err)
	defer f.Close()
	assert.EqualValues(t, 7, size)
	b, err := io.ReadAll(f)
	require.NoError(t, err)
	assert.Equal(t, "seven..", string(b))
}
