// Command peers compares sparsenet with what people would use instead, and
// writes docs/BENCHMARKS.md.
//
//	go run ./tools/peers prepare [--set quick]   install peers, fill the caches of compilers
//	go run ./tools/peers measure [--set quick]   measure; then write the page
//	go run ./tools/peers page                    write the page from the kept results
//
// Every contender is a program of its own that holds the network and trains
// steps on demand, one line of JSON for each demand: `sparsenet bench --paced`,
// torch_bench.py, tfjs_bench.mjs. They take turns, so that all of them see the
// same minutes of a machine that does other things as well; the best of the
// rounds counts. A contender that cannot run is listed as missing, with the
// reason.
//
// What was measured is kept in docs/benchmarks, a file for each machine, and the
// page is made of these files and of nothing else. Figures of different machines
// never mix.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// options are the command line.
type options struct {
	set                    string
	nets, batches, threads string
	rounds                 int
	turn, budget           time.Duration
	python, sparsenet      string
	skip                   string
	apart                  bool
	results, page          string
	cold, depths           bool
	label                  string
}

const usage = `usage: go run ./tools/peers prepare|measure|page [flags]

prepare  build sparsenet, install TensorFlow.js into the cache folder, run every contender once so that compilers' caches are warm
measure  let the contenders take turns, keep the results in docs/benchmarks, write docs/BENCHMARKS.md
page     write docs/BENCHMARKS.md from the results that are kept
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return
	}
	fmt.Fprintln(os.Stderr, "peers:", err)
	var wrong usageError
	if errors.As(err, &wrong) {
		os.Exit(2)
	}
	os.Exit(1)
}

// A usageError is the user's.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		fmt.Fprint(os.Stderr, usage)
		return usagef("no command; want prepare, measure or page")
	}
	var o options
	f := flag.NewFlagSet(args[0], flag.ContinueOnError)
	f.Usage = func() { fmt.Fprint(f.Output(), usage, "\nflags:\n"); f.PrintDefaults() }
	f.StringVar(&o.set, "set", "quick", "quick: what fits in a quarter of an hour; full: every net, batch and mode")
	f.StringVar(&o.nets, "nets", "", "only these nets of the set, separated by commas")
	f.StringVar(&o.batches, "batches", "", "only these batches of the set")
	f.StringVar(&o.threads, "threads", "", "only these numbers of threads of the set")
	f.IntVar(&o.rounds, "rounds", 5, "turns of every contender")
	f.DurationVar(&o.turn, "turn", 1500*time.Millisecond, "how long a turn is; at least one step")
	f.DurationVar(&o.budget, "budget", 14*time.Minute, "stop after this time, with fewer rounds; what is left out is said")
	f.StringVar(&o.python, "python", envOr("SPARSEVK_PYTHON", "python3"), "a Python with PyTorch (default $SPARSEVK_PYTHON, else python3)")
	f.StringVar(&o.sparsenet, "sparsenet", "", "the program to measure (default: build it)")
	f.StringVar(&o.skip, "skip", "", "contenders to leave out, separated by commas: arena, layered, eager, channels_last, compiled, webgpu, ...")
	f.BoolVar(&o.apart, "apart", false, "one contender after the other instead of turns, where memory does not hold them all")
	f.StringVar(&o.results, "results", "docs/benchmarks", "folder of the results")
	f.StringVar(&o.page, "page", "docs/BENCHMARKS.md", "the page")
	f.StringVar(&o.label, "label", "", "name of this machine's file of results (default: made of its CPU and its device)")
	f.BoolVar(&o.cold, "cold", true, "also measure the first step, with compilers' caches cold and warm")
	f.BoolVar(&o.depths, "depths", true, "also measure how the time of a step grows with depth")
	if err := f.Parse(args[1:]); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return usageError{err}
	}
	if f.NArg() > 0 || o.rounds < 1 || o.turn <= 0 {
		return usagef("arguments %q, %d rounds, turns of %v: want flags only, at least one round, and time", f.Args(), o.rounds, o.turn)
	}
	switch args[0] {
	case "prepare":
		return prepare(ctx, o)
	case "measure":
		return measure(ctx, o)
	case "page":
		return writePage(o)
	}
	return usagef("unknown command %q: want prepare, measure or page", args[0])
}

func envOr(name, other string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return other
}
