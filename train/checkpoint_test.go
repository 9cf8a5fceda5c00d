package train

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/train/internal/durable"
	"sparsevk/train/safetensors"
)

func state(step uint64) State {
	return State{
		Step: step, Epoch: 1, Position: 2, Seed: math.MaxUint64, Schedule: "constant(0.1)", Data: "ab12",
		Config: map[string]string{"batch": "64", "engine": "arena"},
		Loss:   0.1 + 0.2, Correct: 3, Images: 4, Best: 1.0 / 3, BestStep: 5,
	}
}

// weights returns tensors whose values tell the step they belong to.
func weights(step uint64) []safetensors.Tensor {
	v := []float32{float32(step), float32(math.NaN()), -0.5}
	return []safetensors.Tensor{
		safetensors.Float32("w", []int{3}, v),
		safetensors.Float32("momentum.w", []int{3}, v),
		safetensors.Uint32("n", nil, []uint32{uint32(step)}),
	}
}

func TestCheckpointRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.safetensors")
	require.NoError(t, SaveCheckpoint(path, state(7), weights(7)))
	c, err := LoadCheckpoint(path)
	require.NoError(t, err)
	defer c.Close()
	assert.Equal(t, state(7), c.State)
	assert.Equal(t, path, c.Path)
	for _, want := range weights(7) {
		got := make([]byte, len(want.Data))
		require.NoError(t, c.Read(want.Name, got))
		assert.Equal(t, want.Data, got, want.Name)
	}
	assert.Len(t, c.Tensors(), 3)

	again := filepath.Join(t.TempDir(), "again")
	backwards := weights(7)
	backwards[0], backwards[2] = backwards[2], backwards[0]
	require.NoError(t, SaveCheckpoint(again, state(7), backwards))
	a, err := os.ReadFile(path)
	require.NoError(t, err)
	b, err := os.ReadFile(again)
	require.NoError(t, err)
	assert.Equal(t, a, b, "the same state gives the same bytes")
}

// Every single flipped bit and every truncation is found, and called damage.
func TestEveryDamageIsFound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.safetensors")
	require.NoError(t, SaveCheckpoint(path, state(7), weights(7)))
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	load := func(b []byte) error { // what LoadCheckpoint does, without a file
		f, err := safetensors.NewFile(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return damaged(err)
		}
		return (&Checkpoint{File: f}).verify()
	}
	require.NoError(t, load(whole))
	for i := range whole {
		for bit := range 8 {
			whole[i] ^= 1 << bit
			err := load(whole)
			whole[i] ^= 1 << bit
			if !errors.Is(err, ErrDamaged) {
				require.Fail(t, "not found", "byte %d, bit %d: %v", i, bit, err)
			}
		}
	}
	for n := range whole {
		require.ErrorIs(t, load(whole[:n]), ErrDamaged, "%d bytes", n)
	}
	require.ErrorIs(t, load(append(whole, 0)), ErrDamaged)

	for _, b := range [][]byte{whole[:len(whole)-1], append(whole[:len(whole)-1], whole[len(whole)-1]^1)} {
		require.NoError(t, os.WriteFile(path, b, 0o644))
		_, err := LoadCheckpoint(path)
		require.ErrorIs(t, err, ErrDamaged)
		require.ErrorContains(t, err, path)
	}
}

func TestLoadRefusesOtherFiles(t *testing.T) {
	dir := t.TempDir()
	_, err := LoadCheckpoint(filepath.Join(dir, "none"))
	assert.ErrorIs(t, err, os.ErrNotExist)
	assert.False(t, errors.Is(err, ErrDamaged), "a file that cannot be opened is not damaged")

	path := filepath.Join(dir, "plain")
	require.NoError(t, WriteTensors(path, map[string]string{"format": "pt"}, weights(1)))
	_, err = LoadCheckpoint(path)
	assert.ErrorContains(t, err, `format "pt", want "sparsevk checkpoint 1"`)
}

func TestSaveRefusesWhatCannotBeKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c")
	s := state(1)
	s.Loss = math.NaN()
	assert.ErrorContains(t, SaveCheckpoint(path, s, nil), "NaN")
	twice := append(weights(1), weights(1)...)
	assert.ErrorContains(t, SaveCheckpoint(path, state(1), twice), "two tensors have this name")
	assert.NoFileExists(t, path)
	assert.ErrorIs(t, SaveCheckpoint(filepath.Join(path, "no", "folder"), state(1), nil), os.ErrNotExist)
}

func TestDifferences(t *testing.T) {
	a := state(1)
	assert.Empty(t, a.Differences(state(99)), "the step may differ")
	b := state(1)
	b.Seed, b.Schedule, b.Data = 3, "constant(0.2)", "cd34"
	b.Config = map[string]string{"batch": "128", "depth": "40"}
	assert.Equal(t, []string{
		"seed was 18446744073709551615, is 3",
		"schedule was constant(0.1), is constant(0.2)",
		"hash of the data was ab12, is cd34",
		"batch was 64, is 128",
		"depth was unset, is 40",
		"engine was arena, is unset",
	}, a.Differences(b))
	assert.Empty(t, State{}.Differences(State{}))
}

// full is a disk that takes so many bytes and no more.
type full struct {
	durable.OS
	left int
}

var errFull = errors.New("no space left on device")

func (d *full) Create(path string) (durable.File, error) {
	f, err := d.OS.Create(path)
	return fullFile{f, d}, err
}

type fullFile struct {
	durable.File
	d *full
}

func (f fullFile) Write(b []byte) (int, error) {
	n, err := f.File.Write(b[:min(len(b), f.d.left)])
	f.d.left -= n
	if err == nil && n < len(b) {
		err = errFull
	}
	return n, err
}

func TestAFullDiskKeepsTheCheckpointBefore(t *testing.T) {
	r, err := OpenRun(t.TempDir())
	require.NoError(t, err)
	defer r.Close()
	disk := &full{left: 100}
	r.disk = disk
	_, err = r.Save(state(5), weights(5))
	require.ErrorIs(t, err, errFull)
	assert.ErrorContains(t, err, "no checkpoint is kept")

	disk.left = math.MaxInt
	before, err := r.Save(state(10), weights(10))
	require.NoError(t, err)
	stat, err := os.Stat(before)
	require.NoError(t, err)
	for left := 0; left < int(stat.Size()); left += 13 {
		disk.left = left
		_, err = r.Save(state(15), weights(15))
		require.ErrorIs(t, err, errFull)
		require.ErrorContains(t, err, "kept is "+before)
		c, skipped, err := Newest(r.Dir)
		require.NoError(t, err)
		require.Empty(t, skipped)
		require.Equal(t, uint64(10), c.State.Step)
		require.NoError(t, c.Close())
	}
	disk.left = math.MaxInt
	_, err = r.Save(state(15), weights(15))
	assert.NoError(t, err)
}

// What is opened for its parameters alone is checked too, if it is a checkpoint.
func TestOpenModel(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.safetensors")
	require.NoError(t, SaveCheckpoint(path, state(7), weights(7)))
	f, err := OpenModel(path)
	require.NoError(t, err)
	assert.NoError(t, f.Close())
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	whole[len(whole)-1] ^= 1
	require.NoError(t, os.WriteFile(path, whole, 0o666))
	_, err = OpenModel(path)
	assert.ErrorIs(t, err, ErrDamaged)
	require.NoError(t, os.WriteFile(path, whole[:len(whole)-1], 0o666))
	_, err = OpenModel(path)
	assert.ErrorIs(t, err, ErrDamaged)
	require.NoError(t, WriteTensors(path, map[string]string{"format": "pt"}, weights(7)))
	f, err = OpenModel(path)
	require.NoError(t, err, "another program's file")
	assert.NoError(t, f.Close())
}
