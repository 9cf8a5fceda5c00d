package sparsenet

import (
	"errors"

	"sparsevk/ops"
)

// An evaluation keeps a map until its last reader is done, and training all of them:
// so in the bytes of a training step several batches can be evaluated at once, which
// fills a GPU better and is fewer steps. How many is decided by the plan alone, so
// that it is the same on every run of a network: an evaluation of other batches sums
// its loss in another order.

// widestEval is the most batches that are evaluated at once: beyond it little is
// gained, and the host's part of the memory grows.
const widestEval = 8

// quadPixels is the most pixels of input that are evaluated at once where a driver in
// software runs the network, 64 images of CIFAR: few cores are full by then, and maps
// that are larger leave the caches (measured, eval of 8 to 320 images).
const quadPixels = 64 * 32 * 32

// evaluation adds the programs that evaluate.
func (n *Network) evaluation() {
	n.Eval = n.evaluates()
	if n.EvalBatch == n.Batch {
		return
	}
	w := *n // the same network with another batch
	w.Batch, w.logits = n.EvalBatch, nil
	w.newInput()
	n.Wide, n.wide = w.evaluates(), w.logits
}

func (n *Network) evaluates() *Program {
	p := n.newProgram()
	n.feed(p)
	n.evaluate(n, p)
	return p
}

// mostBatches is how many batches an evaluation takes at most, wherever they fit.
func (n *Network) mostBatches() int {
	if !n.Class.Quads() {
		return widestEval
	}
	in := n.Graph.Config.Input
	return min(widestEval, quadPixels/(n.Batch*in.H*in.W))
}

// widest returns n with the most batches in a wide evaluation that fit in what n
// takes, counted up from 2 to mostBatches or to the first that does not; or n itself
// if not even 2 do. A tuning is for one batch, and floats are fed for one.
func (n *Network) widest() (*Network, error) {
	if len(n.Tuning) > 0 || n.Floats || n.Features {
		return n, nil
	}
	base, best := n, n
	if n.Inference {
		o := n.Options
		o.Inference = false
		var err error
		if base, err = layOut(n.Graph, o, 1); err != nil {
			return n, without[*ops.TooLargeError](err)
		}
	}
	for batches := 2; batches <= n.mostBatches(); batches++ {
		w, err := layOut(n.Graph, n.Options, batches)
		if err != nil {
			return best, without[*ops.TooLargeError](err)
		}
		if !w.fitsIn(base) {
			break
		}
		best = w
	}
	return best, nil
}

// without returns err unless it is an E.
func without[E error](err error) error {
	if errors.As(err, new(E)) {
		return nil
	}
	return err
}

// fitsIn reports whether the wide evaluation of n takes nothing beside what n takes
// to train without it, which is base: maps, scratch and workspace are no larger. Only
// what the host and an evaluation exchange is: images, labels, numbers and logits.
// With it the plan is within Options.Limit.
func (n *Network) fitsIn(base *Network) bool {
	room := map[ops.Purpose]uint64{ops.Map: (n.wide.Bytes() + ops.Align - 1) &^ (ops.Align - 1)}
	for _, p := range []ops.Purpose{ops.Map, ops.Scratch, ops.Workspace} {
		if n.Plan.Regions[p].Bytes() > base.Plan.Regions[p].Bytes()+room[p] {
			return false
		}
	}
	return n.Limit == 0 || n.Memory().Total <= n.Limit
}
