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
	model  modelFlags
	data   dataFlags
	dev    deviceFlags
	engine engineFlag
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
prints loss and accuracy. Without flags that name a network, the checkpoint says
which it holds, what it was trained on and how images are normalised.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.model.add(c)
	f.data.add(c)
	c.Flags().StringVar(&f.split, "split", "test", "test or train")
	c.Flags().IntVar(&f.batch, "batch", 64, "images in a step")
	f.engine.add(c)
	f.dev.add(c)
	return c
}

func (f *evalFlags) run(cmd *cobra.Command) (err error) {
	g, o, set, err := f.prepare(cmd)
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
	if err := loadFile(m, f.model.path); err != nil {
		return err
	}
	score, err := train.Evaluate(cmd.Context(), m, data.Loader{Set: set, Size: f.batch})
	if err != nil {
		return err
	}
	return newReporter(cmd, 0).score(f.split, score)
}

// prepare checks everything that needs no device.
func (f *evalFlags) prepare(cmd *cobra.Command) (g *sparsenet.Graph, o sparsenet.Options, set *data.Set, err error) {
	split, ok := map[string]data.Split{"test": data.Test, "train": data.Train}[f.split]
	switch {
	case !ok:
		return nil, o, nil, usagef("--split %q: use test or train", f.split)
	case f.batch < 1:
		return nil, o, nil, usagef("--batch %d: want at least 1 image", f.batch)
	}
	if err := f.model.find(cmd); err != nil {
		return nil, o, nil, err
	}
	f.data.adopt(cmd, f.model.description)
	c, err := f.model.net.config()
	if err != nil {
		return nil, o, nil, err
	}
	if err := f.data.adapt(f.model.net, &c); err != nil {
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
	o = sparsenet.Options{Batch: f.batch, Engine: e, Inference: true, Mean: set.Mean, Std: set.Std}
	if d := f.model.description; d != nil && d.Mean != nil {
		o.Mean, o.Std = d.Mean, d.Std
	}
	return g, o, set, nil
}
