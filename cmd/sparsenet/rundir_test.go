package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// jsonLines parses a line of JSON each.
func jsonLines(t *testing.T, text string) (lines []map[string]any) {
	t.Helper()
	for line := range strings.Lines(text) {
		var v map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &v), line)
		lines = append(lines, v)
	}
	return lines
}

// What a run leaves behind says how to do it again, and a machine can follow it.
func TestRunDirectory(t *testing.T) {
	needDevice(t)
	data, dir := tinyData(t), filepath.Join(t.TempDir(), "run")
	train := "train" + tinyFlags(data) + "--json --valid 2 --seed 7 --out " + dir + " --epochs "
	out, errOut, code := execute(t, train+"1")
	require.Equal(t, exitSuccess, code, errOut)
	assert.Empty(t, errOut)
	var kinds []string
	var lines []map[string]any
	for _, l := range jsonLines(t, out) {
		kind := l["kind"].(string)
		if first := kind == "saved" && l["step"] == 0.0; first {
			require.Equal(t, []string{"start"}, kinds, "what the run begins with is saved first")
			continue
		}
		if kind == "step" && l["step"].(float64) > 1 {
			continue // one a second, on a busy machine
		}
		kinds, lines = append(kinds, kind), append(lines, l)
	}
	require.Equal(t, []string{"start", "step", "epoch", "valid", "saved", "test"}, kinds)
	assert.EqualValues(t, 4, lines[0]["batches"])
	for _, l := range lines[1:4] {
		for _, key := range []string{"time", "epoch", "step", "lr", "loss", "accuracy", "images_per_second", "device_bytes", "epochs"} {
			assert.Contains(t, l, key, l["kind"])
		}
	}
	assert.Contains(t, lines[1], "grad_norm")
	assert.EqualValues(t, 1, lines[1]["batch"])
	assert.FileExists(t, lines[4]["checkpoint"].(string))
	assert.EqualValues(t, 4, lines[5]["step"])

	_, errOut, code = execute(t, train+"1 --resume --force")
	require.Equal(t, exitSuccess, code, errOut)
	b, err := os.ReadFile(filepath.Join(dir, runFile))
	require.NoError(t, err)
	var info runInfo
	require.NoError(t, json.Unmarshal(b, &info))
	assert.Equal(t, []any{"arena", 2, 1, uint64(7), 10}, []any{info.Engine, info.Batch, info.Epochs, info.Seed, info.Data.Images})
	assert.Len(t, info.Data.SHA256, 64)
	assert.Equal(t, "7", info.Flags["seed"])
	assert.Equal(t, "0.1", info.Flags["lr"], "defaults too")
	require.Len(t, info.Starts, 2)
	for i, s := range info.Starts {
		assert.Equal(t, uint64(4*i), s.Step)
		assert.NotEmpty(t, s.Command)
		assert.NotEmpty(t, s.Device)
		assert.NotEmpty(t, s.Driver)
		assert.Len(t, s.UUID, 36)
		assert.NotEmpty(t, s.Build["go"])
	}

	log, err := os.ReadFile(filepath.Join(dir, "log.txt"))
	require.NoError(t, err)
	for _, want := range []string{"start in ", "seed 7", "arena engine", "epoch 1/1  step 4", "held out:", "saved ", "test  7 images", "end after step 4", "resumed after step 4"} {
		assert.Contains(t, string(log), want)
	}
	metrics, err := os.ReadFile(filepath.Join(dir, "metrics.jsonl"))
	require.NoError(t, err)
	assert.Equal(t, 1, strings.Count(string(metrics), `"kind":"test"`), "a run that is resumed at its end does not count twice")

	_, _, code = execute(t, strings.Replace(train, "--seed 7", "--seed 8", 1)+"1 --resume")
	require.Equal(t, exitFailure, code)
	log, err = os.ReadFile(filepath.Join(dir, "log.txt"))
	require.NoError(t, err)
	assert.NotContains(t, string(log), "seed 8", "what was refused did not run")
}
