package main

import (
	"context"
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

//go:embed nets.py torch_bench.py tfjs_bench.mjs package.json
var scripts embed.FS

// A bench knows how to start every contender on this machine.
type bench struct {
	options
	folder  string            // of the scripts, where TensorFlow.js is installed
	missing map[string]string // contenders that cannot run, and why
}

// newBench copies the scripts into the cache folder and builds sparsenet.
func newBench(ctx context.Context, o options) (*bench, error) {
	cache := os.Getenv("SPARSEVK_CACHE")
	if cache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return nil, err
		}
		cache = filepath.Join(dir, "sparsevk")
	}
	b := &bench{options: o, folder: filepath.Join(cache, "peers"), missing: map[string]string{}}
	if err := os.MkdirAll(b.folder, 0o777); err != nil {
		return nil, err
	}
	files, err := scripts.ReadDir(".")
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		data, err := scripts.ReadFile(f.Name())
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(b.folder, f.Name()), data, 0o666); err != nil {
			return nil, err
		}
	}
	if b.sparsenet == "" {
		b.sparsenet = filepath.Join(b.folder, "sparsenet")
		build := exec.CommandContext(ctx, "go", "build", "-o", b.sparsenet, "./cmd/sparsenet")
		if out, err := build.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("building sparsenet: %w: %s", err, out)
		}
	}
	return b, nil
}

// install fetches TensorFlow.js unless it is there.
func (b *bench) install(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(b.folder, "node_modules", "webgpu")); err == nil {
		return nil
	}
	c := exec.CommandContext(ctx, "npm", "install", "--no-audit", "--no-fund", "--silent")
	c.Dir = b.folder
	out, err := c.CombinedOutput()
	if err != nil {
		return fmt.Errorf("npm install: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

// startLimit is how long a contender may take to get warm: torch.compile takes
// minutes.
const startLimit = 10 * time.Minute

// start starts a contender. The error says why it cannot run.
func (b *bench) start(ctx context.Context, name string, s setup) (*child, error) {
	if why, ok := b.missing[name]; ok {
		return nil, fmt.Errorf("%s", why)
	}
	c, err := b.command(ctx, name, s)
	if err != nil {
		b.missing[name] = err.Error()
		return nil, err
	}
	if s.Threads > 0 {
		c.Env = append(append(os.Environ(), threadsEnv(s.Threads)...), fmt.Sprintf("OMP_NUM_THREADS=%d", s.Threads))
	}
	limit := startLimit
	if name == "webgpu" {
		limit = stepLimit // it compiles little: its first step is a step
	}
	return start(ctx, name, c, limit)
}

func (b *bench) command(ctx context.Context, name string, s setup) (*exec.Cmd, error) {
	batch := strconv.Itoa(s.Batch)
	switch name {
	case "arena", "layered":
		return exec.CommandContext(ctx, b.sparsenet, "bench", "--paced", "--preset", s.Net, "--batch", batch, "--engine", name), nil
	case "webgpu":
		if err := b.install(ctx); err != nil {
			return nil, err
		}
		c := exec.CommandContext(ctx, "node", "tfjs_bench.mjs", "--net", s.Net, "--batch", batch)
		c.Dir = b.folder
		return c, nil
	}
	mode, device := name, "cpu"
	if m, ok := strings.CutPrefix(name, "cuda"); ok {
		device = "cuda"
		if mode = strings.TrimPrefix(m, "_"); mode == "" {
			mode = "eager"
		}
	}
	return exec.CommandContext(ctx, b.python, filepath.Join(b.folder, "torch_bench.py"),
		"--net", s.Net, "--batch", batch, "--mode", mode, "--device", device, "--threads", strconv.Itoa(s.Threads)), nil
}
