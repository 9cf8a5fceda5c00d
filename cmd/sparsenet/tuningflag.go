package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"sparsevk/gpu"
	"sparsevk/sparsenet"
	"sparsevk/train/tune"
)

// tuningFlag names a file that 'sparsenet tune' wrote; none is taken unless it is
// named.
type tuningFlag string

func (f *tuningFlag) add(c *cobra.Command) {
	c.Flags().StringVar((*string)(f), "tuning", "", "take the kernels that 'sparsenet tune' found fastest, from this file; it must be of this device, driver, network, batch, engine and precision")
}

// load returns the file, or nil if none was named.
func (f tuningFlag) load(c *cobra.Command) (*tune.File, error) {
	if f == "" {
		if c.Flags().Changed("tuning") {
			return nil, usagef("--tuning is empty: name a file that 'sparsenet tune' wrote, or leave it out")
		}
		return nil, nil
	}
	return tune.Load(string(f))
}

// tuned returns o with the variants of file, if any, for a network on a device that
// was opened; d is nil where there is none to compare with.
func tuned(file *tune.File, d *gpu.Device, g *sparsenet.Graph, o sparsenet.Options) (sparsenet.Options, error) {
	if file == nil {
		return o, nil
	}
	if d != nil {
		if err := file.On(d.Info()); err != nil {
			return o, err
		}
	}
	return file.Apply(g, o)
}

// newNetwork plans a network with the variants of file, if any, for a device.
func newNetwork(file *tune.File, d *gpu.Device, g *sparsenet.Graph, o sparsenet.Options) (*sparsenet.Network, error) {
	o, err := tuned(file, d, g, o)
	if err != nil {
		return nil, err
	}
	n, err := sparsenet.NewNetwork(g, o)
	if err != nil && file != nil {
		return nil, fmt.Errorf("%s: %w", file.Path(), err)
	}
	return n, err
}
