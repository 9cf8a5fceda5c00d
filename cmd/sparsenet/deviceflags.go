package main

import (
	"strings"

	"github.com/spf13/cobra"

	"sparsevk/gpu"
	"sparsevk/ops"
	"sparsevk/sparsenet"
)

// deviceFlags choose the device, the same everywhere.
type deviceFlags struct {
	name  string
	clamp bool
}

func (f *deviceFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.name, "device", "", "device by index, part of its name, or UUID (default: $SPARSEVK_DEVICE, else the best)")
	c.Flags().BoolVar(&f.clamp, "clamp-limits", false, "use no more than the weakest supported device has: 128 invocations, 16 KiB shared, 128 MiB ranges, 8 storage buffers")
}

func (f *deviceFlags) open() (*gpu.Device, error) {
	return gpu.Open(gpu.Options{Device: f.name, Clamp: f.clamp, CacheDir: cacheDir()})
}

// engineFlag chooses the engine.
type engineFlag string

func (e *engineFlag) add(c *cobra.Command) {
	c.Flags().StringVar((*string)(e), "engine", string(sparsenet.Arena), "arena (maps written once, read in place) or layered (as frameworks do)")
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
