package durable

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var errInjected = errors.New("injected")

// faulty fails from the n-th operation on, once or for good, and may tear a
// write: half of the bytes arrive. It records what was done.
type faulty struct {
	OS
	left    int
	forGood bool
	log     []string
}

func (d *faulty) step(what string) error {
	d.log = append(d.log, what)
	d.left--
	if d.left == 0 || d.forGood && d.left < 0 {
		return fmt.Errorf("%s: %w", what, errInjected)
	}
	return nil
}

func (d *faulty) Create(path string) (File, error) {
	if err := d.step("create"); err != nil {
		return nil, err
	}
	f, err := d.OS.Create(path)
	return &faultyFile{f, d}, err
}

func (d *faulty) Rename(from, to string) error {
	if err := d.step("rename"); err != nil {
		return err
	}
	return d.OS.Rename(from, to)
}

func (d *faulty) Remove(path string) error {
	if err := d.step("remove"); err != nil {
		return err
	}
	return d.OS.Remove(path)
}

func (d *faulty) SyncDir(dir string) error {
	if err := d.step("sync folder"); err != nil {
		return err
	}
	return d.OS.SyncDir(dir)
}

type faultyFile struct {
	File
	d *faulty
}

func (f *faultyFile) Write(b []byte) (int, error) {
	if err := f.d.step("write"); err != nil {
		n, _ := f.File.Write(b[:len(b)/2])
		return n, err
	}
	return f.File.Write(b)
}

func (f *faultyFile) Sync() error {
	if err := f.d.step("sync"); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f *faultyFile) Close() error {
	closing := f.File.Close()
	if err := f.d.step("close"); err != nil {
		return err
	}
	return closing
}

func content(b []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	}
}

var large = bytes.Repeat([]byte("new"), 1<<20)

func TestTheOrderIsDurable(t *testing.T) {
	d := &faulty{}
	path := filepath.Join(t.TempDir(), "x")
	require.NoError(t, Write(d, path, content([]byte("a"))))
	assert.Equal(t, []string{"create", "write", "sync", "close", "rename", "sync folder"}, d.log)
}

// Whatever operation fails, the old file or the new one is there, whole, and an
// error says so; and the folder holds nothing else unless removing fails too.
func TestEveryFailureLeavesAWholeFile(t *testing.T) {
	for _, forGood := range []bool{false, true} {
		for n := 1; ; n++ {
			dir := t.TempDir()
			path := filepath.Join(dir, "x")
			require.NoError(t, os.WriteFile(path, []byte("old"), 0o644))
			d := &faulty{left: n, forGood: forGood}
			err := Write(d, path, content(large))
			got, reading := os.ReadFile(path)
			require.NoError(t, reading)
			if err == nil {
				assert.True(t, bytes.Equal(large, got))
				assert.Greater(t, n, len(d.log), "every operation has failed once")
				break
			}
			require.ErrorIs(t, err, errInjected)
			assert.ErrorContains(t, err, path)
			if d.log[n-1] != "sync folder" {
				assert.Equal(t, "old", string(got), "operation %d, %s", n, d.log[n-1])
			}
			entries, err := os.ReadDir(dir)
			require.NoError(t, err)
			if !forGood {
				assert.Len(t, entries, 1, "operation %d, %s", n, d.log[n-1])
			}
			require.NoError(t, Sweep(dir))
			entries, err = os.ReadDir(dir)
			require.NoError(t, err)
			assert.Len(t, entries, 1)
		}
	}
}

func TestTheWritersErrorIsReturned(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	err := Write(OS{}, path, func(io.Writer) error { return errInjected })
	assert.ErrorIs(t, err, errInjected)
	assert.NoFileExists(t, path)
}

func TestErrorsNameTheFile(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "no", "x")
	err := Write(OS{}, missing, content(nil))
	assert.ErrorIs(t, err, os.ErrNotExist)
	assert.ErrorContains(t, err, missing)
}

func TestSweepLeavesOtherFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{".sparsevk-12.tmp", "x.safetensors", ".hidden", "a.tmp"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o644))
	}
	require.NoError(t, Sweep(dir))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 3)
}

// A limit on the size of files is what a full disk looks like to a process
// without root: the kernel itself cuts the write short.
func TestTheSystemsLimitKeepsTheOldFile(t *testing.T) {
	if path := os.Getenv("DURABLE_TEST_WRITE"); path != "" {
		if err := Write(OS{}, path, content(large)); err != nil {
			fmt.Println("refused:", err)
			os.Exit(3)
		}
		return
	}
	if runtime.GOOS == "windows" {
		t.Skip("no ulimit on Windows; the injected faults cover the same paths")
	}
	path := filepath.Join(t.TempDir(), "x")
	require.NoError(t, os.WriteFile(path, []byte("old"), 0o644))
	run := func(limit string) ([]byte, int) {
		c := exec.Command("sh", "-c", `ulimit -f "$1" && exec "$0" -test.run=TestTheSystemsLimit`, os.Args[0], limit)
		c.Env = append(os.Environ(), "DURABLE_TEST_WRITE="+path)
		out, _ := c.CombinedOutput()
		return out, c.ProcessState.ExitCode()
	}
	out, code := run("64")
	require.Equal(t, 3, code, "%s", out)
	assert.Contains(t, string(out), "file too large")
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "old", string(got))
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	assert.Len(t, entries, 1, "the temporary file is gone")

	out, code = run("unlimited")
	require.Zero(t, code, "%s", strings.TrimSpace(string(out)))
	got, err = os.ReadFile(path)
	require.NoError(t, err)
	assert.True(t, bytes.Equal(large, got))
}
