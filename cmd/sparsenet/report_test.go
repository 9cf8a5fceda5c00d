package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A finished run leaves its pictures; what report is asked for that cannot be.
func TestReport(t *testing.T) {
	needDevice(t)
	data, dir := tinyData(t), filepath.Join(t.TempDir(), "run")
	_, errOut, code := execute(t, "train"+tinyFlags(data)+"--epochs 1 --tensorboard --out "+dir)
	require.Equal(t, exitSuccess, code, errOut)
	assert.Empty(t, errOut)
	for name, says := range map[string]string{
		"report.html": "fashion-mnist, test: error", "report.html#2": "<td>updates: 5; epochs: 1; in ", "report.html#3": "decay 0.0001 on all, seed 1", "report.html#4": "MiB handed out by the device", "curves.svg": "learning rate", "evaluation.json": `"confusion"`,
	} {
		name, _, _ = strings.Cut(name, "#")
		b, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		assert.Contains(t, string(b), says)
	}

	events, err := filepath.Glob(filepath.Join(dir, "events.out.tfevents.*"))
	require.NoError(t, err)
	assert.Len(t, events, 1)
	fails(t, exitUsage, "train --tensorboard", "--tensorboard needs the run directory: --out DIR")

	out := filepath.Join(t.TempDir(), "page.html")
	text, errOut, code := execute(t, "report "+dir+" --out "+out+" --curves "+out+".png")
	require.Equal(t, exitSuccess, code, errOut)
	assert.Equal(t, "The report is in "+out+".\n", text)
	for _, name := range []string{out, out + ".png"} {
		info, err := os.Stat(name)
		require.NoError(t, err)
		assert.Greater(t, info.Size(), int64(5000))
	}

	fails(t, exitUsage, "report", "report takes one run directory")
	fails(t, exitFailure, "report "+t.TempDir(), "is no run directory")
	fails(t, exitUsage, "report "+dir+" --curves x.pdf", "want a file that ends in .svg or .png")
	fails(t, exitFailure, "report "+dir+" --out "+dir+"/no/page.html", "no/page.html", "no such file or directory")
	for file, wrong := range map[string]string{
		"evaluation.json": `{"confusion": {"classes": ["a"], "counts": [[1, 2]]}}`, "metrics.jsonl": "{\n", "run.json": `{"network": {"depth": 41}}`,
	} {
		path := filepath.Join(dir, file)
		before, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, []byte(wrong), 0o666))
		failsAtLength(t, "report "+dir+" --out "+out, file)
		require.NoError(t, os.WriteFile(path, before, 0o666))
	}
}

// What was published stands beside what was reached, on the same data.
func TestPublishedError(t *testing.T) {
	assert.Equal(t, "error 5.47 % on cifar10, with augmentation, after 300 epochs", publishedError("sparse-40-24", "cifar10"))
	assert.Contains(t, publishedError("sparse-40-24", "cifar100"), "error 24.65 %")
	assert.Empty(t, publishedError("sparse-40-24", "fashion-mnist"))
	assert.Empty(t, publishedError("sparse-100-24", "cifar10"))
	assert.Empty(t, publishedError("imagenet-dense-121-32", "cifar10"))
	assert.Empty(t, publishedError("custom", "cifar10"))
}

func TestShellLine(t *testing.T) {
	assert.Equal(t, `sparsenet train --out 'a b' '' 'it'\''s' --lr 0.1`, shellLine([]string{"sparsenet", "train", "--out", "a b", "", "it's", "--lr", "0.1"}))
}
