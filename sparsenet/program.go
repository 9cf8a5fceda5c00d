package sparsenet

import (
	"fmt"

	"sparsevk/ops"
)

// A Phase is a part of a training step, for counts and times.
type Phase uint8

// The phases of a step.
const (
	Feed     Phase = iota // images to planes
	Forward               // to the loss
	Backward              // to the gradients of the parameters
	Update                // of the parameters
	phases
)

// String returns the name of the phase.
func (p Phase) String() string {
	return [...]string{"feed", "forward", "backward", "update"}[p]
}

// A part makes some steps of a phase. It is asked before planning, for
// lifetimes, and after it, for offsets.
type part struct {
	phase Phase
	steps func() []ops.Step
}

// A Program is what a recording runs: steps in order, by phase.
type Program struct{ parts []part }

func (p *Program) add(phase Phase, steps ...func() []ops.Step) {
	for _, s := range steps {
		p.parts = append(p.parts, part{phase, s})
	}
}

// Steps returns all steps in order.
func (p *Program) Steps() []ops.Step {
	var all []ops.Step
	for _, q := range p.parts {
		all = append(all, q.steps()...)
	}
	return all
}

// Pipelines returns how many pipelines the steps of p share: kernels under
// different specialisations. It does not grow with depth.
func (p *Program) Pipelines() int {
	seen := map[string]bool{}
	for _, s := range p.Steps() {
		seen[fmt.Sprint(s.Kernel.Name, s.Spec)] = true
	}
	return len(seen)
}

// gradient returns the steps of all phases before the update.
func (p *Program) gradient() []ops.Step {
	var all []ops.Step
	for _, q := range p.parts {
		if q.phase != Update {
			all = append(all, q.steps()...)
		}
	}
	return all
}

// Phase returns the steps of one phase.
func (p *Program) Phase(phase Phase) []ops.Step {
	var all []ops.Step
	for _, q := range p.parts {
		if q.phase == phase {
			all = append(all, q.steps()...)
		}
	}
	return all
}
