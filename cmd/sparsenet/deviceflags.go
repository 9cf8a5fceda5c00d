package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"sparsevk/gpu"
	"sparsevk/ops"
	"sparsevk/ops/optest"
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
	c.Flags().StringVar(&f.forms, "class", "", "kernel forms, plain or quad (default: what suits the device)")
	_ = c.Flags().MarkHidden("class") // for developers: it exists, so this cannot fail
}

func (f *deviceFlags) open() (*gpu.Device, error) {
	if f.forms != "" && f.forms != ops.Plain.String() && f.forms != ops.Quad.String() {
		return nil, usagef("class %q: want plain or quad", f.forms)
	}
	d, err := gpu.Open(gpu.Options{Device: f.name, Clamp: f.clamp, CacheDir: cacheDir()})
	if err != nil {
		return nil, err
	}
	if f.forms == ops.Quad.String() {
		err = optest.FitsQuad(d)
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// class returns the kernel forms for a device that was opened.
func (f *deviceFlags) class(d *gpu.Device) ops.Class {
	switch f.forms {
	case ops.Plain.String():
		return ops.Plain
	case ops.Quad.String():
		return ops.Quad
	}
	return kernelClass(d)
}

// engineFlag chooses the engine.
type engineFlag string

func (e *engineFlag) add(c *cobra.Command) {
	c.Flags().StringVar((*string)(e), "engine", string(sparsenet.Arena), "arena (maps written once, read in place) or layered (as frameworks do)")
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

// kernelClass returns the kernel forms that suit a device: the quad forms are
// for software drivers whose subgroups have 8 lanes.
func kernelClass(d *gpu.Device) ops.Class {
	i := d.Info()
	if i.Type == "cpu" && i.SubgroupSize == 8 && d.Limits().TexelElements > 1<<16 {
		return ops.Quad
	}
	return ops.Plain
}
