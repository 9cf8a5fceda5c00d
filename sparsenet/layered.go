package sparsenet

import "sparsevk/ops"

// buildLayered lays out the layered engine: for each node a copied
// concatenation, batch norm with ReLU, and the convolution, their outputs kept
// for the backward pass; gradients of maps in blocks of their own. Memory is
// freed as early as the steps allow.
func (n *Network) buildLayered() {
	n.stats = newReaderStats(n.Graph)
	if !n.Inference {
		n.Train = n.newProgram()
		n.feed(n.Train)
		l := newLayered(n, n.Train, true)
		l.forward()
		l.backward()
		n.update(n.Train)
	}
	n.evaluate = func(n *Network, p *Program) { newLayered(n, p, false).forward() }
}

// layered builds one program of the layered engine.
type layered struct {
	*Network
	program  *Program
	training bool
	maps     []*ops.Block // outputs
	dmaps    []*ops.Block // their gradients
	begun    []bool       // the gradient of a map holds the part of at least one reader
	nodes    []layeredNode
}

// layeredNode is the ops of one node. What a node lacks is nil.
type layeredNode struct {
	in      ops.Planes
	x       ops.View // the inputs together
	concat  *ops.Concat
	bn      *ops.BatchNorm
	conv    *ops.Conv
	dropout *ops.Dropout
	average *ops.AvgPool
	most    *ops.MaxPool
	global  *ops.GlobalAvgPool
	linear  *ops.Linear
}

func newLayered(n *Network, p *Program, training bool) *layered {
	l := &layered{Network: n, program: p, training: training}
	for id, m := range n.Graph.Maps {
		b := n.input
		if id > 0 {
			b = n.mapBlock(m.Name, id)
		}
		l.maps = append(l.maps, b)
		l.dmaps = append(l.dmaps, n.mapBlock("d/"+m.Name, id))
	}
	l.begun = make([]bool, len(l.maps))
	return l
}

// forward adds the steps up to the loss.
func (l *layered) forward() {
	for i := range l.Graph.Nodes {
		l.nodes = append(l.nodes, l.forwardNode(&l.Graph.Nodes[i]))
	}
}

func (l *layered) forwardNode(g *Node) layeredNode {
	var n layeredNode
	for _, id := range g.In {
		n.in = append(n.in, l.maps[id].All())
	}
	x := l.aggregate(g, &n)
	n.x = x
	if g.BN != "" {
		x = l.normalise(g, &n, x)
	}
	switch g.Kind {
	case Head:
		features := &ops.Block{Name: "features", Purpose: ops.Map, C: uint32(g.C), N: uint32(l.Batch), H: 1, W: 1}
		n.global = &ops.GlobalAvgPool{Env: l.env, Label: g.Name, X: x, Y: features.All()}
		l.program.add(Forward, n.global.Forward)
		n.linear = l.classify(l.program, features, l.training)
	case StemPool:
		n.most = &ops.MaxPool{Env: l.env, Label: g.Name, Window: window(g), X: x, Y: l.maps[g.Out].All()}
		l.program.add(Forward, n.most.Forward)
	default:
		l.convolve(g, &n, x)
	}
	return n
}

func window(g *Node) ops.Window {
	return ops.Window{R: uint32(g.R), S: uint32(g.S), Stride: uint32(g.Stride), Pad: uint32(g.Pad)}
}

// aggregate returns the inputs together; a single one is its own concatenation
// and its own sum.
func (l *layered) aggregate(g *Node, n *layeredNode) ops.View {
	switch {
	case len(n.in) == 1:
		return n.in[0]
	case l.Graph.Config.Form == Sum:
		return l.sum(g, n)
	}
	return l.concatenate(g, n)
}

// sum adds the inputs up in a block of its own.
func (l *layered) sum(g *Node, n *layeredNode) ops.View {
	from := n.in[0].Block
	sum := l.block(g.Name+"/sum", g.C, int(from.H), int(from.W)).All()
	l.program.add(Forward, ops.Copy{Env: l.env, Label: g.Name + "/sum", X: n.in[0], Y: sum}.Steps)
	for _, x := range n.in[1:] {
		l.program.add(Forward, ops.Add{Env: l.env, Label: g.Name + "/sum", X: x, Y: sum}.Steps)
	}
	return sum
}

// concatenate copies the inputs into one block.
func (l *layered) concatenate(g *Node, n *layeredNode) ops.View {
	from := n.in[0].Block
	cat := l.block(g.Name+"/concat", g.C, int(from.H), int(from.W)).All()
	n.concat = &ops.Concat{Env: l.env, Label: g.Name + "/concat", X: n.in, Y: cat}
	l.program.add(Forward, n.concat.Forward)
	return cat
}

// normalise adds batch norm and ReLU.
func (l *layered) normalise(g *Node, n *layeredNode, x ops.View) ops.View {
	y := l.block(g.Name+"/bn", g.C, int(x.Block.H), int(x.Block.W)).All()
	stats := l.stats.(*readerStats)
	n.bn = ops.NewBatchNorm(ops.BatchNorm{
		Env: l.env, Label: g.Name, Epsilon: Epsilon, ReLU: true, X: x, Y: y,
		Gamma: l.regions.weight(g.BN + ".weight"), Beta: l.regions.weight(g.BN + ".bias"),
		DGamma: l.regions.grad(g.BN + ".weight"), DBeta: l.regions.grad(g.BN + ".bias"),
		RunningMean: stats.view(g.BN + ".running_mean"), RunningVar: stats.view(g.BN + ".running_var"),
		State: l.state.All(),
	})
	if l.training {
		l.program.add(Forward, n.bn.Forward)
	} else {
		l.program.add(Forward, n.bn.Evaluate)
	}
	return y
}

// convolve adds the convolution, and dropout or the transition's pooling.
func (l *layered) convolve(g *Node, n *layeredNode, x ops.View) {
	out := l.maps[g.Out].All()
	y := out
	if g.Pool {
		y = l.block(g.Name+"/conv", g.K, int(x.Block.H), int(x.Block.W)).All()
	}
	name := g.Conv + ".weight"
	n.conv = ops.NewConv(ops.Conv{
		Env: l.env, Label: g.Name, X: ops.Planes{x}, W: l.regions.weight(name), DW: l.regions.grad(name), Y: y,
		Geometry: ops.Geometry{R: uint32(g.R), S: uint32(g.S), Stride: uint32(g.Stride), Pad: uint32(g.Pad)},
	})
	l.program.add(Forward, n.conv.Forward)
	if g.Pool {
		n.average = &ops.AvgPool{Env: l.env, Label: g.Name, Window: ops.Window{R: 2, S: 2, Stride: 2}, X: y, Y: out}
		l.program.add(Forward, n.average.Forward)
	}
	if g.Dropout > 0 && l.training {
		n.dropout = &ops.Dropout{Env: l.env, Label: g.Name, Rate: float32(g.Dropout), Layer: uint32(g.Out), X: out, Y: out, State: l.state.All()}
		l.program.add(Forward, n.dropout.Forward)
	}
}

// backward adds the steps from the loss to the gradients, in reverse order.
func (l *layered) backward() {
	for i := len(l.nodes) - 1; i >= 0; i-- {
		l.backwardNode(&l.Graph.Nodes[i], &l.nodes[i])
	}
}

func (l *layered) backwardNode(g *Node, n *layeredNode) {
	if g.Kind != Head && !l.begun[g.Out] { // a wiring of the caller's own may leave a map unread
		l.program.add(Backward, ops.Fill{Env: l.env, Label: g.Name, Y: l.dmaps[g.Out].All()}.Steps)
	}
	if g.Kind == StemConv {
		n.conv.DY = l.dmaps[g.Out].All()
		l.program.add(Backward, n.conv.BackwardWeights)
		return
	}
	dy := l.block(g.Name+"/dbn", g.C, int(n.x.Block.H), int(n.x.Block.W)).All()
	switch g.Kind {
	case Head:
		n.global.DY, n.global.DX = n.linear.DX, dy
		l.program.add(Backward, n.global.Backward)
	case StemPool:
		n.most.DY, n.most.DX = l.dmaps[g.Out].All(), dy
		l.program.add(Backward, n.most.Backward)
	default:
		l.backwardConv(g, n, dy)
	}
	l.backwardInputs(g, n, dy)
}

// backwardConv adds the gradients of a convolution: of its weights, and of its
// input into dx.
func (l *layered) backwardConv(g *Node, n *layeredNode, dx ops.View) {
	dy := l.dmaps[g.Out].All()
	if n.dropout != nil {
		n.dropout.DY, n.dropout.DX = dy, dy
		l.program.add(Backward, n.dropout.Backward)
	}
	if n.average != nil {
		n.average.DY, n.average.DX = dy, l.block(g.Name+"/dconv", g.K, int(dx.Block.H), int(dx.Block.W)).All()
		l.program.add(Backward, n.average.Backward)
		dy = n.average.DX
	}
	n.conv.DY = dy
	l.program.add(Backward, n.conv.BackwardWeights, func() []ops.Step { return n.conv.BackwardData(dx, false) })
}

// backwardInputs takes dy, the gradient of the activated input, through batch
// norm and concatenation or sum to the gradients of the maps that were read.
func (l *layered) backwardInputs(g *Node, n *layeredNode, dy ops.View) {
	if l.Graph.Config.Form == Sum {
		l.backwardSum(g, n, dy)
		return
	}
	n.bn.DY, n.bn.DX = dy, dy
	if n.concat == nil {
		id := g.In[0]
		n.bn.DX, n.bn.Accumulate = l.dmaps[id].All(), l.begun[id]
		l.begun[id] = true
		l.program.add(Backward, n.bn.Backward)
		return
	}
	n.concat.DY = dy
	for _, id := range g.In {
		n.concat.DX = append(n.concat.DX, l.dmaps[id].All())
		n.concat.Accumulate = append(n.concat.Accumulate, l.begun[id])
		l.begun[id] = true
	}
	l.program.add(Backward, n.bn.Backward, n.concat.Backward)
}

// backwardSum takes dy through batch norm, where there is one, and hands all of it
// to each map that was read.
func (l *layered) backwardSum(g *Node, n *layeredNode, dy ops.View) {
	if n.bn != nil {
		n.bn.DY, n.bn.DX = dy, dy
		l.program.add(Backward, n.bn.Backward)
	}
	for _, id := range g.In {
		if dx := l.dmaps[id].All(); l.begun[id] {
			l.program.add(Backward, ops.Add{Env: l.env, Label: g.Name, X: dy, Y: dx}.Steps)
		} else {
			l.program.add(Backward, ops.Copy{Env: l.env, Label: g.Name, X: dy, Y: dx}.Steps)
		}
		l.begun[id] = true
	}
}
