package tune

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/gpu"
	"sparsevk/ops"
	"sparsevk/ops/optest"
	"sparsevk/sparsenet"
)

// tuner returns one of a tiny network: on a device with quads of their class, whose
// variants compile fast; on others of plain kernels, of the weight gradients of which
// one variant more is tried.
func tuner(t *testing.T) (*Tuner, ops.Variant) {
	dev := optest.Device(t)
	if dev.Limits().TimestampBits == 0 {
		t.Skip(ErrNoTimestamps)
	}
	_, g, o := sample(t)
	u := &Tuner{Device: dev, Graph: g, Options: o, Runs: 1, Steps: 1, Program: "test", Now: time.Unix(0, 0)}
	if class, err := optest.QuadClass(dev); err == nil {
		u.Options.Class = class
		return u, ops.QuadForm
	}
	u.Options.Class, u.Variants = ops.Plain, []ops.Variant{"tile-16k"}
	return u, "tile-16k"
}

// clock returns times that a test chooses instead of the device's.
func clock(of func(c ops.Choice) time.Duration) func(*sparsenet.Model, int) ([]sparsenet.StepTime, error) {
	return func(m *sparsenet.Model, _ int) (times []sparsenet.StepTime, err error) {
		seen := map[ops.Choice]bool{}
		for _, s := range m.Train.Steps() {
			if s.Part != nil && !seen[*s.Part] {
				seen[*s.Part] = true
				times = append(times, sparsenet.StepTime{Step: s, Time: of(*s.Part)})
			}
		}
		return times, nil
	}
}

// steps returns what judges whole steps instead of the clock.
func steps(s Step) func(context.Context, *sparsenet.Network, *sparsenet.Network) (Step, error) {
	return func(context.Context, *sparsenet.Network, *sparsenet.Network) (Step, error) { return s, nil }
}

// A whole run on the device's own clock: every task has a time for every candidate,
// and what was found can be loaded and trained with in the bytes that are planned.
func TestTuner(t *testing.T) {
	u, other := tuner(t)
	compared, timed := 0, 0
	u.Compared = func(done, total int, e Entry, candidates []ops.Variant) {
		compared++
		assert.Equal(t, compared, done)
		assert.Contains(t, candidates, e.Variant)
		assert.Empty(t, e.LeftOut)
	}
	u.Timed = func(string, int, int) { timed++ }
	f, err := u.Run(t.Context())
	require.NoError(t, err)
	n, err := sparsenet.NewNetwork(u.Graph, u.Options)
	require.NoError(t, err)
	require.Len(t, f.Tasks, len(n.Choices()))
	assert.Equal(t, len(f.Tasks), compared)
	more := 0
	for i, c := range n.Choices() {
		e := f.Tasks[i]
		assert.Equal(t, c.Task.String(), e.Task)
		assert.Contains(t, e.MS, e.Variant)
		for v, ms := range e.MS {
			assert.Positive(t, ms, "%s %s", e.Task, v)
		}
		if _, ok := e.MS[other]; ok && len(e.MS) == 2 {
			more++
		}
	}
	assert.Positive(t, more, "some task had a choice")
	if f.Step.Class == 0 { // by chance, or because the class is right
		assert.Equal(t, Step{Kept: true}, f.Step)
		assert.Equal(t, rounds*2, timed)
	} else {
		assert.Positive(t, f.Step.Tuned)
		assert.Equal(t, f.Step.Tuned <= f.Step.Class, f.Step.Kept)
		assert.Equal(t, rounds*2+2*turns, timed)
	}

	path := filepath.Join(t.TempDir(), "tuned.json")
	require.NoError(t, f.Save(path))
	f, err = Load(path)
	require.NoError(t, err)
	require.NoError(t, f.On(u.Device.Info()))
	o, err := f.Apply(u.Graph, u.Options)
	require.NoError(t, err)
	n, err = sparsenet.NewNetwork(u.Graph, o)
	require.NoError(t, err)
	before := u.Device.Allocated()
	m, err := n.Open(u.Device, 1)
	require.NoError(t, err)
	defer func() { assert.NoError(t, m.Close()) }()
	assert.Equal(t, n.Memory().Total-gpu.StagingBytes, u.Device.Allocated()-before)
	_, err = m.TrainStep(sparsenet.Hyper{Rate: 0.1, Valid: 2})
	assert.NoError(t, err)
}

// The fastest candidate wins if it is faster by more than chance, and only if whole
// steps are.
func TestTunerChooses(t *testing.T) {
	for _, c := range []struct {
		other time.Duration // of the candidate that the class does not choose, which takes 100 ms
		kept  bool
		wins  bool
	}{{50, true, true}, {99, true, false}, {150, true, false}, {50, false, false}} {
		u, _ := tuner(t)
		n, err := sparsenet.NewNetwork(u.Graph, u.Options)
		require.NoError(t, err)
		class := map[string]ops.Variant{}
		for _, q := range n.Choices() {
			class[q.Task.String()] = q.Variant
		}
		u.times = clock(func(q ops.Choice) time.Duration {
			if q.Variant == class[q.Task.String()] {
				return 100 * time.Millisecond
			}
			return c.other * time.Millisecond
		})
		u.whole = steps(Step{2, 1, c.kept})
		f, err := u.Run(t.Context())
		require.NoError(t, err)
		won := 0
		for _, e := range f.Tasks {
			if e.Variant != class[e.Task] {
				won++
				assert.Less(t, e.MS[e.Variant], e.MS[class[e.Task]], e.Task)
			}
		}
		assert.Equal(t, c.wins, won > 0, "%+v: %d tasks", c, won)
		assert.Equal(t, c.kept, f.Step.Kept)
		if c.other == 99 {
			assert.Equal(t, Step{Kept: true}, f.Step, "there is nothing to compare")
		}
	}
}

// A candidate that computes something else is left out, however fast it is.
func TestTunerRejectsWrong(t *testing.T) {
	u, other := tuner(t)
	if other == ops.QuadForm { // so that what is wrong is not the choice of the class
		if u.Options.Class != ops.Quad { // the plain class has quads of 8 lanes only
			other = "tile-16k"
		}
		u.Options.Class, u.Variants = ops.Plain, []ops.Variant{other}
	}
	u.alter = func(v ops.Variant, steps []ops.Step) []ops.Step {
		if v != other || len(steps) < 2 {
			return steps
		}
		return slices.DeleteFunc(steps, func(s ops.Step) bool { return s.MACs > 0 && s.Part.Role == ops.WeightsRole }) // it leaves all to do
	}
	u.times = clock(func(q ops.Choice) time.Duration {
		if q.Variant == other {
			return time.Microsecond
		}
		return time.Second
	})
	u.whole = steps(Step{2, 1, true})
	f, err := u.Run(t.Context())
	require.NoError(t, err)
	wrong := 0
	for _, e := range f.Tasks {
		if why, ok := e.LeftOut[other]; ok {
			wrong++
			assert.Contains(t, why, "wrong results")
			assert.Equal(t, ops.PlainForm, e.Variant, e.Task)
			assert.NotContains(t, e.MS, other)
		} else if _, ok := e.MS[other]; ok {
			assert.Equal(t, other, e.Variant, "the others still win: %s", e.Task)
		}
	}
	assert.Positive(t, wrong)
}

// What the class itself takes must be right, or nothing is tuned.
func TestTunerWrongClass(t *testing.T) {
	u, _ := tuner(t)
	u.alter = func(_ ops.Variant, steps []ops.Step) []ops.Step {
		return steps[:1] // the rest is never written
	}
	_, err := u.Run(t.Context())
	assert.ErrorIs(t, err, optest.ErrWrong)
	assert.ErrorContains(t, err, "run 'sparsenet selftest'")
}

// An interruption ends it, wherever it comes, and nothing stays allocated.
func TestTunerStops(t *testing.T) {
	for _, at := range []int{1, 3, 1000} {
		u, _ := tuner(t)
		u.whole = nil
		ctx, cancel := context.WithCancel(t.Context())
		u.Compared = func(done, _ int, _ Entry, _ []ops.Variant) {
			if done == at {
				cancel()
			}
		}
		u.Timed = func(string, int, int) { cancel() }
		before := u.Device.Allocated()
		f, err := u.Run(ctx)
		cancel()
		assert.ErrorIs(t, err, context.Canceled)
		assert.Nil(t, f)
		assert.Equal(t, before, u.Device.Allocated())
	}
}

// Whole steps take turns by the host's clock.
func TestTunerTurns(t *testing.T) {
	u, _ := tuner(t)
	u.times = clock(func(ops.Choice) time.Duration { return time.Millisecond })
	seen := []int{}
	u.Timed = func(what string, done, total int) {
		if what == "turn" {
			seen = append(seen, done)
			assert.Equal(t, 2*turns, total)
		}
	}
	require.NoError(t, u.start())
	s, err := u.turns(t.Context(), u.base, u.base)
	require.NoError(t, err)
	assert.Positive(t, s.Class)
	assert.Positive(t, s.Tuned)
	assert.Equal(t, s.Tuned <= s.Class, s.Kept)
	assert.Equal(t, []int{1, 2, 3, 4, 5, 6}, seen)
}
