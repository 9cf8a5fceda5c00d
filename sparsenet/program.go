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
type Program struct {
	parts []part
	env   *ops.Env
	packs map[int]*ops.Packs // by the part where a phase begins
}

func (n *Network) newProgram() *Program { return &Program{env: n.env, packs: map[int]*ops.Packs{}} }

func (p *Program) add(phase Phase, steps ...func() []ops.Step) {
	for _, s := range steps {
		p.parts = append(p.parts, part{phase, s})
	}
}

// phases calls do with the steps of each phase that is wanted, in order. Weights are
// packed where a phase begins.
func (p *Program) phases(wanted func(Phase) bool, do func(Phase, []ops.Step)) {
	for lo := 0; lo < len(p.parts); {
		phase, hi := p.parts[lo].phase, lo
		for hi < len(p.parts) && p.parts[hi].phase == phase {
			hi++
		}
		if wanted(phase) {
			if p.packs[lo] == nil {
				p.packs[lo] = ops.NewPacks(phase.String())
			}
			do(phase, p.packs[lo].Before(p.env, func() (steps []ops.Step) {
				for _, q := range p.parts[lo:hi] {
					steps = append(steps, q.steps()...)
				}
				return steps
			}))
		}
		lo = hi
	}
}

// of returns the steps of the phases that are wanted, in order.
func (p *Program) of(wanted func(Phase) bool) (all []ops.Step) {
	p.phases(wanted, func(_ Phase, steps []ops.Step) { all = append(all, steps...) })
	return all
}

func anyPhase(Phase) bool { return true }

// Steps returns all steps in order.
func (p *Program) Steps() []ops.Step { return p.of(anyPhase) }

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
	return p.of(func(q Phase) bool { return q != Update })
}

// Phase returns the steps of one phase.
func (p *Program) Phase(phase Phase) []ops.Step {
	return p.of(func(q Phase) bool { return q == phase })
}
