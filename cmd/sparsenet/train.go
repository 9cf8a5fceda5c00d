package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sparsevk/sparsenet"
	"sparsevk/train"
	"sparsevk/train/data"
)

// trainFlags are the flags of `sparsenet train`.
type trainFlags struct {
	net       *netFlags
	data      dataFlags
	dev       deviceFlags
	engine    engineFlag
	recompute bool
	out       string
	init      string
	resume    bool
	force     bool
	batch     int
	epochs    int
	rate      float64
	drops     string
	shape     string
	warmup    float64
	moment    float64
	decay     float64
	seed      uint64
	pad       int
	flip      bool
	smooth    float64
	valid     int
	every     uint64
	keep      int
	maxTime   time.Duration
	notTest   bool
	ui        bool
	untested  bool
}

// newTrainCommand makes `sparsenet train`.
func newTrainCommand() *cobra.Command {
	f := &trainFlags{}
	c := &cobra.Command{
		Use:   "train",
		Short: "Train a network on a data set",
		Long: `Train a network. The defaults are the recipe of the paper: batch 64, SGD with
Nesterov momentum 0.9, weight decay 1e-4 on everything, learning rate 0.1 divided
by 10 after half and three quarters of the epochs, random crops and flips.
Ctrl-C finishes the step, saves a checkpoint and exits with 0; --resume goes on
with the same bits.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.net = addNetFlags(c)
	f.data.add(c)
	s := c.Flags()
	s.StringVar(&f.out, "out", "", "run directory for metrics and checkpoints (default: none are kept)")
	s.BoolVar(&f.resume, "resume", false, "go on from the newest whole checkpoint in --out")
	s.BoolVar(&f.force, "force", false, "resume although data, schedule or configuration changed")
	s.StringVar(&f.init, "init", "", "start from the parameters in this file: a checkpoint, or what sparsenet import reads")
	s.IntVar(&f.batch, "batch", 64, "images in a step")
	s.IntVar(&f.epochs, "epochs", 300, "epochs to train")
	s.Float64Var(&f.rate, "lr", 0.1, "learning rate")
	s.StringVar(&f.shape, "schedule", "step", "learning rate over time: step, cosine or constant")
	s.StringVar(&f.drops, "lr-drops", "0.5,0.75", "shares of the epochs after which the step schedule divides the rate by 10")
	s.Float64Var(&f.warmup, "warmup", 0, "epochs over which the rate rises from a tenth")
	s.Float64Var(&f.moment, "momentum", 0.9, "Nesterov momentum")
	s.Float64Var(&f.decay, "decay", 1e-4, "weight decay, on every parameter")
	s.Uint64Var(&f.seed, "seed", 1, "of initialisation, order and augmentation")
	s.IntVar(&f.pad, "pad", 4, "black pixels around a training image before its random crop")
	s.BoolVar(&f.flip, "flip", true, "mirror training images at random")
	s.Float64Var(&f.smooth, "smoothing", 0, "label smoothing")
	s.IntVar(&f.valid, "valid", 0, "training images to hold out and evaluate after each epoch")
	s.Uint64Var(&f.every, "checkpoint-every", 0, "steps between checkpoints (default: one at the end of each epoch)")
	s.IntVar(&f.keep, "keep", 2, "checkpoints to keep, beside the best")
	s.DurationVar(&f.maxTime, "max-time", 0, "stop training after this long, as in 90m, with a checkpoint (default: no limit)")
	s.BoolVar(&f.notTest, "no-test", false, "do not evaluate the test set at the end")
	s.BoolVar(&f.untested, "ignore-selftest", false, "use kernels that failed 'sparsenet selftest' on this device")
	s.BoolVar(&f.ui, "ui", false, "show curves and progress on the terminal while it trains")
	f.engine.add(c)
	addRecompute(c, &f.recompute)
	f.dev.add(c)
	return c
}

func (f *trainFlags) run(cmd *cobra.Command) (err error) {
	if f.ui {
		if err := checkScreen(cmd); err != nil {
			return err
		}
	}
	plan, err := f.prepare()
	if err != nil {
		return err
	}
	d, err := f.dev.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	plan.options = f.dev.kernels(plan.options, d)
	n, err := sparsenet.NewNetwork(plan.graph, plan.options)
	if err != nil {
		return err
	}
	if err := allowed(cmd.ErrOrStderr(), d, n, f); err != nil {
		return err
	}
	m, err := n.Open(d, f.seed)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	if f.init != "" {
		if err := loadFile(m, f.init); err != nil {
			return err
		}
	}
	return f.loop(cmd, m, plan)
}

// trainPlan is what a run needs, found and checked before a device is opened.
type trainPlan struct {
	graph    *sparsenet.Graph
	options  sparsenet.Options
	set      *data.Set
	test     *data.Set
	schedule train.Schedule
}

func (f *trainFlags) prepare() (*trainPlan, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	c, err := f.net.config()
	if err != nil {
		return nil, err
	}
	if err := f.data.adapt(f.net, &c); err != nil {
		return nil, err
	}
	p := &trainPlan{}
	if p.graph, err = sparsenet.Build(c); err != nil {
		return nil, usageError{err}
	}
	if p.schedule, err = f.schedule(); err != nil {
		return nil, err
	}
	e, err := f.engine.parse()
	if err != nil {
		return nil, err
	}
	if p.set, err = f.data.open(data.Train, c.Input); err != nil {
		return nil, err
	}
	if n := p.set.Len() - f.valid; n < f.batch {
		return nil, fmt.Errorf("%d training images do not fill one batch of %d: use a smaller --batch, or hold out fewer with --valid", n, f.batch)
	}
	if !f.notTest {
		if p.test, err = f.data.open(data.Test, c.Input); err != nil {
			return nil, err
		}
	}
	p.options = sparsenet.Options{
		Batch: f.batch, Engine: e, Pad: f.pad, Flip: f.flip, Mean: p.set.Mean, Std: p.set.Std, Smoothing: float32(f.smooth),
		Recompute: f.recompute,
	}
	return p, nil
}

// check refuses numbers that cannot be trained with.
func (f *trainFlags) check() error {
	share := func(x float64) bool { return x >= 0 && x < 1 }
	switch {
	case f.resume && f.out == "":
		return usagef("--resume needs the run directory: --out DIR")
	case f.batch < 1:
		return usagef("--batch %d: want at least 1 image", f.batch)
	case f.epochs < 1:
		return usagef("--epochs %d: want at least 1", f.epochs)
	case !share(f.moment):
		return usagef("--momentum %g: want at least 0 and less than 1", f.moment)
	case !share(f.decay):
		return usagef("--decay %g: want at least 0 and less than 1", f.decay)
	case !share(f.smooth):
		return usagef("--smoothing %g: want at least 0 and less than 1", f.smooth)
	case !(f.warmup >= 0):
		return usagef("--warmup %g: want 0 or more epochs", f.warmup)
	case f.pad < 0:
		return usagef("--pad %d: want 0 or more pixels", f.pad)
	case f.valid < 0:
		return usagef("--valid %d: want 0 or more images", f.valid)
	case f.maxTime < 0:
		return usagef("--max-time %v: want a time such as 90m, or 0 for no limit", f.maxTime)
	case f.keep < 1:
		return usagef("--keep %d: want at least 1 checkpoint", f.keep)
	}
	return nil
}

// schedule makes the learning rate's schedule.
func (f *trainFlags) schedule() (s train.Schedule, err error) {
	switch f.shape {
	case "step":
		var at []float64
		for _, part := range strings.Split(f.drops, ",") {
			share, err := strconv.ParseFloat(strings.TrimSpace(part), 64)
			if err != nil || share <= 0 || share >= 1 {
				return nil, usagef("--lr-drops %q: want shares between 0 and 1, as in 0.5,0.75", f.drops)
			}
			at = append(at, share*float64(f.epochs))
		}
		s = train.StepLR(f.rate, 0.1, at...)
	case "cosine":
		s = train.Cosine(f.rate, 0, float64(f.epochs))
	case "constant":
		s = train.Constant(f.rate)
	default:
		return nil, usagef("--schedule %q: use step, cosine or constant", f.shape)
	}
	if f.warmup > 0 {
		s = train.Warmup(f.warmup, 0.1, s)
	}
	if err := s.Validate(); err != nil {
		return nil, usageError{err}
	}
	return s, nil
}

// loop trains and reports, and evaluates the test set at the end.
func (f *trainFlags) loop(cmd *cobra.Command, m *sparsenet.Model, p *trainPlan) (err error) {
	t := &train.Trainer{
		Model: m, Train: data.Loader{Set: p.set, Size: f.batch, Seed: f.seed},
		Epochs: f.epochs, Seed: f.seed, LR: p.schedule, Momentum: f.moment, Decay: f.decay, Every: f.every,
		Config: f.identity(p),
	}
	if f.valid > 0 {
		kept, held, err := data.HoldOut(p.set.Len(), f.valid, f.seed)
		if err != nil {
			return err
		}
		t.Train.Index = kept
		t.Valid = data.Loader{Set: p.set, Index: held, Size: f.batch}
	}
	show := newReporter(cmd, f.epochs)
	if f.out != "" {
		if show.log, err = f.openRun(cmd, t, p); err != nil {
			return err
		}
		defer func() { err = closeRun(t, show.log, err) }()
	}
	if f.ui {
		if err := f.openScreen(cmd, show, t); err != nil {
			return err
		}
		defer show.closeScreen() // also where the training panics
	}
	show.start(m, t)
	t.Progress, t.Observe = show.step, show.observe
	ctx := cmd.Context()
	if f.maxTime > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.maxTime)
		defer cancel()
	}
	for e, err := range t.Loop(ctx) {
		if err != nil {
			show.end()
			return err
		}
		show.epoch(e)
	}
	show.end()
	if cmd.Context().Err() != nil || p.test == nil {
		return nil
	}
	score, err := train.Evaluate(cmd.Context(), m, data.Loader{Set: p.test, Size: f.batch})
	if errors.Is(err, context.Canceled) {
		return nil
	}
	if err == nil {
		err = t.Tested(score)
	}
	if err != nil {
		return err
	}
	show.tested("test", score)
	return nil
}

// identity is what must be the same for a resumed run to go on with the same
// bits, beyond what the trainer knows itself.
func (f *trainFlags) identity(p *trainPlan) map[string]string {
	c := p.graph.Config
	id := map[string]string{
		"network": c.Name(), "engine": string(p.options.Engine), "class": p.options.Class.String(), "input": c.Input.String(),
		"classes": strconv.Itoa(c.Classes), "dropout": fmt.Sprint(c.Dropout), "pad": strconv.Itoa(f.pad),
		"flip": strconv.FormatBool(f.flip), "smoothing": fmt.Sprint(f.smooth), "valid": strconv.Itoa(f.valid),
	}
	return id
}
