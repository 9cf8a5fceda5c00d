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
	strict  bool

	cmd     *cobra.Command
	folder  *data.Folder // that was opened
	classes []string     // that a folder must have, or nil
	notes   []string     // what was said about the images
}

func (f *dataFlags) add(c *cobra.Command) {
	f.cmd = c
	s := c.Flags()
	s.StringVar(&f.name, "dataset", "cifar10", fmt.Sprintf("data set: one of %v, or folder, for image files in a folder for each class", data.Names()))
	s.StringVar(&f.dir, "data", "", "directory of the data set (default: where package managers put it)")
	s.IntVar(&f.images, "images", 0, "use only the first so many training images (default all)")
	s.BoolVar(&f.strict, "strict", false, "with --dataset folder: a broken image is an error, not left out")
	s.BoolVar(&f.foreign, "foreign", false, "accept files of the right format that are not the published ones")
}

// adopt takes the data set that a model was trained on, if the user named none and
// it is one of ours.
func (f *dataFlags) adopt(c *cobra.Command, d *train.Description) {
	if d == nil {
		return
	}
	f.classes = d.Classes
	if c.Flags().Changed("dataset") {
		return
	}
	if _, err := data.Describe(d.Dataset); err == nil || d.Dataset == data.FolderName {
		f.name = d.Dataset
	}
}

// open reads a split and brings its images to the size that the network takes:
// smaller ones are set into the middle of black.
func (f *dataFlags) open(split data.Split, in sparsenet.Input) (*data.Set, error) {
	s, err := f.read(split, in)
	if err != nil || f.name == data.FolderName {
		return s, err
	}
	if split == data.Train && f.images != 0 {
		if s, err = s.Head(f.images); err != nil {
			return nil, err
		}
	}
	return s.Pad(in.H, in.W)
}

// read reads a split as it is; the images of a folder, which come in any size, at
// that of the input.
func (f *dataFlags) read(split data.Split, in sparsenet.Input) (*data.Set, error) {
	if f.name == data.FolderName {
		return f.openFolder(split, in)
	}
	return data.Open(f.name, f.dir, split, data.Options{Foreign: f.foreign})
}

// adapt sets what the user left open of a network to what the data set needs:
// classes and input. Images of 28x28 are padded to 32x32, which halves evenly.
func (f *dataFlags) adapt(net *netFlags, c *sparsenet.Config) error {
	shape, err := f.shape()
	if err != nil {
		return err
	}
	if net.adopted != nil {
		return nil // a trained network takes what it takes
	}
	if !net.flags.Changed("classes") {
		c.Classes = shape.Classes
	}
	if !net.flags.Changed("input") && f.name != data.FolderName { // whose images take any size
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
