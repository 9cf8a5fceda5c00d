package sparsenet

import (
	"slices"

	"sparsevk/ops"
)

// buildArena lays out the arena engine: every feature map is written once,
// measured once and read in place. The backward pass goes through the maps in
// reverse order and leaves the gradient of each where the map lay.
func (n *Network) buildArena() {
	stats := newMapStats(n.Graph)
	n.stats = stats
	if !n.Inference {
		n.Train = n.newProgram()
		n.feed(n.Train)
		a := newArena(n, n.Train, stats, true)
		a.forward()
		a.backward()
		n.update(n.Train)
	}
	n.evaluate = func(n *Network, p *Program) { newArena(n, p, stats, false).forward() }
}

// arena builds one program of the arena engine.
type arena struct {
	*Network
	program  *Program
	training bool
	running  *mapStats
	maps     []*ops.Block
	stats    []ops.View // per map, of this batch; nil in evaluation
	nodes    []arenaNode
	sums     []*gradientSum // per map, under Recompute
	dpool    ops.View       // gradient of the head's pooled features
	scratch  uint64         // bytes of gradient that a gather holds at a time
}

// arenaNode is the ops of one node. What a node lacks is nil.
type arenaNode struct {
	links *ops.Links
	conv  *ops.Conv
	pool  *ops.ActMaxPool // of the ImageNet stem
}

func newArena(n *Network, p *Program, running *mapStats, training bool) *arena {
	a := &arena{
		Network: n, program: p, training: training, running: running, scratch: n.Scratch,
	}
	setDefault(&a.scratch, gradientScratch(n.Graph, n.Batch))
	for id, m := range n.Graph.Maps {
		b := n.input
		if id > 0 {
			b = n.mapBlock(m.Name, id)
		}
		a.maps = append(a.maps, b)
	}
	if training {
		a.stats, a.sums = statsViews(n.Graph.Maps), make([]*gradientSum, len(n.Graph.Maps))
	}
	return a
}

// statsViews returns the places of all maps' statistics in one block, so that any
// reader can bind those of its maps. The image has none.
func statsViews(maps []MapInfo) []ops.View {
	var planes uint32
	for _, m := range maps[1:] {
		planes += uint32(m.C)
	}
	block, views, at := ops.NewStatsBlock("stats", planes), make([]ops.View, len(maps)), uint32(0)
	for id, m := range maps[1:] {
		views[id+1] = block.View(at, at+uint32(m.C))
		at += uint32(m.C)
	}
	return views
}

// forward adds the steps up to the loss.
func (a *arena) forward() {
	for i := range a.Graph.Nodes {
		g := &a.Graph.Nodes[i]
		n := arenaNode{links: a.link(Forward, i, g)}
		switch g.Kind {
		case Head:
			a.head(g, n.links)
		case StemPool:
			n.pool = a.pool(g, n.links)
			a.measure(g, nil)
		default:
			n.conv = a.newConv(g, g.Name, n.links, a.training && g.Dropout == 0) // what dropout leaves is what readers see
			a.convolve(Forward, g, n.conv)
			a.measure(g, n.conv)
		}
		a.nodes = append(a.nodes, n)
	}
}

// inputs returns what a node reads, in concat order.
func (a *arena) inputs(g *Node) ops.Planes {
	var x ops.Planes
	for _, id := range g.In {
		x = append(x, a.maps[id].All())
	}
	return x
}

// link adds to a phase the step that gathers, for a reader with batch norm, the statistics
// of its maps and its own gamma and beta. In training the statistics are those
// of the maps, taken once; in evaluation the reader's running ones.
func (a *arena) link(phase Phase, node int, g *Node) *ops.Links {
	if g.BN == "" {
		return nil
	}
	x := a.inputs(g)
	var stats ops.Planes
	for pos, id := range g.In {
		if a.training {
			stats = append(stats, a.stats[id])
		} else {
			stats = append(stats, a.running.eval(node, pos))
		}
	}
	l := ops.NewLinks(ops.Links{
		Env: a.env, Label: g.Name, X: x, Stats: stats,
		Gamma: a.regions.weight(g.BN + ".weight"), Beta: a.regions.weight(g.BN + ".bias"),
	})
	a.program.add(phase, l.Steps)
	return l
}

// newConv returns the convolution of the activated inputs; a transition pools
// first, which commutes with its 1x1 and is a quarter of the arithmetic.
func (a *arena) newConv(g *Node, label string, links *ops.Links, measure bool) *ops.Conv {
	name := g.Conv + ".weight"
	c := ops.Conv{
		Env: a.env, Label: label, X: a.inputs(g), Y: a.maps[g.Out].All(), DY: a.maps[g.Out].All(),
		W: a.regions.weight(name), DW: a.regions.grad(name), Geometry: geometry(g), Measure: measure,
	}
	if links != nil {
		c.Act, c.Links = true, links.Out
	}
	return ops.NewConv(c)
}

// convolve adds the steps that make the output of g to a phase.
func (a *arena) convolve(phase Phase, g *Node, conv *ops.Conv) {
	a.program.add(phase, conv.Forward)
	if g.Dropout > 0 && a.training {
		a.program.add(phase, a.dropout(g).Forward)
	}
}

func geometry(g *Node) ops.Geometry {
	return ops.Geometry{R: uint32(g.R), S: uint32(g.S), Stride: uint32(g.Stride), Pad: uint32(g.Pad), Pool: g.Pool}
}

// dropout works on the map in place, and backward on its gradient in place.
func (a *arena) dropout(g *Node) ops.Dropout {
	out := a.maps[g.Out].All()
	return ops.Dropout{Env: a.env, Label: g.Name, Rate: float32(g.Dropout), Layer: uint32(g.Out), X: out, Y: out, DX: out, DY: out, State: a.state.All()}
}

// measure takes the statistics of the map that g has made, from the tiles that
// its convolution, if one has made it, left or, where there are none, from the map.
func (a *arena) measure(g *Node, conv *ops.Conv) {
	if !a.training {
		return
	}
	mean, variance := a.running.views(g.Out)
	s := ops.Stats{
		Env: a.env, Label: g.Name, Epsilon: Epsilon, X: a.maps[g.Out].All(), Words: a.stats[g.Out],
		RunningMean: mean, RunningVar: variance, State: a.state.All(),
	}
	if conv == nil {
		a.program.add(Forward, ops.NewStats(s).Forward)
		return
	}
	s.Partial, s.Tile = conv.Tiles, conv.Tile
	stats := ops.NewStats(s)
	a.program.add(Forward, func() []ops.Step { return conv.Part(ops.ForwardRole, stats.Forward()) })
}

// pool adds the max pooling of the activated input, the stem's second half.
func (a *arena) pool(g *Node, links *ops.Links) *ops.ActMaxPool {
	out := a.maps[g.Out].All()
	p := &ops.ActMaxPool{Env: a.env, Label: g.Name, Window: window(g), X: a.inputs(g), Links: links.Out, Y: out, DY: out}
	a.program.add(Forward, p.Forward)
	return p
}

// head adds global average pooling of the activated inputs, the linear layer and
// the loss.
func (a *arena) head(g *Node, links *ops.Links) {
	features := &ops.Block{Name: "features", Purpose: ops.Map, C: uint32(g.C), N: uint32(a.Batch), H: 1, W: 1}
	pool := ops.ActPool{Env: a.env, Label: g.Name, X: a.inputs(g), Links: links.Out, Y: features.All()}
	a.program.add(Forward, pool.Forward)
	a.dpool = a.classify(a.program, features, a.training).DX
}

// backward adds, for each map from the last to the first, the gather of its
// gradient from its readers, its gradient over the map itself, and the weight
// gradient of the convolution that made it. All readers of a map are finished
// when its turn comes, and the weight gradient comes before any of the maps that
// it reads is overwritten.
func (a *arena) backward() {
	for i := len(a.Graph.Nodes) - 1; i >= 0; i-- {
		g, n := &a.Graph.Nodes[i], &a.nodes[i]
		if g.Kind != Head {
			a.gradient(g)
		}
		if a.Recompute && g.Kind == LayerConv {
			a.again(i)
		}
		if n.conv != nil {
			a.program.add(Backward, n.conv.BackwardWeights)
		}
		if a.Recompute {
			a.hand(i)
		}
	}
}

// gradient adds the gradient of the map that g made, over the map.
func (a *arena) gradient(g *Node) {
	if a.sums[g.Out] != nil {
		a.finish(g)
	} else {
		a.gather(g)
	}
	if g.Dropout > 0 {
		a.program.add(Backward, a.dropout(g).Backward)
	}
}

// gather adds the gradient of the map that g made, a group of its planes after
// the other: scratch holds the gradient of one group. Each plane's gradient needs
// the plane itself and the readers' gradients only, so that groups do not meet.
func (a *arena) gather(g *Node) {
	x := a.maps[g.Out]
	if len(a.Graph.Readers[g.Out]) == 0 {
		a.program.add(Backward, ops.Fill{Env: a.env, Label: g.Name, Y: x.All()}.Steps)
		return
	}
	bytes := 4 * uint64(x.C) * x.Plane()
	if g.Kind == StemConv && a.Graph.Config.Stem == ImageNet {
		bytes *= 2 // the gradient of the activated map takes as much
	}
	groups := uint32(min((bytes+a.scratch-1)/a.scratch, uint64(x.C)))
	for i := range groups {
		a.gatherPlanes(g, x.View(i*x.C/groups, (i+1)*x.C/groups))
	}
}

// gatherPlanes adds the gradient of planes x of the map that g made.
func (a *arena) gatherPlanes(g *Node, x ops.View) {
	name := x.Block.Name
	if x.C() < x.Block.C {
		name = x.String()
	}
	var readers []ops.Reader
	for _, r := range slices.Backward(a.Graph.Readers[g.Out]) { // in the order in which they are finished
		readers = append(readers, a.reader(r, x, name))
	}
	scratch := sumLike(x, name+"/gradient")
	coef := ops.Vector(name+"/coefficients", ops.Workspace, 4*int(x.C()))
	gather := ops.NewGather(ops.Gather{
		Env: a.env, Label: g.Name, X: x, Readers: readers, G: scratch, Coef: coef, Stats: a.stats[g.Out].Slice(x.Lo, x.Hi),
	})
	finalise := ops.Finalise{Env: a.env, Label: g.Name, X: x, G: scratch, Coef: coef}
	a.program.add(Backward, gather.Steps, finalise.Steps)
}

// sumLike returns scratch of the shape of x for sums, which are float32.
func sumLike(x ops.View, name string) ops.View {
	v := scratchLike(x, name)
	v.Block.Precision = ops.FP32
	return v
}

// scratchLike returns scratch of the shape and precision of x.
func scratchLike(x ops.View, name string) ops.View {
	b := *x.Block
	b.Name, b.Purpose, b.C = name, ops.Scratch, x.C()
	return b.All()
}

// leastScratch is how many bytes of gradient a gather may hold in any network:
// smaller groups of planes would not fill a device.
const leastScratch = 8 << 20

// gradientScratch returns how many bytes of gradient a gather holds at a time:
// the largest map that a layer of the network makes. Only the inputs of stages,
// which may be many times as wide, are gathered in groups of planes.
func gradientScratch(g *Graph, batch int) uint64 {
	n := uint64(leastScratch)
	for i := range g.Nodes {
		if k := g.Nodes[i].Kind; k == Bottleneck || k == LayerConv {
			n = max(n, 4*uint64(batch)*uint64(g.Maps[g.Nodes[i].Out].Floats()))
		}
	}
	return n
}

// reader describes one reader of a map to the gather of its planes x, which are
// called name. The gradient that a max pooling hands back is made first, in
// scratch.
func (a *arena) reader(r Read, x ops.View, name string) ops.Reader {
	g, n := &a.Graph.Nodes[r.Node], &a.nodes[r.Node]
	lo, hi := x.Lo+uint32(r.C0), x.Hi+uint32(r.C0)
	o := ops.Reader{
		Label: g.Name, Geometry: geometry(g), Act: true, Cj: uint32(g.C), C0: lo, Links: n.links.Out,
		DGamma: a.regions.grad(g.BN+".weight").Slice(lo, hi), DBeta: a.regions.grad(g.BN+".bias").Slice(lo, hi),
	}
	switch g.Kind {
	case Head:
		o.GlobalPool, o.DY = true, a.dpool
	case StemPool:
		o.Direct, o.DY = true, scratchLike(x, name+"/activated_gradient")
		a.program.add(Backward, func() []ops.Step { return n.pool.BackwardData(x, lo, o.DY) })
	default:
		o.DY, o.W = a.maps[g.Out].All(), a.regions.weight(g.Conv+".weight")
	}
	return o
}
