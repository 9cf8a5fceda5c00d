package sparsenet

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"sparsevk/ops"
	"sparsevk/ops/record"
)

// A StepTime is one dispatch of a step with the time that it took on the
// device.
type StepTime struct {
	ops.Step
	Phase Phase
	Time  time.Duration // median over the runs
	First time.Duration // of the run before them, which carries what the driver compiles when it first dispatches
}

// Profile runs the network on the batch that was fed, one training step or, for
// a network for inference, one evaluation for each run, and returns what every
// dispatch took by the device's clock, in order. A run before them does not
// count; on a model that has run nothing yet it carries the driver's compiling.
// Like TrainStep it changes the parameters. A device without timestamps is an
// error.
func (m *Model) Profile(h Hyper, runs int) (times []StepTime, err error) {
	return m.profile(h, runs, record.Options{Timestamps: true})
}

// ProfileApart is Profile with a barrier before every dispatch, so that each is
// timed alone. A step takes longer then.
func (m *Model) ProfileApart(h Hyper, runs int) ([]StepTime, error) {
	barriers := make([]bool, len(m.program().Steps()))
	for i := range barriers {
		barriers[i] = true
	}
	return m.profile(h, runs, record.Options{Timestamps: true, Barriers: barriers})
}

// program returns what a profile runs.
func (m *Model) program() *Program {
	if m.Train == nil {
		return m.Eval
	}
	return m.Train
}

func (m *Model) profile(h Hyper, runs int, o record.Options) (times []StepTime, err error) {
	if runs < 1 {
		return nil, fmt.Errorf("sparsenet: a profile of %d runs: want at least 1", runs)
	}
	program, training := m.program(), m.Train != nil
	if !training {
		if err := m.prepare(); err != nil {
			return nil, err
		}
	}
	times = program.timed()
	steps := make([]ops.Step, len(times))
	for i := range times {
		steps[i] = times[i].Step
	}
	r, err := record.New(m.Device, m.mem, steps, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	taken := make([][]time.Duration, len(times))
	for i := range runs + 1 {
		if _, err := m.lanes[0].run(r, h, training); err != nil {
			return nil, err
		}
		if training {
			m.ready = false
			m.stats.trained()
		}
		for k, d := range r.Times() {
			if i == 0 {
				times[k].First = d
			} else {
				taken[k] = append(taken[k], d)
			}
		}
	}
	for k := range times {
		slices.Sort(taken[k])
		times[k].Time = taken[k][runs/2]
	}
	return times, nil
}

// timed returns the steps of p with their phases.
func (p *Program) timed() []StepTime {
	var all []StepTime
	p.phases(anyPhase, func(phase Phase, steps []ops.Step) {
		for _, s := range steps {
			all = append(all, StepTime{Step: s, Phase: phase})
		}
	})
	return all
}
