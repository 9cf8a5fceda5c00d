package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, "peers: "+format+"\n", args...) }

// plan returns the bench, this machine and what is to be measured on it.
func plan(ctx context.Context, o options) (*bench, Machine, []job, error) {
	b, err := newBench(ctx, o)
	if err != nil {
		return nil, Machine{}, nil, err
	}
	m, err := b.machine(ctx)
	if err != nil {
		return nil, m, nil, err
	}
	all, err := jobs(o.set, m.Cores, m.Type != "cpu")
	if err == nil {
		all, err = o.choose(all)
	}
	return b, m, all, err
}

// prepare runs every contender once.
func prepare(ctx context.Context, o options) error {
	b, _, all, err := plan(ctx, o)
	if err != nil {
		return err
	}
	checks, err := b.check(ctx)
	if err != nil {
		return err
	}
	progress("%s", strings.Join(checks, "\npeers: "))
	for _, j := range all {
		for _, name := range j.contenders {
			c, err := b.start(ctx, name, j.setup)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				progress("%s, %v: missing: %v", name, j.setup, err)
				continue
			}
			progress("%s, %v: first step %.1f s", name, j.setup, c.hello.FirstStepMS/1e3)
			c.kill()
		}
	}
	return nil
}

// measure measures and keeps the results, job by job, so that an interruption
// costs one.
func measure(ctx context.Context, o options) error {
	begun := time.Now()
	b, machine, all, err := plan(ctx, o)
	if err != nil {
		return err
	}
	label := o.label
	if label == "" {
		label = machine.slug()
	}
	path := filepath.Join(o.results, label+".json")
	results, err := open(path, machine)
	if err != nil {
		return err
	}
	if results.Checks, err = b.check(ctx); err != nil {
		return err
	}
	parts := len(all)
	if o.depths {
		parts++
	}
	if o.cold {
		parts++
	}
	share := func() time.Duration { // of the time that is left
		left := (o.budget - time.Since(begun)) / time.Duration(max(1, parts))
		parts--
		return left
	}
	for _, j := range all {
		r, err := b.compare(ctx, j, share())
		if err != nil {
			return fmt.Errorf("%v: %w", j.setup, err)
		}
		results.put(r)
		results.Missing = b.lacking(machine)
		if err := results.save(path); err != nil {
			return err
		}
	}
	if o.depths {
		if results.Depths, err = b.depths(ctx, share()); err != nil {
			return err
		}
	}
	if o.cold {
		if results.Cold, err = b.cold(ctx, share()); err != nil {
			return err
		}
	}
	if err := results.save(path); err != nil {
		return err
	}
	progress("measured in %v; results in %s", time.Since(begun).Round(time.Second), path)
	return writePage(o)
}

// lacking lists the contenders that could not run.
func (b *bench) lacking(machine Machine) []Missing {
	m := []Missing{}
	if machine.Type == "cpu" {
		m = append(m, Missing{onCUDA[0], "no GPU"})
	}
	for _, name := range everyone {
		if why, ok := b.missing[name]; ok {
			m = append(m, Missing{name, why})
		}
	}
	return m
}

// traces are what shows that contenders train the same network.
var traces = []string{"train/safetensors/testdata/sparse-19-k4.safetensors", "train/testdata/dense-19-k4.safetensors", "train/testdata/sparse-bc-34-k4.safetensors"}

// check replays the traces with both engines and, where it can run, with the
// script for PyTorch, and returns a line for each. A replay that strays is an
// error: then there is nothing to compare.
func (b *bench) check(ctx context.Context) ([]string, error) {
	var lines []string
	for _, engine := range ours {
		if _, err := b.runWith(ctx, nil, append([]string{"verify", "--engine", engine}, traces...)...); err != nil {
			return nil, err
		}
		lines = append(lines, "sparsenet, "+engine+": every trace replayed within its bounds")
	}
	out, err := exec.CommandContext(ctx, b.python, "-c", "import torch, safetensors").CombinedOutput()
	if err != nil {
		why := &tail{out}
		for _, name := range slices.Concat(onCPU, onCUDA) {
			b.missing[name] = fmt.Sprintf("%s: %v: %s", b.python, err, why)
		}
		return lines, nil
	}
	c := exec.CommandContext(ctx, b.python, append([]string{filepath.Join(b.folder, "torch_bench.py"), "--check"}, traces...)...)
	if out, err = c.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("torch_bench.py --check: %w: %s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		lines = append(lines, "PyTorch, "+strings.TrimSpace(line))
	}
	return lines, nil
}

// kernels returns the times of the arena engine's kernels and the roof.
func (b *bench) kernels(ctx context.Context, s setup) (json.RawMessage, error) {
	c, err := b.command(ctx, "arena", s)
	if err != nil {
		return nil, err
	}
	args := slices.DeleteFunc(c.Args[1:], func(a string) bool { return a == "--paced" })
	return b.run(ctx, s.Threads, append(args, "--kernels", "--json", "--warmup", "1", "--steps", "2")...)
}

// run runs sparsenet with extra environment and returns its JSON.
func (b *bench) run(ctx context.Context, threads int, args ...string) (json.RawMessage, error) {
	return b.runWith(ctx, threadsEnv(threads), args...)
}

// threadsEnv tells lavapipe how many threads to take; 0: its default. With one it is
// to compute in the thread of its queue, as it does on a machine with one core, instead
// of waking a second thread for every dispatch and waiting for it.
func threadsEnv(threads int) []string {
	switch threads {
	case 0:
		return nil
	case 1:
		threads = 0
	}
	return []string{fmt.Sprintf("LP_NUM_THREADS=%d", threads)}
}

func (b *bench) runWith(ctx context.Context, env []string, args ...string) (json.RawMessage, error) {
	c := exec.CommandContext(ctx, b.sparsenet, args...)
	c.Env = append(os.Environ(), env...)
	var errOut tail
	c.Stderr = &errOut
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("sparsenet %s: %w: %s", strings.Join(args, " "), err, &errOut)
	}
	return out, nil
}

// machine describes this one.
func (b *bench) machine(ctx context.Context) (Machine, error) {
	m := Machine{CPU: cpuName(), Cores: runtime.NumCPU(), OS: runtime.GOOS + "/" + runtime.GOARCH}
	out, err := b.runWith(ctx, nil, "devices", "--json")
	if err != nil {
		return m, err
	}
	var devices []struct {
		Default            bool
		Name, Driver, Type string
	}
	if err := json.Unmarshal(out, &devices); err != nil {
		return m, err
	}
	for _, d := range devices {
		if d.Default {
			m.Device, m.Driver, m.Type = d.Name, d.Driver, d.Type
			return m, nil
		}
	}
	return m, fmt.Errorf("sparsenet devices names no default device")
}

func cpuName() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err == nil {
		for line := range strings.Lines(string(info)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				return strings.TrimSpace(value)
			}
		}
	}
	return runtime.GOARCH
}

// load1 is the machine's load over the last minute, where the system says so.
func load1() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	return strings.Fields(string(b))[0]
}

// commit is the commit that is measured, with + if files differ from it.
func commit() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty=+").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

func commandLine() string { return "go run ./tools/peers " + strings.Join(os.Args[1:], " ") }
