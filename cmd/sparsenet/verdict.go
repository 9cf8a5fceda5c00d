package main

import (
	"fmt"
	"io"

	"sparsevk/gpu"
	"sparsevk/ops/optest"
	"sparsevk/sparsenet"
)

// saveVerdict keeps what a self-test found, where there is a folder for it.
func saveVerdict(v *optest.Verdict) error {
	if cacheDir() == "" {
		return nil
	}
	return v.Save(cacheDir())
}

// allowed refuses a network whose kernels failed the self-test on the device,
// unless the user wants them nevertheless. It runs no test.
func allowed(notes io.Writer, d *gpu.Device, n *sparsenet.Network, f *trainFlags) error {
	if cacheDir() == "" {
		return nil
	}
	v, err := optest.LoadVerdict(cacheDir(), d.Info(), f.dev.clamp)
	if err != nil { // nothing is known then
		fmt.Fprintf(notes, "sparsenet: passed over: %v\n", err)
	}
	err = v.Allow(n.Steps())
	switch {
	case err == nil:
		return nil
	case f.untested:
		fmt.Fprintf(notes, "sparsenet: as told, in spite of this: %v\n", err)
		return nil
	}
	return fmt.Errorf("%w: its results would be wrong; try another driver or device, or another --class or --engine, run 'sparsenet selftest' again, or --ignore-selftest", err)
}
