package tune

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"sparsevk/gpu"
	"sparsevk/ops"
	"sparsevk/ops/optest"
	"sparsevk/ops/record"
	"sparsevk/sparsenet"
	"sparsevk/train"
)

// ErrNoTimestamps says that a device has no clock to time kernels with.
var ErrNoTimestamps = errors.New("the device has no timestamps to time kernels with")

// A Tuner finds the fastest variants for the training of a network on a device.
type Tuner struct {
	Device  *gpu.Device
	Graph   *sparsenet.Graph
	Options sparsenet.Options // with the class of the device; without tuning
	// Variants are the ones to try beside what the class chooses; nil: all that the
	// device may have, but on software drivers, which take minutes to compile the
	// tiles for GPUs, not those.
	Variants []ops.Variant
	Runs     int       // timed steps of each round; less than 1 means 5
	Steps    int       // steps of each turn at the end; less than 1 means 5
	Program  string    // that tunes, for the file
	Now      time.Time // for the file

	// Compared, if not nil, is called after the candidates of a task were held
	// against the reference; of e the times and the variant are not known yet. Timed is
	// called after each round of all tasks, and after each turn of whole steps.
	Compared func(done, total int, e Entry, candidates []ops.Variant)
	Timed    func(what string, done, total int)

	// Tests put faults here.
	alter func(v ops.Variant, steps []ops.Step) []ops.Step
	times func(m *sparsenet.Model, runs int) ([]sparsenet.StepTime, error)
	whole func(ctx context.Context, class, tuned *sparsenet.Network) (Step, error)

	base  *sparsenet.Network
	tasks []candidates
}

// candidates are the variants of a task that agree with the reference, and the time
// of each.
type candidates struct {
	ops.Choice // of the class
	variants   []ops.Variant
	leftOut    map[ops.Variant]string
	ms         map[ops.Variant]float64
}

const (
	rounds = 2    // in which every candidate is timed, back and forth
	margin = 0.02 // by which a candidate must be faster than the choice of the class
	turns  = 3    // of whole steps, with either choice
)

// Run tunes. It returns the error of ctx if that ends, between two things that it
// does on the device. Nothing is written.
func (t *Tuner) Run(ctx context.Context) (*File, error) {
	if err := t.start(); err != nil {
		return nil, fmt.Errorf("tune: %w", err)
	}
	if err := t.compare(ctx); err != nil {
		return nil, fmt.Errorf("tune: %w", err)
	}
	if err := t.time(ctx); err != nil {
		return nil, fmt.Errorf("tune: %w", err)
	}
	f := t.file()
	if err := t.judge(ctx, f); err != nil {
		return nil, fmt.Errorf("tune: %w", err)
	}
	return f, nil
}

// start plans the network as the class has it.
func (t *Tuner) start() (err error) {
	if t.Runs < 1 {
		t.Runs = 5
	}
	if t.Steps < 1 {
		t.Steps = 5
	}
	if t.times == nil {
		t.times = train.ProfileApart
	}
	if t.whole == nil {
		t.whole = t.turns
	}
	if t.Device.Limits().TimestampBits == 0 {
		return fmt.Errorf("%s: %w", t.Device.Info().Name, ErrNoTimestamps)
	}
	t.Options.Tuning, t.Options.Inference = nil, false
	t.base, err = sparsenet.NewNetwork(t.Graph, t.Options)
	return err
}

// compare finds the candidates of every task.
func (t *Tuner) compare(ctx context.Context) error {
	choices := t.base.Choices()
	for i, c := range choices {
		q := candidates{Choice: c, leftOut: map[ops.Variant]string{}, ms: map[ops.Variant]float64{}}
		trials := t.trials(c.Task)
		for _, v := range ops.Variants(c.Role) {
			if err := ctx.Err(); err != nil {
				return err
			}
			err := t.try(trials, c, v)
			switch {
			case err == nil:
				q.variants = append(q.variants, v)
			case t.Device.Lost() != nil:
				return fmt.Errorf("%s of %s: %w", v, c.Task, err)
			case v == c.Variant:
				return fmt.Errorf("%s of %s, which the %s kernels take: %w: run 'sparsenet selftest'", v, c.Task, t.Options.Class, err)
			case errors.Is(err, errNotAsked), errors.Is(err, optest.ErrShape):
			default:
				q.leftOut[v] = strings.ReplaceAll(err.Error(), "\n", " ")
			}
		}
		t.tasks = append(t.tasks, q)
		if t.Compared != nil {
			t.Compared(i+1, len(choices), Entry{Task: c.Task.String(), Variant: c.Variant, LeftOut: q.leftOut}, q.variants)
		}
	}
	return nil
}

var errNotAsked = errors.New("not to be tried")

// try holds variant v of a task against the reference, unless there is no need.
func (t *Tuner) try(trials []*optest.Trial, c ops.Choice, v ops.Variant) error {
	traits := record.Traits(t.Device)
	switch {
	case v == c.Variant:
	case t.Variants != nil && !slices.Contains(t.Variants, v), t.Variants == nil && traits.CPU && (v.Tiles() || v.Rounds()):
		return errNotAsked
	case v == ops.QuadForm:
		if err := t.Options.Class.FitsQuad(traits); err != nil {
			return err
		}
	}
	for _, trial := range trials {
		if err := trial.Run(t.Device, v); err != nil {
			return err
		}
	}
	return nil
}

// trials are the comparisons that a variant of a task must pass: with the batch norm
// and ReLU that the network's nodes of this shape have or have not.
func (t *Tuner) trials(task ops.Task) []*optest.Trial {
	one := optest.Trial{Task: task, Class: t.Options.Class, Matrix: t.Options.Matrix, Precision: t.Options.Precision, Alter: t.alter}
	arena := t.base.Engine == sparsenet.Arena
	one.Views = arena && t.Graph.Config.Form != sparsenet.Sum
	if task.Role == ops.DataRole || task.Role == ops.GatherRole || !arena {
		return []*optest.Trial{&one}
	}
	var acts []bool
	for i := range t.Graph.Nodes {
		n := &t.Graph.Nodes[i]
		if act := n.BN != ""; uint32(n.C) == task.C && uint32(n.K) == task.K && uint32(n.R) == task.R && !slices.Contains(acts, act) {
			acts = append(acts, act)
		}
	}
	if acts == nil {
		acts = []bool{true, false}
	}
	var all []*optest.Trial
	for _, act := range acts {
		trial := one
		trial.Act = act
		all = append(all, &trial)
	}
	return all
}

// time times the candidates, all tasks at once: in each round every task has another
// of its candidates. What a dispatch takes is the median of a round; the least of the
// rounds counts, since other work on the machine only adds.
func (t *Tuner) time(ctx context.Context) error {
	most := 1
	for _, q := range t.tasks {
		most = max(most, len(q.variants))
	}
	for i := range rounds * most {
		at := i
		if i/most%2 == 1 {
			at = rounds*most - 1 - i // back again
		}
		at %= most
		if err := t.round(ctx, at); err != nil {
			return err
		}
		if t.Timed != nil {
			t.Timed("round", i+1, rounds*most)
		}
	}
	return nil
}

// round times candidate number i of every task; of a task with fewer the last.
func (t *Tuner) round(ctx context.Context, i int) error {
	now := ops.Tuning{}
	for _, q := range t.tasks {
		now[q.Task.String()] = q.variants[min(i, len(q.variants)-1)]
	}
	n, err := t.network(now)
	if err != nil {
		return err
	}
	taken := map[string]float64{}
	err = t.with(ctx, n, func(m *sparsenet.Model) error {
		times, err := t.times(m, t.Runs)
		for _, s := range times {
			if s.Part != nil {
				taken[s.Part.Task.String()] += 1e3 * s.Time.Seconds()
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	for k := range t.tasks {
		q := &t.tasks[k]
		name := q.Task.String()
		v := now[name]
		if before, ok := q.ms[v]; !ok || taken[name] < before {
			q.ms[v] = taken[name]
		}
	}
	return nil
}

// network plans the network with a tuning.
func (t *Tuner) network(now ops.Tuning) (*sparsenet.Network, error) {
	o := t.Options
	o.Tuning = now
	return sparsenet.NewNetwork(t.Graph, o)
}

// with opens n, feeds it, and closes it after f.
func (t *Tuner) with(ctx context.Context, n *sparsenet.Network, f func(m *sparsenet.Model) error) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	m, err := n.Open(t.Device, 1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	train.FeedRandom(m, 1)
	return f(m)
}

// fastest returns the variant with the least time, if it is faster than that of the
// class by more than chance.
func (q *candidates) fastest() ops.Variant {
	best := q.Variant
	for _, v := range q.variants {
		if q.ms[v] < q.ms[best] {
			best = v
		}
	}
	if !(q.ms[best] < (1-margin)*q.ms[q.Variant]) {
		return q.Variant
	}
	return best
}

// file returns the outcome before whole steps are judged.
func (t *Tuner) file() *File {
	f := &File{
		Format: format, Class: t.Options.Class.String(), Program: t.Program, Date: t.Now.UTC().Format(time.RFC3339),
		Network: t.Graph.Config.Name(), Batch: t.Options.Batch, Engine: string(t.base.Engine), Precision: t.Options.Precision.String(), Recompute: t.Options.Recompute,
	}
	if t.Options.Precision == ops.FP16 {
		f.Matrix = t.Options.Matrix
	}
	f.identity(t.Device.Info())
	for _, q := range t.tasks {
		e := Entry{Task: q.Task.String(), Variant: q.fastest(), MS: map[ops.Variant]float64{}, LeftOut: q.leftOut}
		for v, ms := range q.ms {
			e.MS[v] = math.Round(1e4*ms) / 1e4
		}
		f.Tasks = append(f.Tasks, e)
	}
	return f
}

// judge compares whole steps, and takes the fastest candidates back if they do not
// make a faster step.
func (t *Tuner) judge(ctx context.Context, f *File) error {
	if t.nothingNew(f) {
		f.Step.Kept = true
		return nil
	}
	tuned, err := t.network(f.Tuning())
	if err != nil {
		return err
	}
	if f.Step, err = t.whole(ctx, t.base, tuned); err != nil {
		return err
	}
	if f.Step.Kept {
		return nil
	}
	for i := range f.Tasks {
		f.Tasks[i].Variant = t.tasks[i].Variant
	}
	return nil
}

// nothingNew reports whether the class has chosen the fastest candidates already.
func (t *Tuner) nothingNew(f *File) bool {
	for i, q := range t.tasks {
		if f.Tasks[i].Variant != q.Variant {
			return false
		}
	}
	return true
}

// turns times whole steps of the two networks in turn.
func (t *Tuner) turns(ctx context.Context, class, tuned *sparsenet.Network) (Step, error) {
	both := [2]*sparsenet.Network{class, tuned}
	var times [2][]time.Duration
	for i := range 2 * turns {
		k := i % 2
		err := t.with(ctx, both[k], func(m *sparsenet.Model) error {
			n := 0
			for d, err := range train.TimeSteps(ctx, m, 1+t.Steps) {
				if err != nil {
					return err
				}
				if n++; n > 1 { // the first is slower
					times[k] = append(times[k], d)
				}
			}
			return nil
		})
		if err != nil {
			return Step{}, err
		}
		if t.Timed != nil {
			t.Timed("turn", i+1, 2*turns)
		}
	}
	s := Step{Class: train.Spread(times[0]).Median, Tuned: train.Spread(times[1]).Median}
	s.Kept = s.Tuned <= s.Class
	return s, nil
}
