package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/train/tune"
)

// tunedNet is the network of these tests, and how it is tuned: the variants that
// compile fast, and as few steps as can be.
const tunedNet = " --depth 7 --growth 2 --batch 2 "

// tuneTiny tunes it, with more flags, and returns the path of the file.
func tuneTiny(t *testing.T, flags string) string {
	needDevice(t)
	path := filepath.Join(t.TempDir(), "tuned.json")
	out, errOut, code := execute(t, "tune"+tunedNet+flags+" --variants plain,quad --runs 1 --steps 1 --out "+path)
	require.Equal(t, exitSuccess, code, errOut)
	assert.Regexp(t, `(?m)^ 1/\d+  forward .*: plain`, out)
	assert.Regexp(t, `(?m)^forward 3x3 \d>4 32x32 n2: \w+ \(\w+ [0-9.e+]+ ms`, out)
	assert.Contains(t, out, "the fastest candidates")
	assert.Contains(t, out, "saved "+path+"; take it with --tuning "+path)
	return path
}

// edited writes a tuning with a change and returns its path.
func edited(t *testing.T, path string, change func(f *tune.File)) string {
	f, err := tune.Load(path)
	require.NoError(t, err)
	change(f)
	other := filepath.Join(t.TempDir(), "edited.json")
	require.NoError(t, f.Save(other))
	return other
}

// What was tuned is taken where it is named, in the bytes that are planned.
func TestTune(t *testing.T) {
	path := tuneTiny(t, "")
	for _, command := range []string{"bench --steps 1 --warmup 1 --json", "memory --measure"} {
		_, errOut, code := execute(t, command+tunedNet+"--tuning "+path)
		assert.Equal(t, exitSuccess, code, "%s: %s", command, errOut)
	}
	plain := edited(t, path, func(f *tune.File) {
		for i := range f.Tasks {
			f.Tasks[i].Variant = "plain"
		}
	})
	out, errOut, code := execute(t, "bench --steps 1 --warmup 1 --kernels"+tunedNet+"--tuning "+plain)
	require.Equal(t, exitSuccess, code, errOut)
	assert.Regexp(t, `(?m)^ *conv_fwd +plain `, out)
	assert.NotContains(t, out, "quad_fwd")
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	var printed tune.File
	decode(t, "tune"+tunedNet+"--variants plain --runs 1 --steps 1 --json --out "+path, &printed) // a tuning file may be written anew
	f, err := tune.Load(path)
	require.NoError(t, err)
	assert.Equal(t, f.Tuning(), printed.Tuning())
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.NotEqual(t, before, after)
}

// A tuning of something else is refused, and says why.
func TestTuningOfAnother(t *testing.T) {
	path := tuneTiny(t, "")
	version := edited(t, path, func(f *tune.File) { f.DriverVersion = "0x7" })
	task := edited(t, path, func(f *tune.File) { f.Tasks[0].Task = "forward 3x3 9>9 9x9 n2" })
	note := filepath.Join(t.TempDir(), "note.txt")
	require.NoError(t, os.WriteFile(note, []byte("dear diary"), 0o666))
	for _, c := range []struct{ line, want string }{
		{"bench" + tunedNet + "--tuning " + version, `was tuned for driver version "0x7", this is "0x`},
		{"memory --measure" + tunedNet + "--tuning " + version, "driver version"},
		{"bench" + tunedNet + "--tuning " + task, task + `: sparsenet: the tuning names "forward 3x3 9>9 9x9 n2", which is none of`},
		{"bench --depth 10 --growth 2 --batch 2 --tuning " + path, `was tuned for network "sparse-7-2", this is "sparse-10-2"`},
		{"memory --depth 7 --growth 2 --batch 3 --tuning " + path, `was tuned for batch "2", this is "3"`},
		{"verify ../../train/testdata/sparse-16-k3.safetensors --tuning " + path, "was tuned for network"},
		{"bench" + tunedNet + "--tuning " + note, note + ": line 1 is not JSON"},
		{"tune" + tunedNet + "--out " + note, note + ": line 1 is not JSON"},
		{"tune" + tunedNet + "--out " + filepath.Join(note, "x", "y.json"), "there is no folder"},
	} {
		out, errOut, code := execute(t, c.line)
		assert.Equal(t, exitFailure, code, c.line)
		assert.Contains(t, errOut, c.want, c.line)
		assert.Empty(t, out, c.line)
	}
	for line, want := range map[string]string{
		"tune" + tunedNet: "--out FILE",
		"tune" + tunedNet + "--out a.json --variants fast": `"fast": unknown; there are plain, quad, tile-16x256`,
		"tune" + tunedNet + "--out a.json --runs 0":        "at least 1",
		"tune" + tunedNet + "--out a.json --batch 0":       "batch 0",
		"bench" + tunedNet + "--tuning=":                   "--tuning is empty",
	} {
		_, errOut, code := execute(t, line)
		assert.Equal(t, exitUsage, code, line)
		assert.Contains(t, errOut, want, line)
	}
	b, err := os.ReadFile(note)
	require.NoError(t, err)
	assert.Equal(t, "dear diary", string(b))
}

// A tuning is part of what a run is: run.json has it, and another is refused when
// the run goes on.
func TestTrainTuned(t *testing.T) {
	path, data, dir := tuneTiny(t, "--input 32x32x1 --class plain"), tinyData(t), filepath.Join(t.TempDir(), "run")
	train := "train" + tinyFlags(data) + "--epochs 1 --out " + dir
	line := train + " --tuning " + path
	_, errOut, code := execute(t, line)
	require.Equal(t, exitSuccess, code, errOut)
	b, err := os.ReadFile(filepath.Join(dir, runFile))
	require.NoError(t, err)
	var info runInfo
	require.NoError(t, json.Unmarshal(b, &info))
	f, err := tune.Load(path)
	require.NoError(t, err)
	assert.Equal(t, &runTuning{path, f.Hash()}, info.Tuning)
	other := edited(t, path, func(f *tune.File) { f.Tasks = f.Tasks[1:] })
	for _, another := range []string{train, train + " --tuning " + other} {
		_, errOut, code = execute(t, another+" --resume")
		assert.Equal(t, exitFailure, code)
		assert.Contains(t, errOut, "tuning was "+f.Hash()+", is ")
		assert.Contains(t, errOut, "use the same, or --force")
	}
	for _, same := range []string{line + " --resume", train + " --resume --force"} {
		_, errOut, code = execute(t, same)
		assert.Equal(t, exitSuccess, code, errOut)
	}
	eval := "eval --foreign --class plain --data " + data + " --checkpoint " + dir + " --tuning " + path
	_, errOut, code = execute(t, eval+" --batch 2")
	assert.Equal(t, exitSuccess, code, errOut)
	_, errOut, code = execute(t, eval)
	assert.Equal(t, exitFailure, code)
	assert.Contains(t, errOut, `was tuned for batch "2", this is "64"`)
}
