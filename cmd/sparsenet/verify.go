package main

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"sparsevk/gpu"
	"sparsevk/ops"
	"sparsevk/sparsenet"
	"sparsevk/train"
	"sparsevk/train/tune"
)

// newVerifyCommand makes `sparsenet verify FILE...`.
func newVerifyCommand() *cobra.Command {
	var dev deviceFlags
	var engine engineFlag
	var precision precisionFlag
	var tuning tuningFlag
	c := &cobra.Command{
		Use:   "verify FILE...",
		Short: "Replay traces recorded by another framework and report the deviations",
		Long: `Replay traces that another framework recorded: the same network, initial
parameters and images, trained for the same steps on this device. Reported are,
for each group of tensors, the median and the largest deviation and the tensor
that strays most. The exit status is 1 if one exceeds the trace's bounds, which are
for float32: another --precision is refused.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("verify needs the file of a trace")
			}
			return nil
		},
	}
	dev.add(c)
	engine.add(c)
	precision.add(c)
	tuning.add(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		e, err := engine.parse()
		if err != nil {
			return err
		}
		if p, err := precision.parse(); err != nil {
			return err
		} else if p != ops.FP32 {
			return usagef("precision %s: a trace's bounds are for float32; 'sparsenet selftest --op %s' compares every kernel with the reference within the bounds of that precision", p, p)
		}
		file, err := tuning.load(cmd)
		if err != nil {
			return err
		}
		d, err := dev.open()
		if err != nil {
			return err
		}
		defer d.Close()
		var reports []verifyReport
		for _, path := range args {
			r, err := verifyFile(d, path, file, dev.kernels(sparsenet.Options{Engine: e}, d))
			if err != nil {
				return err
			}
			reports = append(reports, r)
			if !wantsJSON(cmd) {
				if err := r.write(cmd.OutOrStdout()); err != nil {
					return err
				}
			}
		}
		if wantsJSON(cmd) {
			if err := printJSON(cmd, reports); err != nil {
				return err
			}
		}
		for _, r := range reports {
			if !r.OK {
				return fmt.Errorf("%s: %w", r.File, errDeviates)
			}
		}
		return nil
	}
	return c
}

var errDeviates = errors.New("the replay strays from the trace by more than its bounds: run sparsenet selftest to find the kernel")

// verifyReport is what verify prints of one trace.
type verifyReport struct {
	File   string `json:"file"`
	Device string `json:"device"`
	Driver string `json:"driver"`
	Engine string `json:"engine"`
	*train.Replay
	OK bool `json:"passed"`
}

func verifyFile(d *gpu.Device, path string, file *tune.File, o sparsenet.Options) (verifyReport, error) {
	t, err := train.OpenTrace(path)
	if err != nil {
		return verifyReport{}, err
	}
	defer t.Close()
	if file != nil {
		g, err := sparsenet.Build(t.Config)
		if err != nil {
			return verifyReport{}, fmt.Errorf("%s: %w", path, err)
		}
		o.Batch = t.Batch
		if o, err = tuned(file, d, g, o); err != nil {
			return verifyReport{}, err
		}
	}
	replay, err := train.Verify(d, t, o)
	if err != nil {
		return verifyReport{}, fmt.Errorf("%s: %w", path, err)
	}
	i := d.Info()
	return verifyReport{path, i.Name, driverName(i), string(o.Engine), replay, replay.Passed()}, nil
}

func (r verifyReport) write(w io.Writer) error {
	fmt.Fprintf(w, "%s\n  device %s, driver %s, engine %s, %d parameters, %d dispatches a step\n",
		r.File, r.Device, r.Driver, r.Engine, r.Parameters, r.Dispatches)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "  group\tmedian\tbound\tlargest\tbound\t\tstrays most")
	for _, g := range r.Groups {
		verdict := "ok"
		if !g.Passed() {
			verdict = "FAILS"
		}
		fmt.Fprintf(t, "  %s\t%.2g\t%.2g\t%.2g\t%.2g\t%s\t%s\n", g.Group, g.Median, g.MedianBound, g.Largest, g.Bound, verdict, g.Tensor)
	}
	return t.Flush()
}
