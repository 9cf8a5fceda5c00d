package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"sparsevk/sparsenet"
	"sparsevk/train"
)

// benchFlags say what to measure, and how.
type benchFlags struct {
	net           *netFlags
	dev           deviceFlags
	engine        engineFlag
	precision     precisionFlag
	batch         int
	steps, warmup int
	inference     bool
	recompute     bool
	tuning        tuningFlag
	kernels       bool
	compile       bool
	paced         bool
}

// profileRuns is over how many runs the kernels' times are taken.
const profileRuns = 3

func newBenchCommand() *cobra.Command {
	var f benchFlags
	c := &cobra.Command{
		Use:   "bench",
		Short: "Steps and images per second, and each kernel's share of the roof",
		Long: `Trains on random images and prints what a step takes: the median, the least and
the largest, after steps to warm up, in which drivers compile. The time of
compiling stands apart; a driver that keeps compiled kernels on disk shows less of
it the next time (MESA_SHADER_CACHE_DISABLE=true keeps Mesa's from that).

With --kernels the step is recorded once more, with a timestamp after each
dispatch, and every kernel is compared with the device's roof: the multiply-add
rate and the copy bandwidth, measured by small kernels in the same run. "floor" is
what a kernel's dispatches would take at the roof, of arithmetic or of traffic,
whichever is more; "of roof" is the floor by the time. It can exceed 100 % where
caches beat the bandwidth, or an algorithm spares multiplications. The largest
convolutions are listed once more by stage, against the multiply-add rate alone.

With --compile nothing has run before the step that is measured: printed is what
each pipeline took to compile, when it was made or at its first dispatch.

With --paced a line of JSON says what was opened, after the steps to warm up.
Then each line of standard input is a number of steps to run, answered with their
times, and the end of the input with the memory. Programs that speak so can take
turns: tools/peers compares this one with other frameworks.`,
		Example: "  sparsenet bench --preset sparse-40-12 --kernels\n  sparsenet bench --depth 100 --growth 12 --wiring dense --engine layered --batch 16 --json",
	}
	f.net = addNetFlags(c)
	s := c.Flags()
	s.IntVar(&f.batch, "batch", 64, "images in a step")
	s.IntVar(&f.steps, "steps", 10, "steps to measure")
	s.IntVar(&f.warmup, "warmup", 2, "steps before them, at least 1")
	s.BoolVar(&f.inference, "inference", false, "evaluate instead of training")
	s.BoolVar(&f.kernels, "kernels", false, "the time of every kernel, and its share of the roof")
	s.BoolVar(&f.compile, "compile", false, "instead: what each pipeline cost to compile, from the first step")
	s.BoolVar(&f.paced, "paced", false, "instead: steps on demand, see above")
	c.MarkFlagsMutuallyExclusive("kernels", "compile", "paced")
	f.engine.add(c)
	f.precision.add(c)
	addRecompute(c, &f.recompute)
	f.dev.add(c)
	f.tuning.add(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error { return f.run(cmd) }
	return c
}

// benchReport is what bench prints.
type benchReport struct {
	Device          string             `json:"device"`
	Driver          string             `json:"driver"`
	Class           string             `json:"class"` // kernel forms
	Network         string             `json:"network"`
	Parameters      int                `json:"parameters"`
	Engine          string             `json:"engine"`
	Precision       string             `json:"precision"` // of the maps
	Batch           int                `json:"batch"`
	Inference       bool               `json:"inference"`
	Steps           int                `json:"steps"`
	Warmup          int                `json:"warmup"`
	Dispatches      int                `json:"dispatches"` // of a step
	Pipelines       int                `json:"pipelines"`  // of which those are
	MACs            uint64             `json:"multiply_accumulates"`
	AllocatedBytes  uint64             `json:"allocated_bytes"`
	StepMS          train.Milliseconds `json:"step_ms"`
	StepsPerSecond  float64            `json:"steps_per_second"`
	ImagesPerSecond float64            `json:"images_per_second"`
	GFLOPs          float64            `json:"gflops"` // two per multiply-accumulate
	CompileMS       float64            `json:"compile_ms"`
	*kernelReport
}

// kernelReport is what --kernels adds.
type kernelReport struct {
	Roof    train.Roof         `json:"roof"`
	Total   train.KernelTime   `json:"total"`
	Kernels []train.KernelTime `json:"kernels"`
	Stages  []train.StageTime  `json:"stages"`
	Phases  map[string]float64 `json:"phase_ms"`
}

// check reports what no device could measure.
func (f *benchFlags) check() error {
	switch {
	case f.steps < 1:
		return usagef("steps %d: want at least 1", f.steps)
	case f.warmup < 1:
		return usagef("warmup %d: want at least 1: drivers compile in the first step", f.warmup)
	}
	return nil
}

// network builds what the flags describe, but for the device's kernel forms.
func (f *benchFlags) network() (*sparsenet.Graph, sparsenet.Options, error) {
	config, err := f.net.config()
	if err != nil {
		return nil, sparsenet.Options{}, err
	}
	engine, err := f.engine.parse()
	if err != nil {
		return nil, sparsenet.Options{}, err
	}
	if err := f.check(); err != nil {
		return nil, sparsenet.Options{}, err
	}
	g, err := sparsenet.Build(config)
	if err != nil {
		return nil, sparsenet.Options{}, usageError{err}
	}
	precision, err := f.precision.parse()
	if err != nil {
		return nil, sparsenet.Options{}, err
	}
	o := sparsenet.Options{Batch: f.batch, Engine: engine, Inference: f.inference, Recompute: f.recompute, Precision: precision}
	if _, err := sparsenet.NewNetwork(g, o); err != nil { // without a device, so that wrong usage is told before one is missing
		return nil, o, usageError{err}
	}
	return g, o, nil
}

func (f *benchFlags) run(cmd *cobra.Command) (err error) {
	g, o, err := f.network()
	if err != nil {
		return err
	}
	file, err := f.tuning.load(cmd)
	if err != nil {
		return err
	}
	d, err := f.dev.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if (f.kernels || f.compile) && d.Limits().TimestampBits == 0 {
		return fmt.Errorf("bench: %q has no timestamps to time kernels with: leave out --kernels and --compile", d.Info().Name)
	}
	n, err := newNetwork(file, d, g, f.dev.kernels(o, d))
	if err != nil {
		return err
	}
	open := openModel
	if f.compile { // what each pipeline costs by itself
		open = (*sparsenet.Network).Open
	}
	m, err := open(n, d, 1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	train.FeedRandom(m, 1)
	r := f.report(m)
	switch {
	case f.compile:
		return compileCosts(cmd, m)
	case f.paced:
		return f.pace(cmd, m)
	}
	p := newProgress(cmd)
	defer p.clear()
	if err := f.measure(cmd.Context(), m, p, &r); err != nil {
		return err
	}
	if f.kernels {
		p.show("measuring the kernels")
		if r.kernelReport, err = profile(m); err != nil {
			return err
		}
	}
	p.clear()
	if wantsJSON(cmd) {
		return printJSON(cmd, r)
	}
	return r.write(cmd.OutOrStdout())
}

// report describes the model, before any measurement.
func (f *benchFlags) report(m *sparsenet.Model) benchReport {
	program := m.Train
	if f.inference {
		program = m.Eval
	}
	i := m.Device.Info()
	return benchReport{
		Device: i.Name, Driver: driverName(i), Class: m.Class.String(), Network: m.Graph.Config.Name(), Parameters: m.Graph.Params.Count(),
		Engine: string(m.Engine), Precision: m.Precision.String(), Batch: m.Batch, Inference: f.inference, Steps: f.steps, Warmup: f.warmup,
		Dispatches: len(program.Steps()), Pipelines: program.Pipelines(), MACs: macs(program),
		AllocatedBytes: m.Device.Allocated(), GFLOPs: 2 * float64(macs(program)) / 1e9,
	}
}

func macs(p *sparsenet.Program) (n uint64) {
	for _, s := range p.Steps() {
		n += s.MACs
	}
	return n
}

// measure runs the steps and fills in their times.
func (f *benchFlags) measure(ctx context.Context, m *sparsenet.Model, p *progress, r *benchReport) error {
	var times []time.Duration
	total := f.warmup + f.steps
	p.show("step 1 of %d: the driver compiles", total)
	for t, err := range train.TimeSteps(ctx, m, total) {
		if errors.Is(err, context.Canceled) {
			return fmt.Errorf("bench: interrupted after %d of %d steps", len(times), total)
		}
		if err != nil {
			return err
		}
		times = append(times, t)
		p.show("step %d of %d: %.0f ms", len(times), total, 1e3*t.Seconds())
	}
	r.StepMS = train.Spread(times[f.warmup:])
	r.StepsPerSecond = 1e3 / r.StepMS.Median
	r.ImagesPerSecond = float64(m.Batch) * r.StepsPerSecond
	r.GFLOPs *= r.StepsPerSecond
	// Some drivers compile when pipelines are built, others at their first dispatch.
	r.CompileMS = 1e3*m.Device.CompileTime().Seconds() + max(0, 1e3*times[0].Seconds()-r.StepMS.Median)
	return nil
}

// profile measures the roof and every kernel of a step.
func profile(m *sparsenet.Model) (*kernelReport, error) {
	times, err := train.Profile(m, profileRuns)
	if err != nil {
		return nil, err
	}
	r := &kernelReport{Phases: map[string]float64{}}
	if r.Roof, err = train.MeasureRoof(m.Device); err != nil {
		return nil, err
	}
	r.Kernels, r.Total = train.ByKernel(times, r.Roof)
	r.Stages = train.ByStage(times, r.Roof)
	for _, t := range times {
		r.Phases[t.Phase.String()] += 1e3 * t.Time.Seconds()
	}
	return r, nil
}

func (r *benchReport) write(w io.Writer) error {
	what := "training"
	if r.Inference {
		what = "inference"
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(t, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	row("device", "%s, %s, %s kernels", r.Device, r.Driver, r.Class)
	row("network", "%s, %s parameters, %s, batch %d, %s", r.Network, sparsenet.Thousands(int64(r.Parameters)), engineText(r.Engine, r.Precision), r.Batch, what)
	row("step", "%.1f ms median, %.1f to %.1f over %d steps after %d to warm up", r.StepMS.Median, r.StepMS.Min, r.StepMS.Max, r.Steps, r.Warmup)
	row("speed", "%.3g steps/s, %.4g images/s, %.1f GFLOP/s, %d dispatches a step of %d pipelines",
		r.StepsPerSecond, r.ImagesPerSecond, r.GFLOPs, r.Dispatches, r.Pipelines)
	row("compiling", "%.0f ms, not in the step", r.CompileMS)
	row("memory", "%.1f MiB allocated", sparsenet.MiB(r.AllocatedBytes))
	if err := t.Flush(); err != nil {
		return fmt.Errorf("writing the measurement: %w", err)
	}
	if r.kernelReport != nil {
		return r.writeKernels(w)
	}
	return nil
}

func (r *kernelReport) writeKernels(w io.Writer) error {
	fmt.Fprintf(w, "roof: %.1f GFLOP/s multiply-add, %.1f GB/s copy; each dispatch timed, so that a step takes longer\nphases:", r.Roof.MultiplyAdd, r.Roof.Copy)
	for _, p := range []sparsenet.Phase{sparsenet.Feed, sparsenet.Forward, sparsenet.Backward, sparsenet.Update} {
		if ms, ok := r.Phases[p.String()]; ok {
			fmt.Fprintf(w, " %s %.1f ms ", p, ms)
		}
	}
	fmt.Fprintln(w)
	rows, width, form := append(r.Kernels[:len(r.Kernels):len(r.Kernels)], r.Total), 0, len("variant")
	for _, k := range rows {
		width, form = max(width, len(k.Kernel)), max(form, len(k.Variant))
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "%-*s\t%-*s\tdispatches\tms\tshare %%\tGFLOP/s\tGB/s\tfloor ms\tof roof %%\tbound by\t\n", width, "kernel", form, "variant")
	for _, k := range rows {
		fmt.Fprintf(t, "%-*s\t%-*s\t%d\t%.2f\t%.1f\t%.1f\t%.2f\t%.2f\t%.0f\t%s\t\n",
			width, k.Kernel, form, k.Variant, k.Dispatches, k.Time, 100*k.Share, k.GFLOPs, k.GBs, k.Floor, 100*k.RoofShare, k.Bound)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("writing the kernels: %w", err)
	}
	return r.writeStages(w)
}

// writeStages shows each stage's convolutions against the multiply-add rate,
// those that matter.
func (r *kernelReport) writeStages(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "stage\tkernel\tvariant\tdispatches\tms\tGFLOP/s\tof multiply-add rate %")
	for _, s := range r.Stages {
		if s.Time >= 0.01*r.Total.Time {
			fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%.2f\t%.1f\t%.0f\n", s.Stage, s.Kernel, s.Variant, s.Dispatches, s.Time, s.GFLOPs, 100*s.RateShare)
		}
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("writing the stages: %w", err)
	}
	return nil
}
