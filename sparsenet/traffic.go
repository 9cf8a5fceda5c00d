package sparsenet

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"sparsevk/ops"
	"sparsevk/ops/record"
)

// A Load is what some steps cost, counted from the steps themselves.
type Load struct {
	Dispatches int `json:"dispatches"`
	Barriers   int `json:"barriers"` // that stand before them
	// Read and Written are the bytes of the views that the steps name, each once
	// per step: what a device moves whose caches hold all that a step uses again. A
	// view of which a kernel needs a part counts whole.
	Read    uint64 `json:"read_bytes"`
	Written uint64 `json:"written_bytes"`
	MACs    uint64 `json:"multiply_accumulates"` // as executed
}

func (l *Load) add(s *ops.Step, barrier bool) {
	l.Dispatches++
	if barrier {
		l.Barriers++
	}
	l.Read += s.Reads()
	l.Written += s.Writes()
	l.MACs += s.MACs
}

// Traffic is the load of a step of a program by phase, and of each phase by
// kernel.
type Traffic struct {
	Feed     Load `json:"feed"`
	Forward  Load `json:"forward"`
	Backward Load `json:"backward"`
	Update   Load `json:"update"`
	Total    Load `json:"total"`

	kernels [phases]kernelLoads
}

// kernelLoads is a phase's load by kernel, in the order of first use.
type kernelLoads struct {
	names []string
	loads map[string]*Load
}

func (k *kernelLoads) of(name string) *Load {
	if k.loads == nil {
		k.loads = map[string]*Load{}
	}
	if k.loads[name] == nil {
		k.loads[name] = new(Load)
		k.names = append(k.names, name)
	}
	return k.loads[name]
}

func (t *Traffic) phase(p Phase) *Load {
	return [...]*Load{&t.Feed, &t.Forward, &t.Backward, &t.Update}[p]
}

// Traffic counts a step of training, or of inference if n does not train. It
// needs no device.
func (n *Network) Traffic() Traffic {
	program := n.Train
	if program == nil {
		program = n.Eval
	}
	var steps []ops.Step
	var phase []Phase
	program.phases(anyPhase, func(p Phase, some []ops.Step) {
		steps, phase = append(steps, some...), append(phase, slices.Repeat([]Phase{p}, len(some))...)
	})
	var t Traffic
	barriers := record.Barriers(steps)
	for i := range steps {
		for _, l := range []*Load{t.phase(phase[i]), t.kernels[phase[i]].of(steps[i].Code().Name), &t.Total} {
			l.add(&steps[i], barriers[i])
		}
	}
	return t
}

// WriteText prints t as a table of phases.
func (t *Traffic) WriteText(w io.Writer) error { return t.write(w, false) }

// WriteKernels prints t as a table of phases and their kernels.
func (t *Traffic) WriteKernels(w io.Writer) error { return t.write(w, true) }

func (t *Traffic) write(w io.Writer, kernels bool) error {
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tab, "a step\tdispatches\tbarriers\tMiB read\tMiB written\tMMACs\t")
	row := func(name string, l *Load) {
		fmt.Fprintf(tab, "%s\t%d\t%d\t%.2f\t%.2f\t%.2f\t\n", name, l.Dispatches, l.Barriers, MiB(l.Read), MiB(l.Written), float64(l.MACs)/1e6)
	}
	for p := range phases {
		row(p.String(), t.phase(p))
		if kernels {
			for _, name := range t.kernels[p].names {
				row(p.String()+" "+name, t.kernels[p].loads[name])
			}
		}
	}
	row("total", &t.Total)
	if err := tab.Flush(); err != nil {
		return fmt.Errorf("sparsenet: traffic: %w", err)
	}
	return nil
}
