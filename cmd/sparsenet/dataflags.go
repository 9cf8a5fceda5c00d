package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"sparsevk/sparsenet"
	"sparsevk/train"
	"sparsevk/train/data"
)

// dataFlags choose a data set, the same everywhere.
type dataFlags struct {
	name    string
	dir     string
	images  int
	foreign bool
}

func (f *dataFlags) add(c *cobra.Command) {
	s := c.Flags()
	s.StringVar(&f.name, "dataset", "cifar10", fmt.Sprintf("data set: one of %v", data.Names()))
	s.StringVar(&f.dir, "data", "", "directory of the data set (default: where package managers put it)")
	s.IntVar(&f.images, "images", 0, "use only the first so many training images (default all)")
	s.BoolVar(&f.foreign, "foreign", false, "accept files of the right format that are not the published ones")
}

// adopt takes the data set that a model was trained on, if the user named none and
// it is one of ours.
func (f *dataFlags) adopt(c *cobra.Command, d *train.Description) {
	if d == nil || c.Flags().Changed("dataset") {
		return
	}
	if _, err := data.Describe(d.Dataset); err == nil {
		f.name = d.Dataset
	}
}

// open reads a split and brings its images to the size that the network takes:
// smaller ones are set into the middle of black.
func (f *dataFlags) open(split data.Split, in sparsenet.Input) (*data.Set, error) {
	s, err := data.Open(f.name, f.dir, split, data.Options{Foreign: f.foreign})
	if err != nil {
		return nil, err
	}
	if split == data.Train && f.images != 0 {
		if s, err = s.Head(f.images); err != nil {
			return nil, err
		}
	}
	return s.Pad(in.H, in.W)
}

// adapt sets what the user left open of a network to what the data set needs:
// classes and input. Images of 28x28 are padded to 32x32, which halves evenly.
func (f *dataFlags) adapt(net *netFlags, c *sparsenet.Config) error {
	shape, err := data.Describe(f.name)
	if err != nil {
		return usageError{err}
	}
	if net.adopted != nil {
		return nil // a trained network takes what it takes
	}
	if !net.flags.Changed("classes") {
		c.Classes = shape.Classes
	}
	if !net.flags.Changed("input") {
		c.Input = sparsenet.Input{H: shape.H, W: shape.W, C: shape.C}
		if c.Stem == sparsenet.CIFAR && shape.H < 32 && shape.W < 32 {
			c.Input.H, c.Input.W = 32, 32
		}
	}
	r, err := c.Resolve()
	if err != nil {
		return usageError{err}
	}
	*c = r
	return nil
}
