package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sparsevk/gpu"
	"sparsevk/ops"
	"sparsevk/sparsenet"
	"sparsevk/train/tune"
)

// tuneFlags say what to tune, and where to keep it.
type tuneFlags struct {
	bench    benchFlags // the flags that say what is timed
	out      string
	variants []string
	runs     int
	steps    int
}

func newTuneCommand() *cobra.Command {
	var f tuneFlags
	c := &cobra.Command{
		Use:   "tune",
		Short: "The fastest kernels for a network on this device, kept in a file",
		Long: `Times every variant of the kernels for every kind and shape of convolution that
the training of a network has, and writes the fastest into a file for --tuning.

A variant is a candidate only if it computes the right thing here: it is held
against the reference in float64 with few images, and at the shape itself against
the plain kernels. Candidates are timed by the device's clock inside the step of
the network, with a barrier before each dispatch. At the end whole steps with the
choice of the device's class and with the fastest candidates take turns; if the
step is not faster, the file says so and holds the choice of the class.

The file is JSON, a line for each task with the time of every candidate. It may be
read, compared, edited and passed on. It is taken only where --tuning names it,
and refused on another device or driver, and for another network, batch, engine
or precision.

On software drivers, which take minutes to compile them, the tiles for GPUs are
not tried unless --variants names them. Ctrl-C writes nothing.`,
		Example: "  sparsenet tune --preset sparse-40-12 --batch 64 --out sparse-40-12.json\n" +
			"  sparsenet train --preset sparse-40-12 --tuning sparse-40-12.json",
	}
	f.bench.net = addNetFlags(c)
	s := c.Flags()
	s.IntVar(&f.bench.batch, "batch", 64, "images in a step")
	s.StringVar(&f.out, "out", "", "file to write; one that is no tuning file is not overwritten")
	s.StringSliceVar(&f.variants, "variants", nil, "try these beside the choice of the class: "+strings.Join(allVariants(), ", ")+" (default: what suits the device)")
	s.IntVar(&f.runs, "runs", 5, "timed steps of each candidate, twice")
	s.IntVar(&f.steps, "steps", 5, "whole steps of each turn at the end")
	f.bench.engine.add(c)
	f.bench.precision.add(c)
	addRecompute(c, &f.bench.recompute)
	f.bench.dev.add(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error { return f.run(cmd) }
	return c
}

// allVariants are the names of all variants.
func allVariants() (names []string) {
	for _, r := range ops.Roles {
		for _, v := range ops.Variants(r) {
			if !slices.Contains(names, string(v)) {
				names = append(names, string(v))
			}
		}
	}
	return names
}

// check reports what no device could tune.
func (f *tuneFlags) check() error {
	switch {
	case f.out == "":
		return usagef("tune needs the file to write: --out FILE")
	case f.runs < 1:
		return usagef("runs %d: want at least 1", f.runs)
	case f.steps < 1:
		return usagef("steps %d: want at least 1", f.steps)
	}
	for _, v := range f.variants {
		if !slices.Contains(allVariants(), v) {
			return usagef("variants %q: unknown; there are %s", v, strings.Join(allVariants(), ", "))
		}
	}
	if i, err := os.Stat(filepath.Dir(f.out)); err != nil || !i.IsDir() {
		return fmt.Errorf("tune: there is no folder %s for %s: make it first", filepath.Dir(f.out), filepath.Base(f.out))
	}
	_, err := tune.Load(f.out)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: it would be overwritten; remove it, or name another --out", err)
	}
	return nil
}

func (f *tuneFlags) run(cmd *cobra.Command) (err error) {
	f.bench.steps, f.bench.warmup = f.steps, 1
	g, o, err := f.bench.network()
	if err != nil {
		return err
	}
	if err := f.check(); err != nil {
		return err
	}
	d, err := f.bench.dev.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	t := f.tuner(cmd, d, g, f.bench.dev.kernels(o, d))
	file, err := t.Run(cmd.Context())
	if errors.Is(err, context.Canceled) {
		return errors.New("tune: interrupted; nothing was written")
	}
	if err != nil {
		return err
	}
	if err := file.Save(f.out); err != nil {
		return err
	}
	if wantsJSON(cmd) {
		return printJSON(cmd, file)
	}
	return writeTuned(cmd.OutOrStdout(), file, f.out)
}

// tuner returns what tunes, telling cmd's output how it goes.
func (f *tuneFlags) tuner(cmd *cobra.Command, d *gpu.Device, g *sparsenet.Graph, o sparsenet.Options) *tune.Tuner {
	w, told := cmd.OutOrStdout(), map[string]bool{}
	if wantsJSON(cmd) { // the file alone
		w = io.Discard
	}
	i := d.Info()
	fmt.Fprintf(w, "%s, %s, batch %d on %s (%s), %s kernels\n", g.Config.Name(), engineText(string(o.Engine), o.Precision.String()), o.Batch, i.Name, driverName(i), o.Class)
	p := newProgress(cmd)
	t := &tune.Tuner{Device: d, Graph: g, Options: o, Runs: f.runs, Steps: f.steps, Program: "sparsenet " + commitOf(buildInfo()), Now: time.Now()}
	for _, v := range f.variants {
		t.Variants = append(t.Variants, ops.Variant(v))
	}
	t.Compared = func(done, total int, e tune.Entry, candidates []ops.Variant) {
		fmt.Fprintf(w, "%*d/%d  %s: %s\n", len(fmt.Sprint(total)), done, total, e.Task, joined(candidates))
		for _, v := range allVariants() {
			why, ok := e.LeftOut[ops.Variant(v)]
			if reason := v + why; ok && !told[reason] {
				told[reason] = true
				fmt.Fprintf(w, "    %s left out: %s\n", v, why)
			}
		}
	}
	t.Timed = func(what string, done, total int) {
		p.show("timing: %s %d of %d", what, done, total)
		if done == total {
			p.clear()
		}
	}
	return t
}

func joined(list []ops.Variant) string {
	names := make([]string, len(list))
	for i, v := range list {
		names[i] = string(v)
	}
	return strings.Join(names, ", ")
}

// writeTuned prints the outcome.
func writeTuned(w io.Writer, f *tune.File, path string) error {
	var text strings.Builder
	for _, e := range f.Tasks {
		fmt.Fprintf(&text, "%s: %s", e.Task, e.Variant)
		for i, v := range slices.SortedFunc(maps.Keys(e.MS), func(a, b ops.Variant) int { return cmp.Compare(e.MS[a], e.MS[b]) }) {
			if i == 0 {
				text.WriteString(" (")
			} else {
				text.WriteString(", ")
			}
			fmt.Fprintf(&text, "%s %.3g ms", v, e.MS[v])
		}
		text.WriteString(")\n")
	}
	if f.Step.Class == 0 {
		fmt.Fprintf(&text, "step: the %s class chooses the fastest candidates already", f.Class)
	} else {
		fmt.Fprintf(&text, "step: %.1f ms as the %s class chooses, %.1f ms with the fastest candidates", f.Step.Class, f.Class, f.Step.Tuned)
	}
	if !f.Step.Kept {
		text.WriteString(": not faster, so the file has the choice of the class")
	}
	fmt.Fprintf(&text, "\nsaved %s; take it with --tuning %s\n", path, path)
	if _, err := io.WriteString(w, text.String()); err != nil {
		return fmt.Errorf("writing the outcome: %w", err)
	}
	return nil
}
