package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"sparsevk/gpu"
	"sparsevk/ops"
	"sparsevk/ops/record"
	"sparsevk/sparsenet"
)

// deviceFlags choose the device, the same everywhere.
type deviceFlags struct {
	name  string
	clamp bool
	forms string
}

func (f *deviceFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.name, "device", "", "device by index, part of its name, or UUID (default: $SPARSEVK_DEVICE, else the best)")
	c.Flags().BoolVar(&f.clamp, "clamp-limits", false, "use no more than the weakest supported device has: 128 invocations, 16 KiB shared, 128 MiB ranges, 8 storage buffers")
	c.Flags().StringVar(&f.forms, "class", "", "class of kernels, as in the table of package ops (default: what suits the device)")
	_ = c.Flags().MarkHidden("class") // for developers: it exists, so this cannot fail
}

func (f *deviceFlags) open() (*gpu.Device, error) {
	class, err := f.parse()
	if err != nil {
		return nil, err
	}
	d, err := gpu.Open(gpu.Options{Device: f.name, Clamp: f.clamp, CacheDir: cacheDir()})
	if err != nil {
		return nil, err
	}
	if err := class.Fits(record.Traits(d)); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", d.Info().Name, err), d.Close())
	}
	return d, nil
}

// parse returns the class that the flag names; without it, that which any device
// runs.
func (f *deviceFlags) parse() (ops.Class, error) {
	if f.forms == "" {
		return ops.Plain, nil
	}
	class, err := ops.ParseClass(f.forms)
	if err != nil {
		return 0, usageError{err}
	}
	return class, nil
}

// kernels returns o with the kernels for a device that was opened.
func (f *deviceFlags) kernels(o sparsenet.Options, d *gpu.Device) sparsenet.Options {
	o = o.For(d)
	if f.forms != "" {
		o.Class, _ = f.parse() // open has checked it
	}
	return o
}

// openModel puts n on a device, on which the driver compiles on all cores.
func openModel(n *sparsenet.Network, d *gpu.Device, seed uint64) (*sparsenet.Model, error) {
	if err := n.CompileAhead(d); err != nil {
		return nil, err
	}
	return n.Open(d, seed)
}

// engineFlag chooses the engine.
type engineFlag string

func (e *engineFlag) add(c *cobra.Command) {
	c.Flags().StringVar((*string)(e), "engine", string(sparsenet.Arena), "arena (maps written once, read in place) or layered (as frameworks do)")
}

// precisionFlag chooses how maps are stored.
type precisionFlag string

func (p *precisionFlag) add(c *cobra.Command) {
	c.Flags().StringVar((*string)(p), "precision", ops.FP32.String(), "of feature maps and their gradients: fp32, fp16 (with a dynamic loss scale) or bf16; sums, statistics and parameters are float32 in all")
}

// engineText names an engine, and the precision of maps where it is not float32.
func engineText(engine, precision string) string {
	if precision == ops.FP32.String() {
		return engine + " engine"
	}
	return engine + " engine, " + precision + " maps"
}

// batchText says how many images a step takes, and an evaluation where that is more.
func batchText(n *sparsenet.Network) string {
	if n.EvalBatch > n.Batch {
		return fmt.Sprintf("batch %d, evaluation of %d at once", n.Batch, n.EvalBatch)
	}
	return fmt.Sprintf("batch %d", n.Batch)
}

func (p precisionFlag) parse() (ops.Precision, error) {
	v, err := ops.ParsePrecision(string(p))
	if err != nil {
		return ops.FP32, usageError{err}
	}
	return v, nil
}

// addRecompute adds the flag of Options.Recompute.
func addRecompute(c *cobra.Command, to *bool) {
	c.Flags().BoolVar(to, "recompute", false, "compute the outputs of bottlenecks again in the backward pass: a third of the memory, for more arithmetic")
}

func (e engineFlag) parse() (sparsenet.Engine, error) {
	v, err := sparsenet.ParseEngine(string(e))
	if err != nil {
		return "", usageError{err}
	}
	return v, nil
}

// driverName is the driver and its version in one line.
func driverName(i gpu.Info) string {
	return strings.TrimSpace(i.Driver + " " + i.DriverInfo)
}
