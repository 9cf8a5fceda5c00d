package sparsenet

import "sparsevk/ops"

// The backward pass under Options.Recompute.
//
// The output of a bottleneck's 1x1 convolution is four times as wide as what its
// 3x3 makes of it. It is made again when the turn of its layer comes, in a block
// that lives for that turn alone, since its gradient must not live on either: a
// map does not gather its gradient from all readers at the end, but every reader,
// as soon as it is finished, hands its part to the sum of each map that it reads.
// So a second copy is kept of the maps of a stage that have been read, and none of
// the wide ones. Statistics are not taken again, and running ones not updated.

// gradientSum is where the readers of a map add up its gradient.
type gradientSum struct {
	g    ops.View
	coef *ops.Block
}

// again adds the steps that make the input of layer i, a bottleneck's output, once
// more, to be read and overwritten by what follows.
func (a *arena) again(i int) {
	inner, layer := &a.Graph.Nodes[i-1], &a.Graph.Nodes[i]
	name := inner.Name + "/again"
	a.maps[inner.Out] = a.mapBlock(name, inner.Out)
	a.nodes[i-1].conv = a.newConv(inner, name, a.nodes[i-1].links, false)
	a.convolve(Backward, inner, a.nodes[i-1].conv)
	a.nodes[i].links = a.link(Backward, i, layer)
	a.nodes[i].conv = a.newConv(layer, layer.Name, a.nodes[i].links, false)
}

// hand adds what node i, which is finished, gives to the sums of the maps of a
// stage that it reads. The other maps have one reader, and gather from it.
func (a *arena) hand(i int) {
	g := &a.Graph.Nodes[i]
	if g.Kind != Bottleneck && g.Kind != Transition && g.Kind != Head {
		return
	}
	c0 := 0
	for pos, id := range g.In {
		x, readers := a.maps[id], a.Graph.Readers[id]
		sum, begun := a.sums[id], true
		if sum == nil {
			sum, begun = newGradientSum(x), false
			a.sums[id] = sum
		}
		gather := ops.NewGather(ops.Gather{
			Env: a.env, Label: g.Name, X: x.All(), Readers: []ops.Reader{a.reader(Read{i, pos, c0}, x.All(), x.Name)},
			G: sum.g, Coef: sum.coef, Stats: a.stats[id], Begun: begun, Open: readers[0].Node != i,
		})
		a.program.add(Backward, gather.Steps)
		c0 += a.Graph.Maps[id].C
	}
}

func newGradientSum(x *ops.Block) *gradientSum {
	g := *x
	g.Name += "/gradient"
	g.Precision = ops.FP32
	return &gradientSum{g.All(), ops.Vector(x.Name+"/coefficients", ops.Workspace, 4*int(x.C))}
}

// finish turns the sum of the map that g made into its gradient, over the map.
func (a *arena) finish(g *Node) {
	sum := a.sums[g.Out]
	f := ops.Finalise{Env: a.env, Label: g.Name, X: a.maps[g.Out].All(), G: sum.g, Coef: sum.coef}
	a.program.add(Backward, f.Steps)
}
