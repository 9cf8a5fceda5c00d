package sparsenet

import (
	"fmt"

	"sparsevk/ops"
)

// A region is parameters, their gradients and their momentum in blocks of equal
// layout. A block holds as many parameters as one bound range takes, so that the
// update is one step per block.
type regions struct {
	weights, grads, momentum []*ops.Block
	slots                    map[string]slot
}

// A slot is where one parameter lies: block, and range of elements in it.
type slot struct {
	block  int
	lo, hi uint32
}

// newRegions lays out the trained parameters of p in blocks of at most limit
// bytes. Without training there are neither gradients nor momentum.
func newRegions(p *Params, limit uint64, training bool) (*regions, error) {
	r := &regions{slots: map[string]slot{}}
	var sizes []int
	for _, t := range p.Trained {
		n := (t.Elems() + ParamAlign - 1) / ParamAlign * ParamAlign
		if uint64(4*n) > limit {
			return nil, fmt.Errorf("sparsenet: parameter %s has %d bytes, more than a bound range of %d: use less growth", t.Name, 4*n, limit)
		}
		if k := len(sizes) - 1; k < 0 || uint64(4*(sizes[k]+n)) > limit {
			sizes = append(sizes, 0)
		}
		k := len(sizes) - 1
		r.slots[t.Name] = slot{k, uint32(sizes[k]), uint32(sizes[k] + t.Elems())}
		sizes[k] += n
	}
	for i, n := range sizes {
		r.weights = append(r.weights, keep(ops.Vector(fmt.Sprintf("parameters%d", i), ops.Parameter, n)))
		if training {
			r.grads = append(r.grads, keep(ops.Vector(fmt.Sprintf("gradients%d", i), ops.Gradient, n)))
			r.momentum = append(r.momentum, keep(ops.Vector(fmt.Sprintf("momentum%d", i), ops.Optimizer, n)))
		}
	}
	return r, nil
}

func keep(b *ops.Block) *ops.Block {
	b.Keep = true
	return b
}

// of returns the elements of a parameter in blocks, which are those of weights,
// gradients or momentum.
func (r *regions) of(blocks []*ops.Block, name string) ops.View {
	s, ok := r.slots[name]
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

// blocks returns all blocks.
func (r *regions) blocks() []*ops.Block {
	var all []*ops.Block
	for _, bs := range [][]*ops.Block{r.weights, r.grads, r.momentum} {
		all = append(all, bs...)
	}
	return all
}
