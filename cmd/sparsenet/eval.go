package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"sparsevk/sparsenet"
	"sparsevk/train"
	"sparsevk/train/chart"
	"sparsevk/train/data"
)

// evalFlags are the flags of `sparsenet eval`.
type evalFlags struct {
	model     modelFlags
	data      dataFlags
	dev       deviceFlags
	engine    engineFlag
	precision precisionFlag
	tuning    tuningFlag
	split     string
	batch     int
	// confusion is the file into which the matrix is drawn; "" for none.
	confusion string
}

// newEvalCommand makes `sparsenet eval`.
func newEvalCommand() *cobra.Command {
	f := &evalFlags{}
	c := &cobra.Command{
		Use:   "eval",
		Short: "Evaluate a trained model on a data set",
		Long: `Classifies every image of a data set once, with the running statistics, and
prints loss, accuracy, the scores of each class and what was taken for what. Without flags that name a network, the checkpoint says
which it holds, what it was trained on and how images are normalised. Of a run
directory the outcome is kept for 'sparsenet report'.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.model.add(c)
	f.data.add(c)
	c.Flags().StringVar(&f.split, "split", "test", "test or train")
	c.Flags().IntVar(&f.batch, "batch", 64, "images in a step; unless it is given also several such batches at once, as many as fit in what training takes")
	c.Flags().StringVar(&f.confusion, "confusion", "", "also draw the confusion matrix into this SVG or PNG file")
	f.engine.add(c)
	f.precision.add(c)
	f.dev.add(c)
	f.tuning.add(c)
	return c
}

func (f *evalFlags) run(cmd *cobra.Command) (err error) {
	g, o, set, err := f.prepare(cmd)
	if err != nil {
		return err
	}
	file, err := f.tuning.load(cmd)
	if err != nil {
		return err
	}
	d, err := f.dev.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	n, err := newNetwork(file, d, g, f.dev.kernels(o, d))
	if err != nil {
		return err
	}
	m, err := openModel(n, d, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	if err := loadFile(m, f.model.path); err != nil {
		return err
	}
	score, confusion, err := train.EvaluateClasses(cmd.Context(), m, data.Loader{Set: set, Size: f.batch})
	if err != nil {
		return err
	}
	if f.model.run != "" {
		e := train.Evaluation{Dataset: set.Name, Split: f.split, Checkpoint: filepath.Base(f.model.path), Score: score, Confusion: confusion}
		if err := train.SaveEvaluation(f.model.run, e); err != nil {
			return err
		}
	}
	if f.confusion != "" {
		if err := drawConfusion(f.confusion, confusion); err != nil {
			return err
		}
	}
	return f.print(cmd, score, confusion)
}

// print tells the outcome, in text or JSON.
func (f *evalFlags) print(cmd *cobra.Command, score train.Score, confusion *train.Confusion) error {
	if wantsJSON(cmd) {
		return printJSON(cmd, map[string]any{"model": f.model.path, f.split: score, "accuracy": score.Accuracy(), "classes": confusion.PerClass(), "confusion": confusion.Counts})
	}
	if f.model.run != "" { // which of its checkpoints it is
		fmt.Fprintln(cmd.OutOrStdout(), "model ", f.model.path)
	}
	if err := newReporter(cmd, 0).score(f.split, score); err != nil {
		return err
	}
	fmt.Fprintln(cmd.OutOrStdout())
	return confusion.WriteText(cmd.OutOrStdout())
}

// pictureFormat returns svg or png, what the name of a picture ends in.
func pictureFormat(flag, path string) (string, error) {
	format := strings.ToLower(strings.TrimPrefix(filepath.Ext(path), "."))
	if format != "svg" && format != "png" {
		return "", usagef("--%s %s: want a file that ends in .svg or .png", flag, path)
	}
	return format, nil
}

func drawConfusion(path string, c *train.Confusion) error {
	format, err := pictureFormat("confusion", path)
	if err != nil {
		return err
	}
	return train.WriteFile(path, func(w io.Writer) error { return chart.Confusion(w, format, c) })
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
	if f.confusion != "" {
		if _, err := pictureFormat("confusion", f.confusion); err != nil {
			return nil, o, nil, err
		}
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
	precision, err := f.precision.parse()
	if err != nil {
		return nil, o, nil, err
	}
	if set, err = f.data.open(split, c.Input); err != nil {
		if f.model.missing != nil && !cmd.Flags().Changed("dataset") && !cmd.Flags().Changed("data") {
			err = f.model.missing // it would have named the data set
		}
		return nil, o, nil, err
	}
	o = sparsenet.Options{Batch: f.batch, Engine: e, Inference: true, WideEval: !cmd.Flags().Changed("batch"), Precision: precision, Mean: set.Mean, Std: set.Std}
	if d := f.model.description; d != nil && d.Mean != nil {
		o.Mean, o.Std, o.Pixels = d.Mean, d.Std, d.Pixels
	}
	return g, o, set, nil
}
