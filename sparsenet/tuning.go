package sparsenet

import (
	"fmt"
	"maps"
	"slices"

	"sparsevk/gpu"
	"sparsevk/ops"
	"sparsevk/ops/record"
)

// For returns o with the kernels that suit dev, by the table of package ops, and
// with the bytes that it has:
//
//	n, err := sparsenet.NewNetwork(graph, sparsenet.Options{Batch: 64}.For(device))
//
// A plan for one device and for another may differ in what it takes, if their
// classes do.
func (o Options) For(dev *gpu.Device) Options {
	traits := record.Traits(dev)
	o.Class, o.Matrix, o.Limit = ops.ClassOf(traits), traits.Matrix, deviceBytes(dev.Info().Heaps)
	return o
}

// CompileAhead has the driver compile what a step of n needs, on several cores at
// once. Without it the first step waits for one pipeline after the other; programs
// call it before Open. Like Open it refuses a plan that cannot fit.
func (n *Network) CompileAhead(dev *gpu.Device) error {
	if err := n.fits(dev); err != nil {
		return err
	}
	p := n.Train
	if p == nil {
		p = n.Eval
	}
	if err := record.CompileAhead(dev, p.Steps()); err != nil {
		return fmt.Errorf("sparsenet: %w", err)
	}
	return nil
}

// Choices returns what computes each kind and shape of convolution of n.
func (n *Network) Choices() []ops.Choice { return n.env.Choices() }

// checkTuning refuses what the tuning names that cannot be: variants that do not
// exist, or do not take the shape, and shapes that n does not have. A network for
// inference may leave the roles of training unused.
func (n *Network) checkTuning() error {
	known := map[string]bool{}
	choices := n.Choices()
	for _, c := range choices {
		known[c.Task.String()], known[c.Family()] = true, true
	}
	names := slices.Sorted(maps.Keys(n.Tuning))
	for _, name := range names {
		if role := ops.RoleOf(name); !known[name] && !(n.Inference && slices.Contains(ops.TrainingRoles, role)) {
			return fmt.Errorf("sparsenet: the tuning names %q, which is none of the %d shapes of %s at batch %d with the %s engine, such as %q: tune it for these",
				name, len(choices), n.Graph.Config.Name(), n.Batch, n.Engine, choices[0].Task)
		}
	}
	for _, name := range names {
		if list := ops.Variants(ops.RoleOf(name)); !slices.Contains(list, n.Tuning[name]) {
			return fmt.Errorf("sparsenet: the tuning names %q for %q: use one of %v", n.Tuning[name], name, list)
		}
	}
	if wrong := n.env.Misfits(); len(wrong) > 0 {
		if wrong[0].Variant.Rounds() && (!n.Matrix.Usable() || n.Precision != ops.FP16) {
			return fmt.Errorf("sparsenet: the tuning names %q for %q: it needs maps of fp16 and a device that multiplies cooperative matrices of them (VK_KHR_cooperative_matrix)", wrong[0].Variant, wrong[0].Task)
		}
		return fmt.Errorf("sparsenet: the tuning names %q for %q, a shape that this variant does not take: choose another, such as %q", wrong[0].Variant, wrong[0].Task, ops.PlainForm)
	}
	return nil
}
