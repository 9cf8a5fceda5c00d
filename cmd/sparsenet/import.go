package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"sparsevk/sparsenet"
	"sparsevk/train"
	"sparsevk/train/data"
)

// importFlags are the flags of `sparsenet import` beside the network's.
type importFlags struct {
	net         *netFlags
	out         string
	dataset     string
	mean, std   string
	classesFile string
}

// newImportCommand makes `sparsenet import FILE`.
func newImportCommand() *cobra.Command {
	f := &importFlags{}
	c := &cobra.Command{
		Use:   "import FILE",
		Short: "Bring a trained network from PyTorch or safetensors",
		Long: `Reads the parameters and running statistics of a network from a safetensors file
or a PyTorch checkpoint (.pth, .pt: a state_dict, alone or under "state_dict",
"model_state_dict", "model" or "net"), with the names of the official SparseNet
implementation or of torchvision's DenseNet, and writes them as a model that
train --init, eval, predict and export take. No code of the file is executed.
Tensors that are missing, unexpected or of the wrong shape are all named, and
nothing is written.

Running statistics that differ among the readers of a map are kept for each.`,
		Example: "  sparsenet import densenet121.pth --preset imagenet-dense-121-32 --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 --out dense-121.safetensors\n" +
			"  sparsenet import sparse.pth --depth 40 --growth 24 --dataset cifar10 --out sparse.safetensors",
		Args: oneFile,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	f.net = addNetFlags(c)
	s := c.Flags()
	s.StringVar(&f.out, "out", "", "safetensors file to write")
	s.StringVar(&f.dataset, "dataset", "", fmt.Sprintf("what it was trained on, for classes and normalisation: one of %v", data.Names()))
	s.StringVar(&f.mean, "mean", "", "mean of each channel that it was trained with, of pixels from 0 to 1")
	s.StringVar(&f.std, "std", "", "deviation of each channel")
	s.StringVar(&f.classesFile, "class-names", "", "file with the name of a class on each line")
	return c
}

// oneFile is what commands of one file take.
func oneFile(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("%s takes one file, not %d", cmd.Name(), len(args))
	}
	return nil
}

// imported is what `sparsenet import` prints.
type imported struct {
	File       string `json:"file"`
	Network    string `json:"network"`
	Names      string `json:"names"`
	Tensors    int    `json:"tensors"`
	Parameters int    `json:"parameters"`
	Out        string `json:"out"`
}

func (f *importFlags) run(cmd *cobra.Command, path string) error {
	if f.out == "" {
		return usagef("import needs a file to write: --out FILE.safetensors")
	}
	d, err := f.describe()
	if err != nil {
		return err
	}
	g, err := sparsenet.Build(d.Network)
	if err != nil {
		return usageError{err}
	}
	d.Network = g.Config
	if err := d.Check(); err != nil {
		return usageError{err}
	}
	values, scheme, err := readParameters(g, path)
	if err != nil {
		return err
	}
	if err := train.SaveModel(f.out, d, g, values, nil); err != nil {
		return err
	}
	out := imported{path, g.Config.Name(), string(scheme), len(g.Params.All), g.Params.Count(), f.out}
	if wantsJSON(cmd) {
		return printJSON(cmd, out)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %d tensors of %s, %d parameters, %s names\nsaved %s\n",
		out.File, out.Tensors, out.Network, out.Parameters, out.Names, out.Out)
	return err
}

// describe makes the description of the model out of the flags.
func (f *importFlags) describe() (*train.Description, error) {
	c, err := f.net.config()
	if err != nil {
		return nil, err
	}
	d := &train.Description{Network: c}
	if f.dataset != "" {
		if err := (&dataFlags{name: f.dataset}).adapt(f.net, &d.Network); err != nil {
			return nil, err
		}
		facts, err := data.Published(f.dataset)
		if err != nil {
			return nil, usageError{err}
		}
		d.Dataset, d.Mean, d.Std, d.Classes = f.dataset, facts.Mean, facts.Std, facts.ClassNames
	}
	if f.mean != "" || f.std != "" {
		if d.Mean, err = parseFloats("mean", f.mean); err != nil {
			return nil, err
		}
		if d.Std, err = parseFloats("std", f.std); err != nil {
			return nil, err
		}
	}
	if f.classesFile != "" {
		text, err := os.ReadFile(f.classesFile)
		if err != nil {
			return nil, err
		}
		d.Classes = strings.FieldsFunc(string(text), func(r rune) bool { return r == '\n' || r == '\r' })
	}
	return d, nil
}

// parseFloats reads numbers separated by commas.
func parseFloats(flag, s string) (v []float32, err error) {
	for _, part := range strings.Split(s, ",") {
		x, e := strconv.ParseFloat(strings.TrimSpace(part), 32)
		err = errors.Join(err, e)
		v = append(v, float32(x))
	}
	if err != nil {
		return nil, usagef("--%s %q: want a number for each channel, as in 0.485,0.456,0.406", flag, s)
	}
	return v, nil
}
