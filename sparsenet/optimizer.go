package sparsenet

import (
	"errors"
	"fmt"

	"sparsevk/ops"
)

// An Optimizer says how gradients change parameters.
type Optimizer string

// The optimizers, each as torch.optim has it.
const (
	SGD     Optimizer = "sgd" // with Nesterov momentum
	Adam    Optimizer = "adam"
	AdamW   Optimizer = "adamw"   // Adam with decoupled weight decay
	AMSGrad Optimizer = "amsgrad" // Adam with the largest second moment so far
)

// ParseOptimizer reads the name of an optimizer.
func ParseOptimizer(s string) (Optimizer, error) {
	switch o := Optimizer(s); o {
	case SGD, Adam, AdamW, AMSGrad:
		return o, nil
	}
	return "", fmt.Errorf("sparsenet: unknown optimizer %q: use sgd, adam, adamw or amsgrad", s)
}

// A DecayRule says which parameters weight decay applies to.
type DecayRule string

// The rules of the published recipes.
const (
	DecayAll     DecayRule = "all"     // every parameter, batch norms and biases too, as PyTorch and DenseNet do
	DecayWeights DecayRule = "weights" // weights of convolutions and of the linear layer, as the tensorpack port does
	DecayPoints  DecayRule = "points"  // the stem and 1x1 convolutions, as the Keras port does
)

// ParseDecayRule reads the name of a rule.
func ParseDecayRule(s string) (DecayRule, error) {
	switch r := DecayRule(s); r {
	case DecayAll, DecayWeights, DecayPoints:
		return r, nil
	}
	return "", fmt.Errorf("sparsenet: unknown rule of weight decay %q: use all, weights or points", s)
}

// decays tells whether weight decay applies to p, a parameter of g.
func (r DecayRule) decays(g *Graph, p Param) bool {
	switch r {
	case DecayWeights:
		return p.Kind == ConvWeight || p.Kind == LinearWeight
	case DecayPoints:
		return p.Kind == ConvWeight && (p.Shape[2] == 1 || g.Nodes[p.Node].Kind == StemConv)
	}
	return true
}

// Names of what an optimizer keeps of every parameter, see Model.Slots.
const (
	SlotMomentum = "momentum" // SGD's velocity, Adam's first moment
	SlotSecond   = "second"   // Adam's second moment
	SlotLargest  = "largest"  // AMSGrad's largest second moment
	SlotAverage  = "average"  // the moving average of the parameters
)

// slots returns the names of what is kept of every parameter under o.
func (o *Options) slots() []string {
	list := []string{SlotMomentum}
	if o.Optimizer != SGD {
		list = append(list, SlotSecond)
	}
	if o.Optimizer == AMSGrad {
		list = append(list, SlotLargest)
	}
	if o.Average {
		list = append(list, SlotAverage)
	}
	return list
}

// update adds the gradient's norm and the optimizer's step.
func (n *Network) update(p *Program) {
	var grads ops.Planes
	for i, b := range n.regions.totals() {
		grads = append(grads, b.All())
		if n.Accumulate {
			a := ops.Accumulate{Env: n.env, Label: b.Name, X: n.regions.grads[i].All(), Y: b.All(), State: n.state.All()}
			p.add(Backward, a.Steps)
		}
	}
	results := n.results.View(ops.ResultNorm2, ops.ResultNormBad+1)
	norm := ops.NewNorm2(ops.Norm2{Env: n.env, Label: "gradient", X: grads, Results: results})
	p.add(Update, norm.Steps)
	for i := range n.regions.weights {
		label := fmt.Sprintf("update%d", i)
		u := ops.Update{DW: grads[i], Norm: results, State: n.state.All(), Decay: n.regions.decays[i]}
		p.add(Update, n.step(label, i, u))
		if n.Average {
			a := ops.Average{Env: n.env, Label: label, W: n.regions.weights[i].All(), A: n.regions.slot(SlotAverage, i), State: u.State, Norm: u.Norm}
			p.add(Update, a.Steps)
		}
	}
}

// step returns the optimizer's step on block i of the parameters.
func (n *Network) step(label string, i int, u ops.Update) func() []ops.Step {
	w, m := n.regions.weights[i].All(), n.regions.slot(SlotMomentum, i)
	if n.Optimizer == SGD {
		return ops.SGD{Env: n.env, Label: label, Update: u, W: w, V: m}.Steps
	}
	a := ops.Adam{Env: n.env, Label: label, Update: u, W: w, M: m, V: n.regions.slot(SlotSecond, i), Decoupled: n.Optimizer == AdamW}
	if n.Optimizer == AMSGrad {
		a.Top = n.regions.slot(SlotLargest, i)
	}
	return a.Steps
}

// swap returns the program that exchanges parameters and their averages.
func (n *Network) swap() []ops.Step {
	var steps []ops.Step
	for i, w := range n.regions.weights {
		o := ops.Swap{Env: n.env, Label: fmt.Sprintf("average%d", i), X: w.All(), Y: n.regions.slot(SlotAverage, i)}
		steps = append(steps, o.Steps()...)
	}
	return steps
}

// Slots returns the names of what the optimizer keeps of every parameter.
func (m *Model) Slots() []string {
	if m.Inference {
		return nil
	}
	return m.slots()
}

// Slot returns what the optimizer keeps under a name of Slots, by the parameters'
// names and in their shapes.
func (m *Model) Slot(name string) (map[string][]float32, error) {
	values := map[string][]float32{}
	return values, m.collect(m.regions.slots[name], values)
}

// LoadSlot sets what the optimizer keeps under a name of Slots. A missing name or
// a wrong size is refused, and then nothing changes.
func (m *Model) LoadSlot(name string, values map[string][]float32) error {
	for _, p := range m.Graph.Params.Trained {
		if len(values[p.Name]) != p.Elems() {
			return fmt.Errorf("sparsenet: %s of %s has %d values, want %d", name, p.Name, len(values[p.Name]), p.Elems())
		}
	}
	for _, p := range m.Graph.Params.Trained {
		if err := m.mem.UploadFloats(m.regions.of(m.regions.slots[name], p.Name), values[p.Name]); err != nil {
			return err
		}
	}
	return nil
}

// UseAverage puts the moving average of the parameters in their place, for
// evaluation, or the parameters back. A network without Average has none.
func (m *Model) UseAverage(on bool) error {
	switch {
	case m.swapper == nil:
		return errors.New("sparsenet: the network keeps no average of its parameters: set Options.Average")
	case on == m.averaged:
		return nil
	}
	m.averaged = on
	return m.swapper.Run()
}
