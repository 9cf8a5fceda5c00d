package main

import (
	"errors"

	"github.com/spf13/cobra"

	"sparsevk/sparsenet"
	"sparsevk/train"
	"sparsevk/train/data"
)

// evalFlags are the flags of `sparsenet eval`.
type evalFlags struct {
	net    *netFlags
	data   dataFlags
	dev    deviceFlags
	engine engineFlag
	model  string
	split  string
	batch  int
}

// newEvalCommand makes `sparsenet eval`.
func newEvalCommand() *cobra.Command {
	f := &evalFlags{}
	c := &cobra.Command{
		Use:   "eval",
		Short: "Evaluate a trained model on a data set",
		Long: `Classifies every image of a data set once, with the running statistics, and
prints loss and accuracy. Without flags that name a network, a checkpoint of
'sparsenet train' says which it holds, if it has a preset's name.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.net = addNetFlags(c)
	f.data.add(c)
	c.Flags().StringVar(&f.model, "model", "", "checkpoint, or any safetensors file with the network's parameters")
	c.Flags().StringVar(&f.split, "split", "test", "test or train")
	c.Flags().IntVar(&f.batch, "batch", 64, "images in a step")
	f.engine.add(c)
	f.dev.add(c)
	return c
}

func (f *evalFlags) run(cmd *cobra.Command) (err error) {
	g, o, set, err := f.prepare()
	if err != nil {
		return err
	}
	d, err := f.dev.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	n, err := sparsenet.NewNetwork(g, f.dev.kernels(o, d))
	if err != nil {
		return err
	}
	m, err := n.Open(d, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	if err := loadFile(m, f.model); err != nil {
		return err
	}
	score, err := train.Evaluate(cmd.Context(), m, data.Loader{Set: set, Size: f.batch})
	if err != nil {
		return err
	}
	return newReporter(cmd, 0).score(f.split, score)
}

// prepare checks everything that needs no device.
func (f *evalFlags) prepare() (g *sparsenet.Graph, o sparsenet.Options, set *data.Set, err error) {
	split, ok := map[string]data.Split{"test": data.Test, "train": data.Train}[f.split]
	switch {
	case f.model == "":
		return nil, o, nil, usagef("eval needs a model: --model FILE, such as runs/NAME/checkpoints/best.safetensors")
	case !ok:
		return nil, o, nil, usagef("--split %q: use test or train", f.split)
	case f.batch < 1:
		return nil, o, nil, usagef("--batch %d: want at least 1 image", f.batch)
	}
	f.adopt()
	c, err := f.net.config()
	if err != nil {
		return nil, o, nil, err
	}
	if err := f.data.adapt(f.net, &c); err != nil {
		return nil, o, nil, err
	}
	if g, err = sparsenet.Build(c); err != nil {
		return nil, o, nil, usageError{err}
	}
	e, err := f.engine.parse()
	if err != nil {
		return nil, o, nil, err
	}
	if set, err = f.data.open(split, c.Input); err != nil {
		return nil, o, nil, err
	}
	return g, sparsenet.Options{Batch: f.batch, Engine: e, Inference: true, Mean: set.Mean, Std: set.Std}, set, nil
}

// adopt takes the network from the checkpoint, if the user named none. Whatever
// keeps the file from being one is told when its parameters are loaded.
func (f *evalFlags) adopt() {
	if f.net.given() {
		return
	}
	c, err := train.LoadCheckpoint(f.model)
	if err != nil {
		return
	}
	defer c.Close()
	name := c.State.Config["network"]
	if _, err := sparsenet.Preset(name); err == nil {
		f.net.preset = name
	}
}
