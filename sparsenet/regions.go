package sparsenet

import (
	"fmt"
	"maps"
	"slices"

	"sparsevk/ops"
)

// A region is parameters, their gradients and what the optimizer keeps of them, in
// blocks of equal layout. A block holds as many parameters as one bound range
// takes, all with weight decay or all without, so that the update is one step per
// block.
type regions struct {
	weights, grads []*ops.Block
	sums           []*ops.Block            // gradients of several batches; nil without Options.Accumulate
	slots          map[string][]*ops.Block // by the names of Options.slots
	decays         []bool                  // whether weight decay applies to a block
	places         map[string]place
}

// A place is where one parameter lies: block, and range of elements in it.
type place struct {
	block  int
	lo, hi uint32
}

// newRegions lays out the trained parameters of g in blocks of at most o.Range
// bytes. Without training there are neither gradients nor slots.
func newRegions(g *Graph, o *Options) (*regions, error) {
	r := &regions{slots: map[string][]*ops.Block{}, places: map[string]place{}}
	var sizes []int
	for _, decays := range []bool{true, false} {
		for _, t := range g.Params.Trained {
			if o.Decays.decays(g, t) != decays {
				continue
			}
			n := (t.Elems() + ParamAlign - 1) / ParamAlign * ParamAlign
			if uint64(4*n) > o.Range {
				return nil, fmt.Errorf("sparsenet: parameter %s has %d bytes, more than a bound range of %d: use less growth", t.Name, 4*n, o.Range)
			}
			if k := len(sizes) - 1; k < 0 || r.decays[k] != decays || uint64(4*(sizes[k]+n)) > o.Range {
				sizes, r.decays = append(sizes, 0), append(r.decays, decays)
			}
			k := len(sizes) - 1
			r.places[t.Name] = place{k, uint32(sizes[k]), uint32(sizes[k] + t.Elems())}
			sizes[k] += n
		}
	}
	for i, n := range sizes {
		r.weights = append(r.weights, keep(ops.Vector(fmt.Sprintf("parameters%d", i), ops.Parameter, n)))
		if o.Inference {
			continue
		}
		r.grads = append(r.grads, keep(ops.Vector(fmt.Sprintf("gradients%d", i), ops.Gradient, n)))
		if o.Accumulate {
			r.sums = append(r.sums, keep(ops.Vector(fmt.Sprintf("accumulated%d", i), ops.Gradient, n)))
		}
		for _, name := range o.slots() {
			r.slots[name] = append(r.slots[name], keep(ops.Vector(fmt.Sprintf("%s%d", name, i), ops.Optimizer, n)))
		}
	}
	return r, nil
}

// slot returns block i of what the optimizer keeps under a name.
func (r *regions) slot(name string, i int) ops.View { return r.slots[name][i].All() }

func keep(b *ops.Block) *ops.Block {
	b.Keep = true
	return b
}

// of returns the elements of a parameter in blocks, which are those of weights,
// gradients or a slot.
func (r *regions) of(blocks []*ops.Block, name string) ops.View {
	s, ok := r.places[name]
	if !ok {
		panic("sparsenet: no parameter " + name)
	}
	return blocks[s.block].View(s.lo, s.hi)
}

func (r *regions) weight(name string) ops.View { return r.of(r.weights, name) }

// grad returns the zero view where nothing is trained.
func (r *regions) grad(name string) ops.View {
	if len(r.grads) == 0 {
		return ops.View{}
	}
	return r.of(r.grads, name)
}

// totals returns the gradients that the optimizer reads.
func (r *regions) totals() []*ops.Block {
	if r.sums != nil {
		return r.sums
	}
	return r.grads
}

// blocks returns all blocks.
func (r *regions) blocks() []*ops.Block {
	all := slices.Concat(r.weights, r.grads, r.sums)
	for _, name := range slices.Sorted(maps.Keys(r.slots)) {
		all = append(all, r.slots[name]...)
	}
	return all
}
