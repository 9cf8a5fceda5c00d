package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"sparsevk/sparsenet"
	"sparsevk/train"
	"sparsevk/train/convert"
	"sparsevk/train/onnx"
)

// exportFlags are the flags of `sparsenet export`.
type exportFlags struct {
	model  modelFlags
	format string
	names  string
	out    string
}

// newExportCommand makes `sparsenet export`.
func newExportCommand() *cobra.Command {
	f := &exportFlags{}
	c := &cobra.Command{
		Use:   "export",
		Short: "Write a trained network as safetensors or ONNX",
		Long: `Writes the parameters and running statistics of a trained network for other
programs. It needs no device.

safetensors  with PyTorch's names: --names official for the official SparseNet
             implementation, torchvision for torchvision's DenseNet
onnx         the network in evaluation, opset 17. Its input is "images",
             [batch][channels][height][width] of (pixel/255 - mean)/deviation; the
             metadata has both and the names of the classes. Its output is "logits".`,
		Example: "  sparsenet export --checkpoint runs/cifar --out cifar.onnx\n" +
			"  sparsenet export --checkpoint dense-121.safetensors --names torchvision --out densenet121.safetensors",
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.model.add(c)
	s := c.Flags()
	s.StringVar(&f.format, "format", "", "safetensors or onnx (default: what --out ends in)")
	s.StringVar(&f.names, "names", string(convert.Official), "names in a safetensors file: official or torchvision")
	s.StringVar(&f.out, "out", "", "file to write")
	return c
}

func (f *exportFlags) run(cmd *cobra.Command) error {
	scheme, err := f.check()
	if err != nil {
		return err
	}
	if err := f.model.find(cmd); err != nil {
		return err
	}
	c, err := f.model.net.config()
	if err != nil {
		return err
	}
	g, err := sparsenet.Build(c)
	if err != nil {
		return usageError{err}
	}
	names, err := scheme.Names(g)
	if err != nil {
		return usageError{err}
	}
	values, _, err := readParameters(g, f.model.path)
	if err != nil {
		return err
	}
	d := f.model.describe(g)
	if f.format == "onnx" {
		err = f.onnx(g, values, d)
	} else {
		err = train.SaveModel(f.out, &d, g, values, names)
	}
	if err != nil {
		return err
	}
	if wantsJSON(cmd) {
		return printJSON(cmd, map[string]any{"network": c.Name(), "parameters": g.Params.Count(), "format": f.format, "out": f.out})
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s, %d parameters, saved as %s: %s\n", c.Name(), g.Params.Count(), f.format, f.out)
	return err
}

// check fills in the format and returns the scheme of names.
func (f *exportFlags) check() (convert.Scheme, error) {
	if f.out == "" {
		return "", usagef("export needs a file to write: --out FILE.safetensors or FILE.onnx")
	}
	if f.format == "" {
		f.format = strings.TrimPrefix(filepath.Ext(f.out), ".")
	}
	if f.format != "safetensors" && f.format != "onnx" {
		return "", usagef("--format %q: use safetensors or onnx", f.format)
	}
	scheme, err := convert.ParseScheme(f.names)
	if err != nil {
		return "", usageError{err}
	}
	if f.format == "onnx" && scheme != convert.Official {
		return "", usagef("--names %s: names are chosen for safetensors only; leave it out", f.names)
	}
	return scheme, nil
}

// onnx writes the model with what its images must be like as metadata.
func (f *exportFlags) onnx(g *sparsenet.Graph, values map[string][]float32, d train.Description) error {
	meta := map[string]string{}
	for key, v := range map[string]any{"network": d.Network, "dataset": d.Dataset, "classes": d.Classes, "mean": d.Mean, "std": d.Std, "pixel_means": d.Pixels} {
		text, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("%s: %w", f.out, err)
		}
		if s := string(text); s != "null" && s != `""` {
			meta[key] = s
		}
	}
	return onnx.Write(f.out, g, values, meta)
}
