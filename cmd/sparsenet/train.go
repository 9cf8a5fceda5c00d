package main

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"sparsevk/sparsenet"
	"sparsevk/train"
	"sparsevk/train/chart"
	"sparsevk/train/data"
	"sparsevk/train/tune"
)

// trainFlags are the flags of `sparsenet train`.
type trainFlags struct {
	net         *netFlags
	data        dataFlags
	dev         deviceFlags
	engine      engineFlag
	precision   precisionFlag
	tuning      tuningFlag
	recompute   bool
	out         string
	init        string
	resume      bool
	force       bool
	recipe      recipeFlags
	parts       int
	seed        uint64
	every       uint64
	keep        int
	maxTime     time.Duration
	patience    int
	onLoss      string
	lose        []int
	notTest     bool
	ui          bool
	tensorboard bool
	untested    bool
}

// newTrainCommand makes `sparsenet train`.
func newTrainCommand() *cobra.Command {
	f := &trainFlags{}
	c := &cobra.Command{
		Use:   "train",
		Short: "Train a network on a data set",
		Long: `Train a network. The default recipe is the paper's: batch 64, SGD with Nesterov
momentum 0.9, weight decay 1e-4 on everything, learning rate 0.1 divided by 10
after half and three quarters of the epochs, random crops and flips.
Ctrl-C, SIGTERM or a closed terminal finishes the step, saves a checkpoint and exits
with 0; --resume goes on with the same bits.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.net = addNetFlags(c)
	f.data.add(c)
	s := c.Flags()
	s.StringVar(&f.out, "out", "", "run directory for metrics and checkpoints (default: none are kept)")
	s.BoolVar(&f.resume, "resume", false, "go on from the newest whole checkpoint in --out")
	s.BoolVar(&f.force, "force", false, "resume although data, schedule or configuration changed")
	s.StringVar(&f.init, "init", "", "start from the parameters in this file: a checkpoint, or what sparsenet import reads")
	f.recipe.add(c)
	s.IntVar(&f.parts, "accumulate", 1, "batches whose mean gradient makes one update; a step is an update")
	s.Uint64Var(&f.seed, "seed", 1, "of initialisation, order and augmentation")
	s.Uint64Var(&f.every, "checkpoint-every", 0, "steps between checkpoints (default: one at the end of each epoch)")
	s.IntVar(&f.keep, "keep", 2, "checkpoints to keep, beside the best")
	s.DurationVar(&f.maxTime, "max-time", 0, "stop training after this long, as in 90m, with a checkpoint (default: no limit)")
	s.IntVar(&f.patience, "patience", 0, "stop after so many epochs in a row without a better validation (0: never); needs --valid")
	s.StringVar(&f.onLoss, "on-device-loss", lossRestart, "if the device is lost: restart from the newest checkpoint on a device opened anew, once per checkpoint, or stop")
	s.IntSliceVar(&f.lose, "inject-device-loss", nil, "lose the device at a submission and a dispatch of it, as in 17,130")
	_ = s.MarkHidden("inject-device-loss") // for tests: it exists, so this cannot fail
	s.BoolVar(&f.notTest, "no-test", false, "do not evaluate the test set at the end")
	s.BoolVar(&f.untested, "ignore-selftest", false, "use kernels that failed 'sparsenet selftest' on this device")
	s.BoolVar(&f.tensorboard, "tensorboard", false, "also write an event file for TensorBoard into --out")
	s.BoolVar(&f.ui, "ui", false, "show curves and progress on the terminal while it trains")
	f.engine.add(c)
	f.precision.add(c)
	addRecompute(c, &f.recompute)
	f.dev.add(c)
	f.tuning.add(c)
	return c
}

func (f *trainFlags) run(cmd *cobra.Command) (err error) {
	if f.ui {
		if err := checkScreen(cmd); err != nil {
			return err
		}
	}
	if f.out != "" {
		signal.Ignore(syscall.SIGPIPE) // a reader that goes away does not end what the run directory keeps
	}
	plan, err := f.prepare()
	if err != nil {
		return err
	}
	if plan.tuning, err = f.tuning.load(cmd); err != nil {
		return err
	}
	w := &machine{flags: f, plan: plan, notes: cmd.ErrOrStderr()}
	if err := w.open(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if f.init != "" {
		if err := loadFile(w.model, f.init); err != nil {
			return err
		}
	}
	if len(f.lose) == 2 {
		w.dev.InjectLoss(f.lose[0], f.lose[1])
	}
	return f.loop(cmd, w, plan)
}

// trainPlan is what a run needs, found and checked before a device is opened.
type trainPlan struct {
	graph    *sparsenet.Graph
	options  sparsenet.Options
	set      *data.Set
	test     *data.Set
	recipe   train.Recipe
	schedule train.Schedule
	tuning   *tune.File // nil: none
}

func (f *trainFlags) prepare() (*trainPlan, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	p := &trainPlan{}
	var err error
	if p.recipe, err = f.recipe.recipe(); err != nil {
		return nil, err
	}
	c, err := f.net.config()
	if err != nil {
		return nil, err
	}
	if err := f.data.adapt(f.net, &c); err != nil {
		return nil, err
	}
	if f.patience > 0 && p.recipe.Valid == 0 {
		return nil, usagef("--patience %d needs images to validate on: hold some out with --valid", f.patience)
	}
	if c, err = f.recipe.adapt(p.recipe, c); err != nil {
		return nil, err
	}
	if p.graph, err = sparsenet.Build(c); err != nil {
		return nil, usageError{err}
	}
	if p.schedule, err = p.recipe.Rates(); err != nil {
		return nil, usageError{err}
	}
	e, err := f.engine.parse()
	if err != nil {
		return nil, err
	}
	precision, err := f.precision.parse()
	if err != nil {
		return nil, err
	}
	if p.set, err = f.data.open(data.Train, c.Input); err != nil {
		return nil, err
	}
	r := p.recipe
	if n := p.set.Len() - r.Valid; n < r.Batch {
		return nil, fmt.Errorf("%d training images do not fill one batch of %d: use a smaller --batch, or hold out fewer with --valid", n, r.Batch)
	}
	if !f.notTest {
		if p.test, err = f.data.open(data.Test, c.Input); err != nil {
			return nil, err
		}
	}
	p.options = sparsenet.Options{
		Batch: r.Batch, Engine: e, Pad: r.Pad, Edge: r.Fill == "edge", Flip: r.Flip, Smoothing: float32(r.Smoothing), Recompute: f.recompute, Accumulate: f.parts > 1, Precision: precision, WideEval: true,
		Optimizer: r.Optimizer, Decays: r.DecayOn, Average: r.Average > 0, Init: r.Init, BNMomentum: r.BNMomentum,
	}
	if p.options.Mean, p.options.Std, err = r.Normalisation(p.set.Mean, p.set.Std); err != nil {
		return nil, usageError{err}
	}
	if r.OfPixels() {
		p.options.Pixels = p.set.PixelMeans()
	}
	return p, nil
}

// check refuses numbers that cannot be trained with.
func (f *trainFlags) check() error {
	switch {
	case f.tensorboard && f.out == "":
		return usagef("--tensorboard needs the run directory: --out DIR")
	case f.resume && f.out == "":
		return usagef("--resume needs the run directory: --out DIR")
	case f.parts < 1:
		return usagef("--accumulate %d: want at least 1 batch", f.parts)
	case f.patience < 0:
		return usagef("--patience %d: want 0 or more epochs", f.patience)
	case f.onLoss != lossRestart && f.onLoss != lossStop:
		return usagef("--on-device-loss %q: use %s or %s", f.onLoss, lossRestart, lossStop)
	case f.maxTime < 0:
		return usagef("--max-time %v: want a time such as 90m, or 0 for no limit", f.maxTime)
	case f.keep < 1:
		return usagef("--keep %d: want at least 1 checkpoint", f.keep)
	}
	return nil
}

// loop trains and reports, and evaluates the test set at the end.
func (f *trainFlags) loop(cmd *cobra.Command, w *machine, p *trainPlan) (err error) {
	r := p.recipe
	t := &train.Trainer{
		Model: w.model, Train: data.Loader{Set: p.set, Size: r.Batch, Seed: f.seed},
		Epochs: r.Epochs, Seed: f.seed, LR: p.schedule, Plateau: r.Plateau(), Momentum: r.Momentum, Decay: r.Decay,
		Beta2: r.Beta2, Epsilon: r.Epsilon, Clip: r.Clip, Average: r.Average, Every: f.every, Accumulate: f.parts, Patience: f.patience,
		Config: f.identity(p),
	}
	if r.Valid > 0 {
		kept, held, err := data.HoldOut(p.set.Len(), r.Valid, f.seed)
		if err != nil {
			return err
		}
		t.Train.Index = kept
		t.Valid = data.Loader{Set: p.set, Index: held, Size: r.Batch}
	}
	show := newReporter(cmd, r.Epochs)
	if f.out != "" {
		if show.log, err = f.openRun(cmd, t, p); err != nil {
			return err
		}
		defer func() {
			if err = closeRun(t, show.log, err); err == nil {
				f.leavePictures(cmd)
			}
		}()
		for _, note := range f.data.notes {
			show.log.Printf("%s", note)
		}
	}
	if f.ui {
		if err := f.openScreen(cmd, show, t); err != nil {
			return err
		}
		defer show.closeScreen() // also where the training panics
	}
	show.start(w.model, t)
	if f.onLoss == lossRestart {
		t.Reopen = w.reopen
		t.Restarted = func(cause error, checkpoint string) {
			noteError(cmd, "the device was lost; going on from "+checkpoint, cause)
			if show.log != nil {
				show.log.Printf("the device was lost (%v); going on from %s", cause, checkpoint)
			}
		}
	}
	t.Progress, t.Observe, t.Saved = show.step, show.observe, show.saved
	if f.tensorboard {
		events, err := chart.OpenEvents(f.out, time.Now())
		if err != nil {
			return err
		}
		defer func() { noteError(cmd, "TensorBoard's events are not whole", events.Close()) }()
		t.Observe = func(m train.Metric) {
			show.observe(m)
			events.Write(m)
		}
	}
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
	if why := f.whyEnded(ctx, cmd, t); why != "" {
		show.say("%s", why)
	}
	if cmd.Context().Err() != nil || p.test == nil {
		return nil
	}
	return f.test(cmd, t, p, show)
}

// test evaluates the test set: with the parameters that did best on the held-out
// images, where there are any.
func (f *trainFlags) test(cmd *cobra.Command, t *train.Trainer, p *trainPlan, show *reporter) error {
	best, err := t.TakeBest()
	if err != nil {
		return err
	}
	if best != "" {
		show.say("the best on held-out images is that of %s", best)
	}
	score, confusion, err := t.ScoreClasses(cmd.Context(), data.Loader{Set: p.test, Size: p.recipe.Batch})
	if errors.Is(err, context.Canceled) {
		show.say("stopped in the test, which 'sparsenet eval' does too")
		return nil
	}
	if err == nil {
		err = t.Tested(score)
	}
	if err == nil && f.out != "" {
		name := "the last step"
		if best != "" {
			name = filepath.Base(best)
		}
		err = train.SaveEvaluation(f.out, train.Evaluation{Dataset: p.test.Name, Split: "test", Checkpoint: name, Score: score, Confusion: confusion})
	}
	if err != nil {
		return err
	}
	show.tested("test", score)
	return nil
}

// whyEnded says why a run ended where nothing else says it.
func (f *trainFlags) whyEnded(ctx context.Context, cmd *cobra.Command, t *train.Trainer) string {
	s := t.State()
	switch {
	case cmd.Context().Err() != nil:
		return "" // the user knows
	case ctx.Err() != nil:
		return fmt.Sprintf("the time is up: --max-time %v", f.maxTime)
	case f.patience > 0 && s.Stale >= f.patience:
		return fmt.Sprintf("no better validation in %d epochs; the best was %.2f%% after step %d", s.Stale, 100*s.Best, s.BestStep)
	}
	return ""
}

// leavePictures draws what the run came to. A run whose pictures cannot be drawn has
// still succeeded: that is told, no more.
func (f *trainFlags) leavePictures(cmd *cobra.Command) {
	noteError(cmd, "no pictures of the run", leavePictures(f.out))
}

// noteError tells an error that ends nothing.
func noteError(cmd *cobra.Command, what string, err error) {
	if err != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "sparsenet: %s: %v\n", what, err)
	}
}

// identity is what must be the same for a resumed run to go on with the same
// bits, beyond what the trainer knows itself.
func (f *trainFlags) identity(p *trainPlan) map[string]string {
	c, r := p.graph.Config, p.recipe
	id := map[string]string{
		"network": c.Name(), "engine": string(p.options.Engine), "class": p.options.Class.String(), "input": c.Input.String(),
		"classes": strconv.Itoa(c.Classes), "dropout": fmt.Sprint(c.Dropout), "pad": strconv.Itoa(r.Pad),
		"flip": strconv.FormatBool(r.Flip), "smoothing": fmt.Sprint(r.Smoothing), "valid": strconv.Itoa(r.Valid),
		"initial channels": strconv.Itoa(c.InitChannels), "initialisation": string(r.Init),
		"normalisation": fmt.Sprintf("%s%+g", r.Normalize, r.Shift), "batch-norm momentum": fmt.Sprint(r.BNMomentum),
	}
	if r.Fill != train.DefaultRecipe().Fill { // as older checkpoints have it
		id["fill"] = r.Fill
	}
	if p.tuning != nil {
		id["tuning"] = p.tuning.Hash()
	}
	return id
}
