package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sparsevk/gpu"
	"sparsevk/ops"
	"sparsevk/ops/optest"
	"sparsevk/ops/record"
)

// selftestFlags choose the cases and the device.
type selftestFlags struct {
	dev   deviceFlags
	ops   []string
	match string
}

func newSelftestCommand() *cobra.Command {
	var f selftestFlags
	c := &cobra.Command{
		Use:   "selftest",
		Short: "Every kernel against the reference on your own driver",
		Long: `Runs every operation's table of shapes on the device and compares the results
with a reference in float64: forward and backward, outputs pre-filled with NaN,
sentinels around every block, three runs that must agree to the bit. "used" is the
largest share of the tolerance that a passing case needed. At the end stands a
report for a bug report. The exit status is 1 if a case fails or none ran.

What was found is kept in the cache folder, for this device and version of the
driver: 'sparsenet train' refuses kernels that failed, until they pass here.`,
		Example: "  sparsenet selftest\n  sparsenet selftest --op conv,quad --case h7_w7 --device swiftshader",
	}
	f.dev.add(c)
	c.Flags().StringSliceVar(&f.ops, "op", nil, "only this operation, or these: "+strings.Join(optest.Names(), ", "))
	c.Flags().StringVar(&f.match, "case", "", "only cases whose name contains this")
	c.RunE = func(cmd *cobra.Command, _ []string) error { return f.run(cmd) }
	return c
}

// selftestReport is what selftest finds.
type selftestReport struct {
	Build   map[string]string    `json:"build"`
	OS      string               `json:"os"`
	Device  string               `json:"device"`
	UUID    string               `json:"uuid"`
	Driver  string               `json:"driver"`
	API     string               `json:"api_version"`
	Kernels string               `json:"kernels"`
	Clamped bool                 `json:"clamped_limits"`
	Ops     []optest.TableReport `json:"ops"`
	Cases   int                  `json:"cases"`
	Failed  int                  `json:"failed"`
	Seconds float64              `json:"seconds"`
	Stopped string               `json:"stopped,omitempty"` // why not all cases ran
	Passed  bool                 `json:"passed"`
}

func (f *selftestFlags) run(cmd *cobra.Command) (err error) {
	for _, n := range f.ops {
		if !slices.Contains(optest.Names(), n) {
			return usagef("op %q: unknown; there are %s", n, strings.Join(optest.Names(), ", "))
		}
	}
	d, err := f.dev.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	names := f.ops
	if names == nil {
		names = optest.NamesFor(d)
	}
	s := &selftest{cmd: cmd, dev: d, match: f.match, progress: newProgress(cmd), selftestReport: newSelftestReport(d, f.dev.clamp)}
	v, err := optest.LoadVerdict(cacheDir(), d.Info(), f.dev.clamp)
	if err != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "sparsenet: passed over: %v\n", err)
	}
	s.tally = v.Tally()
	start := time.Now()
	for _, n := range names {
		if s.Stopped == "" {
			s.table(cmd.Context(), n)
		}
	}
	s.progress.clear()
	s.tally.End()
	saving := saveVerdict(v)
	s.Seconds = time.Since(start).Seconds()
	s.Passed = s.verdict() == nil
	if wantsJSON(cmd) {
		err = printJSON(cmd, s.selftestReport)
	} else {
		err = s.write(cmd.OutOrStdout())
	}
	return errors.Join(err, s.verdict(), saving)
}

// selftest is a run.
type selftest struct {
	cmd      *cobra.Command
	dev      *gpu.Device
	match    string
	progress *progress
	tally    *optest.Tally
	selftestReport
}

func newSelftestReport(d *gpu.Device, clamped bool) selftestReport {
	i := d.Info()
	return selftestReport{
		Build: buildInfo(), OS: system(), Device: i.Name, UUID: i.UUID, Driver: driverName(i), API: gpu.Version(i.APIVersion),
		Kernels: ops.ClassOf(record.Traits(d)).String(), Clamped: clamped, Ops: []optest.TableReport{},
	}
}

// table runs the table of op and prints its line.
func (s *selftest) table(ctx context.Context, op string) {
	r := optest.TableReport{Op: op, Failures: []optest.Failure{}}
	if err := optest.Unfit(s.dev, op); err != nil {
		r.Skipped = err.Error()
	} else {
		for res, err := range optest.Survey(s.dev, op, s.match) {
			r.Add(res, err)
			s.tally.Add(op, res, err)
			s.progress.show("%s: case %d, %s", op, r.Cases, res.Case)
			if ctx.Err() != nil {
				s.Stopped = "interrupted in the table of " + op
				break
			}
		}
		if err := s.dev.Lost(); err != nil {
			s.Stopped = err.Error()
		}
	}
	if r.Cases == 0 && r.Skipped == "" {
		return // none matches
	}
	s.Ops = append(s.Ops, r)
	s.Cases += r.Cases
	s.Failed += len(r.Failures)
	s.progress.clear()
	if !wantsJSON(s.cmd) {
		writeTable(s.cmd.OutOrStdout(), &r)
	}
}

// writeTable prints a table's line and its failures.
func writeTable(w io.Writer, r *optest.TableReport) {
	switch {
	case r.Skipped != "":
		fmt.Fprintf(w, "%-13s skipped: %s\n", r.Op, r.Skipped)
	case len(r.Failures) > 0:
		fmt.Fprintf(w, "%-13s %4d cases  %d FAIL\n", r.Op, r.Cases, len(r.Failures))
	case r.Worst == "":
		fmt.Fprintf(w, "%-13s %4d cases  ok   to the bit\n", r.Op, r.Cases)
	default:
		fmt.Fprintf(w, "%-13s %4d cases  ok   used %.2f by %s\n", r.Op, r.Cases, r.Share, r.Worst)
	}
	for _, f := range r.Failures {
		fmt.Fprintf(w, "    %s\n", strings.ReplaceAll(f.Error, "\n", "\n    "))
	}
}

var errNoCases = errors.New("selftest: no case ran, so nothing is proven; see --op and --case")

// verdict returns the error of the run, or nil.
func (r *selftestReport) verdict() error {
	switch {
	case r.Failed > 0:
		return fmt.Errorf("selftest: %d of %d cases failed: please report it with the text between the lines, and try another driver", r.Failed, r.Cases)
	case r.Stopped != "":
		return fmt.Errorf("selftest: not all cases ran: %s", r.Stopped)
	case r.Cases == 0:
		return errNoCases
	}
	return nil
}

// write prints the report to paste into a bug report.
func (r *selftestReport) write(w io.Writer) error {
	commit := commitOf(r.Build)
	var skipped, failures []string
	for _, t := range r.Ops {
		if t.Skipped != "" {
			skipped = append(skipped, t.Op)
		}
		for _, f := range t.Failures {
			failures = append(failures, "failed    "+t.Op+": "+f.Error)
		}
	}
	lines := []string{
		"",
		"-- report --",
		"commit    " + commit + ", " + r.Build["go"],
		"system    " + r.OS,
		"device    " + r.Device + ", " + r.UUID,
		"driver    " + r.Driver + ", Vulkan " + r.API,
		fmt.Sprintf("kernels   %s, limits clamped: %t", r.Kernels, r.Clamped),
		fmt.Sprintf("result    %d cases of %d operations in %.0f s, %d failed", r.Cases, len(r.Ops)-len(skipped), r.Seconds, r.Failed),
	}
	if skipped != nil {
		lines = append(lines, "skipped   "+strings.Join(skipped, ", "))
	}
	if r.Stopped != "" {
		lines = append(lines, "stopped   "+r.Stopped)
	}
	lines = append(append(lines, failures...), "-- end of the report --")
	if _, err := fmt.Fprintln(w, strings.Join(lines, "\n")); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

// system names the operating system.
func system() string {
	name := runtime.GOOS + "/" + runtime.GOARCH
	text, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return name
	}
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, "PRETTY_NAME="); ok {
			return name + ", " + strings.Trim(strings.TrimSpace(v), `"`)
		}
	}
	return name
}
