package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sparsevk/sparsenet"
	"sparsevk/train"
	"sparsevk/train/convert"
	"sparsevk/train/safetensors"
)

// modelFlags name a trained model, and its network if it does not say so itself.
type modelFlags struct {
	net  *netFlags
	path string
	run  string // the run directory, if path named one
	// description is what the file says of itself, nil if nothing. It is not used
	// where flags name another network.
	description *train.Description
	missing     error // why path was not found; wrong flags are told before it
}

func (f *modelFlags) add(c *cobra.Command) {
	f.net = addNetFlags(c)
	c.Flags().StringVar(&f.path, "checkpoint", "", "a run directory (its best checkpoint, else its newest), or a file: a checkpoint, or what sparsenet import reads")
	c.Flags().SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if name == "model" { // the flag's name before version 0.2
			name = "checkpoint"
		}
		return pflag.NormalizedName(name)
	})
}

// find resolves the path and takes the network from the file, if the user named
// none. Whatever keeps the file from being read is told when its parameters are.
func (f *modelFlags) find(cmd *cobra.Command) error {
	if f.path == "" {
		return usagef("%s needs a model: --checkpoint RUN or FILE, such as runs/NAME or runs/NAME/checkpoints/best.safetensors", cmd.Name())
	}
	path, err := train.FindModel(f.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f.missing = err
	if err == nil && path != f.path {
		f.run, f.path = f.path, path
	}
	src, err := convert.Open(f.path)
	if err != nil {
		return nil
	}
	defer src.Close()
	if file, ok := src.(*safetensors.File); ok && !f.net.given() {
		return f.adopt(file)
	}
	return nil
}

// adopt takes the network of the file's description, or of the preset that an old
// checkpoint names.
func (f *modelFlags) adopt(file *safetensors.File) error {
	d, err := train.Describe(file)
	if err != nil {
		return err
	}
	if d != nil {
		f.description, f.net.adopted = d, &d.Network
		return nil
	}
	if name := train.NetworkName(file); name != "" {
		if _, err := sparsenet.Preset(name); err == nil {
			f.net.preset = name
		}
	}
	return nil
}

// describe returns the file's description, or one of the network of the flags.
func (f *modelFlags) describe(g *sparsenet.Graph) train.Description {
	if f.description != nil {
		return *f.description
	}
	return train.Description{Network: g.Config}
}

// read returns the parameters and statistics of the file at path for g.
func readParameters(g *sparsenet.Graph, path string) (values map[string][]float32, scheme convert.Scheme, err error) {
	src, err := convert.Open(path)
	if err != nil {
		return nil, "", err
	}
	values, scheme, err = convert.Import(g, src)
	if err = errors.Join(err, src.Close()); err != nil {
		return nil, "", fmt.Errorf("%s: %w", path, err)
	}
	return values, scheme, nil
}

// loadFile sets parameters and statistics from a file.
func loadFile(m *sparsenet.Model, path string) error {
	values, _, err := readParameters(m.Graph, path)
	if err != nil {
		return err
	}
	return m.Load(values)
}
