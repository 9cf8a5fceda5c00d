package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"sparsevk/gpu"
	"sparsevk/ops"
	"sparsevk/sparsenet"
	"sparsevk/train/tune"
)

// memoryFlags are the flags of `sparsenet memory` beside the network's.
type memoryFlags struct {
	engine           engineFlag
	precision        precisionFlag
	tuning           tuningFlag
	device           deviceFlags
	batch            int
	inference        bool
	recompute        bool
	optimizer        string
	average          bool
	accumulate       bool
	kernels          string
	fit              string
	traffic, measure bool
	picture          string
}

func newMemoryCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "memory",
		Short: "What a network takes, to the byte, before anything is allocated",
		Long: `Prints the memory plan of a network: the bytes that training (or --inference)
takes, by purpose, what dense wiring would take, and what a framework keeps that
copies concatenations. Training plans to evaluate several batches at once, where maps,
scratch and workspace have room for them. The plan is the same on every device and needs none.

--measure allocates the plan on a device, runs one step and compares the bytes
that the device handed out with the plan; it fails if they differ.`,
		Example: "  sparsenet memory --preset sparse-40-24 --batch 64\n" +
			"  sparsenet memory --depth 100 --growth 24 --fit 4GiB --json\n" +
			"  sparsenet memory --preset sparse-40-24 --picture arena.svg",
	}
	net := addNetFlags(cmd)
	var f memoryFlags
	s := cmd.Flags()
	f.engine.add(cmd)
	f.precision.add(cmd)
	addRecompute(cmd, &f.recompute)
	s.IntVar(&f.batch, "batch", 64, "images in a step")
	s.BoolVar(&f.inference, "inference", false, "plan inference: no gradients, maps freed after their last reader")
	s.StringVar(&f.optimizer, "optimizer", string(sparsenet.SGD), "what training keeps of every parameter: sgd one number, adam and adamw two, amsgrad three")
	s.BoolVar(&f.average, "average", false, "also keep a moving average of the parameters")
	s.BoolVar(&f.accumulate, "accumulate", false, "also keep the sum of the gradients of several batches")
	s.StringVar(&f.kernels, "kernels", ops.Plain.String(), "class of kernels to plan for: plain (any device), quad (software drivers with 8 lanes), small (any GPU), nvidia, rdna, gcn or intel")
	s.StringVar(&f.fit, "fit", "", "also find the largest batch whose plan has at most this size, as in 4GiB or 500MB")
	s.BoolVar(&f.traffic, "traffic", false, "also count dispatches, barriers, bytes and multiply-accumulates of a step")
	s.BoolVar(&f.measure, "measure", false, "allocate, run one step and compare with what the device handed out")
	s.StringVar(&f.picture, "picture", "", "also draw arena and layered memory over a step into this SVG file")
	f.device.add(cmd)
	f.tuning.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return f.run(cmd, net) }
	return cmd
}

// memoryOutput is what `sparsenet memory` prints.
type memoryOutput struct {
	sparsenet.MemoryReport
	Allocated *uint64            `json:"allocated_bytes,omitempty"`
	FitBatch  *int               `json:"fit_batch,omitempty"`
	Traffic   *sparsenet.Traffic `json:"traffic,omitempty"`
	least     uint64             // bytes of one image, where FitBatch is 0
}

func (f *memoryFlags) run(cmd *cobra.Command, net *netFlags) error {
	file, err := f.tuning.load(cmd)
	if err != nil {
		return err
	}
	if file != nil && !cmd.Flags().Changed("kernels") {
		f.kernels = file.Class
	}
	n, err := f.network(net, file)
	if err != nil {
		return err
	}
	out := memoryOutput{MemoryReport: n.Report()}
	if f.traffic {
		t := n.Traffic()
		out.Traffic = &t
	}
	if f.fit != "" {
		limit, err := parseSize(f.fit)
		if err != nil {
			return err
		}
		fit, err := sparsenet.LargestBatch(n.Graph, n.Options, limit)
		if err != nil {
			return err
		}
		out.FitBatch = &fit
		if fit == 0 {
			one := n.Options
			one.Batch = 1
			least, err := sparsenet.NewNetwork(n.Graph, one)
			if err != nil {
				return err
			}
			out.least = least.Memory().Total
		}
	}
	if f.picture != "" {
		if err := drawMemory(f.picture, n); err != nil {
			return err
		}
	}
	if f.measure {
		got, err := f.allocated(n, file)
		if err != nil {
			return err
		}
		out.Allocated = &got
	}
	if err := f.print(cmd, n, out); err != nil {
		return err
	}
	if got := out.Allocated; got != nil && *got != out.Total {
		return fmt.Errorf("the device handed out %d bytes, %+d than planned: report this with the output of 'sparsenet devices'", *got, int64(*got)-int64(out.Total))
	}
	return nil
}

// network plans the network of the flags. What cannot be is a usage error.
func (f *memoryFlags) network(net *netFlags, file *tune.File) (*sparsenet.Network, error) {
	config, err := net.config()
	if err != nil {
		return nil, err
	}
	engine, err := f.engine.parse()
	if err != nil {
		return nil, err
	}
	precision, err := f.precision.parse()
	if err != nil {
		return nil, err
	}
	o := sparsenet.Options{Batch: f.batch, Engine: engine, Inference: f.inference, Recompute: f.recompute, Precision: precision,
		Optimizer: sparsenet.Optimizer(f.optimizer), Average: f.average, Accumulate: f.accumulate, WideEval: !f.inference}
	if o.Class, err = ops.ParseClass(f.kernels); err != nil {
		return nil, usageError{err}
	}
	g, err := sparsenet.Build(config)
	if err != nil {
		return nil, usageError{err}
	}
	n, err := newNetwork(file, nil, g, o)
	if err != nil && file == nil {
		return nil, usageError{err}
	}
	return n, err
}

// allocated runs one step of n and returns the bytes that the device handed out
// for it.
func (f *memoryFlags) allocated(n *sparsenet.Network, file *tune.File) (bytes uint64, err error) {
	d, err := f.device.open()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if file != nil {
		if err := file.On(d.Info()); err != nil {
			return 0, err
		}
	}
	return measureMemory(d, n)
}

// measureMemory runs a step of n on a device without allocations and returns the
// bytes that it handed out.
func measureMemory(d *gpu.Device, n *sparsenet.Network) (bytes uint64, err error) {
	before := d.Allocated()
	m, err := n.Open(d, 1)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	h := sparsenet.Hyper{Rate: 0.1, Momentum: 0.9, Decay: 1e-4, Seed: 1, Valid: n.Batch}
	if n.Inference {
		_, err = m.EvalStep(h)
	} else {
		_, err = m.TrainStep(h)
	}
	return d.Allocated() - before, err
}

func drawMemory(path string, n *sparsenet.Network) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(n.Picture(file), file.Close())
}

func (f *memoryFlags) print(cmd *cobra.Command, n *sparsenet.Network, out memoryOutput) error {
	if wantsJSON(cmd) {
		return printJSON(cmd, out)
	}
	w := cmd.OutOrStdout()
	what := "training"
	if n.Inference {
		what = "inference"
	}
	if n.Recompute {
		what += " with recomputed bottlenecks"
	}
	fmt.Fprintf(w, "%s, %s, %s at %s\n\n", n.Graph.Config.Name(), engineText(string(n.Engine), n.Precision.String()), what, batchText(n))
	if err := out.WriteText(w); err != nil {
		return err
	}
	if out.Traffic != nil {
		fmt.Fprintln(w)
		if err := out.Traffic.WriteText(w); err != nil {
			return err
		}
	}
	return f.printExtras(w, out)
}

// printExtras prints what the fit, picture and measure flags ask for.
func (f *memoryFlags) printExtras(w io.Writer, out memoryOutput) error {
	var lines []string
	if out.FitBatch != nil && *out.FitBatch == 0 {
		lines = append(lines, fmt.Sprintf("Not even one image fits %s: it takes %s bytes.", f.fit, sparsenet.Thousands(int64(out.least))))
	} else if out.FitBatch != nil {
		lines = append(lines, fmt.Sprintf("The largest batch that fits %s is %d.", f.fit, *out.FitBatch))
	}
	if f.picture != "" {
		lines = append(lines, "The picture is in "+f.picture+".")
	}
	if out.Allocated != nil {
		lines = append(lines, fmt.Sprintf("Allocated and run: the device handed out %s bytes, %s planned.",
			sparsenet.Thousands(int64(*out.Allocated)), sparsenet.Thousands(int64(out.Total))))
	}
	if len(lines) == 0 {
		return nil
	}
	_, err := fmt.Fprintf(w, "\n%s\n", strings.Join(lines, "\n"))
	return err
}

// sizes are the units of memory.
var sizes = []struct {
	unit  string
	bytes float64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}, {"", 1},
}

// fewBytes is what nobody means who writes a size without a unit.
const fewBytes = 1 << 20

// parseSize reads bytes with a unit, such as 4GiB, 1.5GB or 1073741824.
func parseSize(s string) (uint64, error) {
	for _, size := range sizes {
		number, ok := strings.CutSuffix(s, size.unit)
		if !ok {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		bytes := v * size.bytes
		if err == nil && size.unit == "" && bytes >= 1 && bytes < fewBytes {
			return 0, usagef("fit %q would be %g bytes: write the unit, as in %sGiB, or %sB", s, bytes, s, s)
		}
		if err == nil && bytes >= 1 && bytes < math.MaxInt64 {
			return uint64(bytes), nil
		}
		break
	}
	return 0, usagef("fit %q: want a size, as in 4GiB, 500MB or 1073741824", s)
}
