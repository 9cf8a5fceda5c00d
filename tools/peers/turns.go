package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// slow is how long a step may take at most for its contender to take part in the
// rounds. A slower one is measured by one step.
const slow = 10 * time.Second

// rest lets the threads of the one before go to sleep.
const rest = 200 * time.Millisecond

// compare measures the contenders of j: in turns, or apart, one after the other.
// The limit is for the rounds: starting comes on top.
func (b *bench) compare(ctx context.Context, j job, limit time.Duration) (Result, error) {
	r := Result{setup: j.setup, When: time.Now().UTC().Truncate(time.Second), Commit: commit(), Command: commandLine(), Load: load1(), Apart: b.apart}
	fields := [][]string{j.contenders}
	if b.apart {
		fields = nil
		for _, name := range j.contenders {
			fields = append(fields, []string{name})
		}
	}
	for _, names := range fields {
		if err := b.turns(ctx, &r, names, limit/time.Duration(len(fields))); err != nil {
			return r, err
		}
	}
	slices.SortFunc(r.Contenders, func(x, y Contender) int {
		return slices.Index(j.contenders, x.Name) - slices.Index(j.contenders, y.Name)
	})
	if err := r.sameNetwork(); err != nil {
		return r, err
	}
	var err error
	r.Kernels, err = b.kernels(ctx, j.setup)
	return r, err
}

// sameNetwork holds the contenders to the same network: equal numbers of
// parameters.
func (r *Result) sameNetwork() error {
	for _, c := range r.Contenders {
		if first := r.Contenders[0]; c.Hello.Parameters != first.Hello.Parameters {
			return fmt.Errorf("%s trains %d parameters, %s %d: not the same network",
				c.Name, c.Hello.Parameters, first.Name, first.Hello.Parameters)
		}
	}
	return nil
}

// A runner is a contender that takes turns.
type runner struct {
	*child
	rounds [][]float64
}

// turns lets contenders take turns for as many rounds as there is time for, at
// least one, and adds them to r. A peer that cannot start, or do its first steps, is
// absent, with the reason; one that fails in a turn ends the comparison.
func (b *bench) turns(ctx context.Context, r *Result, names []string, limit time.Duration) error {
	field, err := b.enter(ctx, r, names)
	defer func() {
		for _, c := range field {
			c.kill()
		}
	}()
	if err != nil {
		return err
	}
	begun := time.Now()
	for round := range b.rounds {
		if round > 0 && time.Since(begun) > limit*9/10 {
			progress("%v: %d of %d rounds in %v", r.setup, round, b.rounds, limit.Round(time.Second))
			break
		}
		for i := range field {
			c := field[(i+round)%len(field)] // nobody is always first
			if err := c.turn(ctx, b.turn); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
	}
	for _, c := range field {
		if err := c.finish(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// turn lets c train for about as long as a turn is, one step at least.
func (c *runner) turn(ctx context.Context, long time.Duration) error {
	n := 1
	if len(c.rounds) > 0 {
		n = int(max(1, long/time.Duration(median(c.rounds[0])*1e6)))
	}
	time.Sleep(rest)
	ms, err := c.steps(ctx, n)
	if err == nil {
		c.rounds = append(c.rounds, ms)
	}
	return err
}

// finish ends c and adds what it did to r.
func (c *runner) finish(ctx context.Context, r *Result) (err error) {
	k := Contender{Name: c.name, Hello: c.hello, Rounds: c.rounds}
	if k.Memory, k.RSSBytes, err = c.end(ctx); err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	progress("%v %s: best %.0f ms, %d rounds", r.setup, c.name, k.best(), len(k.Rounds))
	r.Contenders = append(r.Contenders, k)
	return nil
}

// enter starts contenders and returns those that take turns, in the order of
// their names. The last start first: these are the ones that may be slow and
// large, and a slow one has done its step and is gone before the next comes.
func (b *bench) enter(ctx context.Context, r *Result, names []string) (field []*runner, err error) {
	for _, name := range slices.Backward(names) {
		c, err := b.warm(ctx, r, name)
		if ctx.Err() != nil {
			return field, ctx.Err()
		}
		if err != nil {
			if slices.Contains(ours, name) {
				return field, fmt.Errorf("%s: %w", name, err)
			}
			progress("%v %s: missing: %v", r.setup, name, err)
			r.Absent = append(r.Absent, Missing{name, err.Error()})
			continue
		}
		if c != nil {
			field = slices.Insert(field, 0, c)
		}
	}
	return field, nil
}

// warm starts a contender and lets it do one step more than its first. If that
// one is slow, it counts, and the contender is through: it returns nil.
func (b *bench) warm(ctx context.Context, r *Result, name string) (*runner, error) {
	started, err := b.start(ctx, name, r.setup)
	if err != nil {
		return nil, err
	}
	c := &runner{child: started}
	ms, err := c.steps(ctx, 1)
	if err == nil && ms[0] > slow.Seconds()*1e3 {
		c.rounds = [][]float64{ms}
		err = c.finish(ctx, r)
		c.kill()
		return nil, err
	}
	if err != nil {
		c.kill()
		return nil, err
	}
	return c, nil
}
