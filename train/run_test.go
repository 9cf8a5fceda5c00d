package train

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, checkpointsDir))
	require.NoError(t, err)
	list := []string{}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

// newest returns the step of the newest whole checkpoint and how many later
// ones were passed over.
func newest(t *testing.T, dir string) (uint64, int) {
	t.Helper()
	c, skipped, err := Newest(dir)
	require.NoError(t, err)
	n, err := c.Uint32("n")
	require.NoError(t, err)
	require.Equal(t, c.State.Step, uint64(n[0]), "state and tensors belong together")
	require.NoError(t, c.Close())
	return c.State.Step, len(skipped)
}

func TestRunKeepsTheLastAndTheBest(t *testing.T) {
	r, err := OpenRun(filepath.Join(t.TempDir(), "a", "run"))
	require.NoError(t, err)
	defer r.Close()
	_, _, err = Newest(r.Dir)
	assert.ErrorIs(t, err, ErrNoCheckpoint)
	assert.ErrorContains(t, err, "start the run without resuming")

	_, err = r.SaveBest(state(3), weights(3))
	require.NoError(t, err)
	r.Keep = 3
	for _, step := range []uint64{1, 2, 3, 999_999_999_999, 1_000_000_000_000} {
		path, err := r.Save(state(step), weights(step))
		require.NoError(t, err)
		assert.FileExists(t, path)
	}
	assert.Equal(t, []string{bestName, "step-000000000003.safetensors",
		"step-1000000000000.safetensors", "step-999999999999.safetensors"}, names(t, r.Dir))
	best, err := Best(r.Dir)
	require.NoError(t, err)
	assert.Equal(t, uint64(3), best.State.Step)
	require.NoError(t, best.Close())
}

func TestNewestFallsBack(t *testing.T) {
	r, err := OpenRun(t.TempDir())
	require.NoError(t, err)
	defer r.Close()
	r.Keep = 3
	paths := map[uint64]string{}
	for _, step := range []uint64{10, 20, 30} {
		paths[step], err = r.Save(state(step), weights(step))
		require.NoError(t, err)
	}
	_, err = r.SaveBest(state(5), weights(5))
	require.NoError(t, err)
	step, skipped := newest(t, r.Dir)
	assert.Equal(t, []any{uint64(30), 0}, []any{step, skipped})

	flip := func(path string) {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		b[len(b)-1] ^= 1
		require.NoError(t, os.WriteFile(path, b, 0o644))
	}
	flip(paths[30])
	step, skipped = newest(t, r.Dir)
	assert.Equal(t, []any{uint64(20), 1}, []any{step, skipped})

	// A checkpoint under another's name is not taken for it.
	require.NoError(t, os.Rename(paths[10], paths[20]))
	step, skipped = newest(t, r.Dir)
	assert.Equal(t, []any{uint64(5), 2}, []any{step, skipped}, "the best is the last resort")

	// A run that goes on from there counts its own steps and leaves later ones.
	_, err = r.Save(state(6), weights(6))
	require.NoError(t, err)
	assert.Contains(t, names(t, r.Dir), "step-000000000006.safetensors")

	require.NoError(t, os.Truncate(filepath.Join(r.Dir, checkpointsDir, bestName), 20))
	require.NoError(t, os.Remove(filepath.Join(r.Dir, checkpointsDir, "step-000000000006.safetensors")))
	_, list, err := Newest(r.Dir)
	assert.ErrorIs(t, err, ErrNoCheckpoint)
	assert.ErrorIs(t, err, ErrDamaged)
	assert.Len(t, list, 3)
	for _, path := range []string{paths[30], paths[20], bestName} {
		assert.ErrorContains(t, err, path, "every damaged file is named")
	}
}

func TestOneRunPerDirectory(t *testing.T) {
	dir := t.TempDir()
	r, err := OpenRun(dir)
	require.NoError(t, err)
	_, err = OpenRun(dir)
	require.ErrorIs(t, err, ErrInUse)
	assert.ErrorContains(t, err, filepath.Join(dir, lockName))
	require.NoError(t, r.Close())
	require.NoError(t, r.Close(), "twice")
	again, err := OpenRun(dir)
	require.NoError(t, err)
	require.NoError(t, again.Close())
}

func TestOpenRunReportsWhatIsInTheWay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, nil, 0o644))
	_, err := OpenRun(path)
	assert.ErrorContains(t, err, path)
}

func TestOpenRunSweepsWhatWasLeft(t *testing.T) {
	dir := t.TempDir()
	left := filepath.Join(dir, checkpointsDir, ".sparsevk-0123.tmp")
	require.NoError(t, os.MkdirAll(filepath.Dir(left), 0o755))
	require.NoError(t, os.WriteFile(left, nil, 0o644))
	r, err := OpenRun(dir)
	require.NoError(t, err)
	defer r.Close()
	assert.NoFileExists(t, left)
}

func TestWriteJSON(t *testing.T) {
	r, err := OpenRun(t.TempDir())
	require.NoError(t, err)
	defer r.Close()
	require.NoError(t, r.WriteJSON("config.json", map[string]int{"batch": 64}))
	b, err := os.ReadFile(filepath.Join(r.Dir, "config.json"))
	require.NoError(t, err)
	assert.Equal(t, "{\n  \"batch\": 64\n}\n", string(b))
	assert.ErrorContains(t, r.WriteJSON("x", func() {}), "unsupported type")
}

// The process is killed at random moments while it does nothing but save, so
// nearly every kill hits a write. Each time the newest checkpoint is whole, and
// at least the last one that was reported as saved; the lock dies with the
// process.
func TestKilledWhileSaving(t *testing.T) {
	if dir := os.Getenv("TRAIN_TEST_SAVE"); dir != "" {
		saveForever(dir)
	}
	if runtime.GOOS == "windows" {
		t.Skip("no SIGKILL on Windows")
	}
	dir := t.TempDir()
	last := uint64(0)
	for range 12 {
		c := exec.Command(os.Args[0], "-test.run=TestKilledWhileSaving")
		c.Env = append(os.Environ(), "TRAIN_TEST_SAVE="+dir)
		out, err := c.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, c.Start())
		var reported uint64
		for {
			var step uint64
			if _, err := fmt.Fscan(out, &step); err != nil {
				break
			}
			if reported == 0 {
				time.AfterFunc(rand.N(30*time.Millisecond), func() { _ = c.Process.Kill() })
			}
			reported = step
		}
		require.Error(t, c.Wait(), "killed")
		require.Greater(t, reported, last, "the child went on from where the last one was")
		step, skipped := newest(t, dir)
		require.Zero(t, skipped, "a kill leaves no damaged file under a final name")
		require.GreaterOrEqual(t, step, reported)
		last = step
	}
}

// saveForever goes on from the newest checkpoint and reports each step saved.
func saveForever(dir string) {
	r, err := OpenRun(dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	step := uint64(0)
	if c, _, err := Newest(dir); err == nil {
		step = c.State.Step
		c.Close()
	}
	for {
		step++
		if _, err := r.Save(state(step), weights(step)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(step)
	}
}
