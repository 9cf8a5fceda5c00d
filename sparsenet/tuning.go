package sparsenet

import (
	"fmt"

	"sparsevk/gpu"
	"sparsevk/ops"
	"sparsevk/ops/record"
)

// For returns o with the kernels that suit dev, by the table of package ops:
//
//	n, err := sparsenet.NewNetwork(graph, sparsenet.Options{Batch: 64}.For(device))
//
// A plan for one device and for another may differ in what it takes, if their
// classes do.
func (o Options) For(dev *gpu.Device) Options {
	o.Class = ops.ClassOf(record.Traits(dev))
	return o
}

// Choices returns what computes each kind and shape of convolution of n.
func (n *Network) Choices() []ops.Choice { return n.env.Choices() }

// checkTuning refuses variants that do not take the shape for which they are
// named, and a tuning that names nothing of n.
func (n *Network) checkTuning() error {
	if wrong := n.env.Misfits(); len(wrong) > 0 {
		return fmt.Errorf("sparsenet: the tuning names %q for %q, a shape that this variant does not take: choose another, such as %q", wrong[0].Variant, wrong[0].Task, ops.PlainForm)
	}
	if len(n.Tuning) == 0 {
		return nil
	}
	choices := n.Choices()
	for _, c := range choices {
		if n.Tuning[c.Task.String()] != "" || n.Tuning[c.Family()] != "" {
			return nil
		}
	}
	return fmt.Errorf("sparsenet: the tuning names none of the %d shapes of %s at batch %d with the %s engine, such as %q: tune it for these", len(choices), n.Graph.Config.Name(), n.Batch, n.Engine, choices[0].Task)
}
