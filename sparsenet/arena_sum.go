package sparsenet

import (
	"slices"

	"sparsevk/ops"
)

// The arena engine in the sum form.
//
// Reader j sees s_j = Σ x_i over the maps i that it reads. Its batch norm is of the
// sum, so that nothing of it can be shared among readers: each takes its own mean
// and variance, and keeps its own running ones. Maps are written once and read in
// place; a sum stands in one scratch block from where it is formed, which its
// statistics need anyway, to where its reader is done, and is formed again in the
// backward pass. To keep it would double the memory of the maps.
//
// Backward, reader j is done once it has the gradient of what it made:
//
//	D     = W_jᵀ·dY_j                          g = [gamma_j·xhat + beta_j > 0]·D
//	dbeta = Σ g      dgamma = Σ g·xhat         xhat = (s_j - mean_j)·istd_j
//	ds_j  = gamma_j·istd_j·(g - dbeta/M - xhat·dgamma/M)
//	dx_i  = Σ ds_j                             over the readers j of map i
//
// A sum passes its gradient on whole, so that ds_j is made once, not once per link
// as the concatenated form must. It cannot lie over a map, as there: xhat needs all
// terms of s_j, and an older one has readers left. So gradients lie beside the
// maps, but as few as there are different ones: maps with the same readers so far
// share a block, and part when a reader takes some of them alone. With dense wiring
// that is one block per stage, as in a ResNet; the block of a map's own gradient
// dies with the map's turn, and the maps die from the last on.

// buildSumArena lays out the arena engine for the sum form.
func (n *Network) buildSumArena() {
	n.stats = newReaderStats(n.Graph)
	if !n.Inference {
		n.Train = n.newProgram()
		n.feed(n.Train)
		a := newSumArena(n, n.Train, true)
		a.forward()
		a.backward()
		n.update(n.Train)
	}
	n.evaluate = func(n *Network, p *Program) { newSumArena(n, p, false).forward() }
}

// sumArena builds one program of the arena engine in the sum form.
type sumArena struct {
	*Network
	program  *Program
	training bool
	maps     []*ops.Block
	makers   []*ops.Conv  // per map, the convolution that measured it; nil if none did
	words    []ops.View   // per node, the statistics of its input
	grads    []*ops.Block // per map, the sum of what its readers have handed back so far; nil: none has
	dpool    ops.View     // gradient of the head's pooled features
	formed   []int        // the maps whose sum was formed last
	sum      ops.View     // it
}

func newSumArena(n *Network, p *Program, training bool) *sumArena {
	a := &sumArena{Network: n, program: p, training: training, makers: make([]*ops.Conv, len(n.Graph.Maps)), grads: make([]*ops.Block, len(n.Graph.Maps))}
	for id, m := range n.Graph.Maps {
		b := n.input
		if id > 0 {
			b = n.mapBlock(m.Name, id)
		}
		a.maps = append(a.maps, b)
	}
	for _, g := range n.Graph.Nodes {
		a.words = append(a.words, ops.NewStatsBlock(g.Name+"/stats", uint32(g.C)).All())
	}
	return a
}

// forward adds the steps up to the loss.
func (a *sumArena) forward() {
	for i := range a.Graph.Nodes {
		g := &a.Graph.Nodes[i]
		x := a.input(Forward, g, g.Name)
		links := a.normalise(i, x)
		switch g.Kind {
		case Head:
			a.head(g, x, links)
		case StemPool:
			a.program.add(Forward, a.pool(g, x, links).Forward)
		default:
			c := a.newConv(g, g.Name, x, links)
			a.program.add(Forward, c.Forward)
			if g.Dropout > 0 && a.training {
				a.program.add(Forward, a.dropout(g, a.maps[g.Out].All(), a.maps[g.Out].All()).Forward)
			}
			if c.Measure {
				a.makers[g.Out] = c
			}
		}
	}
}

// input adds the step that forms the sum of what g reads; a single map is its own.
// A sum that was formed last is still there: a shortcut reads what the first layer
// of its stage does, and the head's is the first that the backward pass wants.
func (a *sumArena) input(phase Phase, g *Node, label string) ops.View {
	if len(g.In) == 1 {
		return a.maps[g.In[0]].All()
	}
	if slices.Equal(g.In, a.formed) {
		return a.sum
	}
	var terms []ops.View
	for _, id := range g.In {
		terms = append(terms, a.maps[id].All())
	}
	s := ops.NewSum(ops.Sum{Env: a.env, Label: label, X: terms, Y: scratchLike(terms[0], label+"/sum")})
	a.program.add(phase, s.Steps)
	a.formed, a.sum = g.In, s.Y
	return s.Y
}

// normalise takes the statistics of x, the input of a node, and returns what its
// reader must know of each channel; nil without batch norm.
func (a *sumArena) normalise(node int, x ops.View) *ops.Links {
	g := &a.Graph.Nodes[node]
	if g.BN == "" {
		return nil
	}
	stats := a.stats.(*readerStats)
	s := ops.Stats{
		Env: a.env, Label: g.Name, Epsilon: Epsilon, X: x, Words: a.words[node], State: a.state.All(),
		RunningMean: stats.view(g.BN + ".running_mean"), RunningVar: stats.view(g.BN + ".running_var"),
	}
	if c := a.makers[g.In[0]]; c != nil && len(g.In) == 1 {
		s.Partial, s.Tile = c.Tiles, c.Tile
	}
	if t := ops.NewStats(s); a.training {
		a.program.add(Forward, t.Forward)
	} else {
		a.program.add(Forward, t.Evaluate)
	}
	return a.link(Forward, node, x)
}

func (a *sumArena) link(phase Phase, node int, x ops.View) *ops.Links {
	g := &a.Graph.Nodes[node]
	l := ops.NewLinks(ops.Links{
		Env: a.env, Label: g.Name, X: ops.Planes{x}, Stats: ops.Planes{a.words[node]},
		Gamma: a.regions.weight(g.BN + ".weight"), Beta: a.regions.weight(g.BN + ".bias"),
	})
	a.program.add(phase, l.Steps)
	return l
}

// newConv returns the convolution of x, activated if there are links. It measures
// its output if that is the whole input of a reader.
func (a *sumArena) newConv(g *Node, label string, x ops.View, links *ops.Links) *ops.Conv {
	name := g.Conv + ".weight"
	c := ops.Conv{
		Env: a.env, Label: label, X: ops.Planes{x}, Y: a.maps[g.Out].All(),
		W: a.regions.weight(name), DW: a.regions.grad(name), Geometry: geometry(g),
		Measure: a.training && g.Dropout == 0 && slices.ContainsFunc(a.Graph.Readers[g.Out], func(r Read) bool {
			n := &a.Graph.Nodes[r.Node]
			return len(n.In) == 1 && n.BN != ""
		}),
	}
	if links != nil {
		c.Act, c.Links = true, links.Out
	}
	return ops.NewConv(c)
}

func (a *sumArena) dropout(g *Node, x, y ops.View) ops.Dropout {
	return ops.Dropout{Env: a.env, Label: g.Name, Rate: float32(g.Dropout), Layer: uint32(g.Out), X: x, Y: y, DY: x, DX: y, State: a.state.All()}
}

func (a *sumArena) pool(g *Node, x ops.View, links *ops.Links) *ops.ActMaxPool {
	out := a.maps[g.Out].All()
	return &ops.ActMaxPool{Env: a.env, Label: g.Name, Window: window(g), X: ops.Planes{x}, Links: links.Out, Y: out}
}

// head adds global average pooling of the activated input, the linear layer and
// the loss.
func (a *sumArena) head(g *Node, x ops.View, links *ops.Links) {
	features := &ops.Block{Name: "features", Purpose: ops.Map, C: uint32(g.C), N: uint32(a.Batch), H: 1, W: 1}
	pool := ops.ActPool{Env: a.env, Label: g.Name, X: ops.Planes{x}, Links: links.Out, Y: features.All()}
	a.program.add(Forward, pool.Forward)
	a.dpool = a.classify(a.program, features, a.training).DX
}

// backward adds, for each node from the last to the first, its input once more,
// the gradients of its parameters, and that of its input, handed to the maps that
// it reads.
func (a *sumArena) backward() {
	for i := len(a.Graph.Nodes) - 1; i >= 0; i-- {
		g := &a.Graph.Nodes[i]
		label := g.Name + "/again"
		x := a.input(Backward, g, label)
		var links *ops.Links
		if g.Kind != Head && g.BN != "" {
			links = a.link(Backward, i, x)
		}
		dx := scratchLike(x, g.Name+"/gradient")
		switch g.Kind {
		case Head:
			pool := ops.GlobalAvgPool{Env: a.env, Label: g.Name, DY: a.dpool, DX: dx}
			a.program.add(Backward, pool.Backward)
		case StemPool:
			pool := a.pool(g, x, links)
			pool.DY = a.gradient(g)
			a.program.add(Backward, func() []ops.Step { return pool.BackwardData(x, 0, dx) })
		default:
			c := a.newConv(g, label, x, links)
			c.DY = a.gradient(g)
			a.program.add(Backward, c.BackwardWeights)
			if g.Kind == StemConv {
				continue
			}
			a.program.add(Backward, func() []ops.Step { return c.BackwardData(dx, false) })
		}
		a.denormalise(i, x, dx)
		a.hand(g, dx)
		if g.Out >= 0 {
			a.grads[g.Out] = nil
		}
	}
}

// gradient returns the gradient of what the convolution of g made.
func (a *sumArena) gradient(g *Node) ops.View {
	dy := a.grads[g.Out].All()
	if g.Dropout == 0 {
		return dy
	}
	dx := dy
	if len(a.sharing(a.grads[g.Out])) > 1 {
		dx = scratchLike(dy, g.Name+"/kept_gradient")
	}
	a.program.add(Backward, a.dropout(g, dy, dx).Backward)
	return dx
}

// denormalise takes dx, the gradient of the activated input x of a node, through
// its batch norm, in place.
func (a *sumArena) denormalise(node int, x, dx ops.View) {
	g := &a.Graph.Nodes[node]
	if g.BN == "" {
		return
	}
	bn := ops.NewBatchNorm(ops.BatchNorm{
		Env: a.env, Label: g.Name, Epsilon: Epsilon, ReLU: true, X: x, DY: dx, DX: dx, Stats: a.words[node],
		Gamma: a.regions.weight(g.BN + ".weight"), Beta: a.regions.weight(g.BN + ".bias"),
		DGamma: a.regions.grad(g.BN + ".weight"), DBeta: a.regions.grad(g.BN + ".bias"),
	})
	a.program.add(Backward, bn.Backward)
}

// sharing returns the maps whose gradient so far lies in b.
func (a *sumArena) sharing(b *ops.Block) (maps []int) {
	for id, c := range a.grads {
		if c == b {
			maps = append(maps, id)
		}
	}
	return maps
}

// hand adds ds, what reader g hands back, to the gradient of every map that it
// reads. Maps that shared a block and are all read go on sharing it; where some
// are not, those that are part from them. What nobody has read yet takes the block
// of ds itself.
func (a *sumArena) hand(g *Node, ds ops.View) {
	var fresh []int
	seen := map[*ops.Block]bool{}
	for _, id := range g.In {
		b := a.grads[id]
		if b == nil {
			fresh = append(fresh, id)
		} else if !seen[b] {
			seen[a.add(g, id, ds)] = true
		}
	}
	for _, id := range fresh {
		a.grads[id], ds.Block.Purpose = ds.Block, ops.Map // it lives until the turn of the last of them
	}
}

// add adds ds to the gradient of map id and of all that g reads of those that share
// its block. It returns the block where theirs lies then.
func (a *sumArena) add(g *Node, id int, ds ops.View) *ops.Block {
	b := a.grads[id]
	sharing := a.sharing(b)
	read := slices.DeleteFunc(slices.Clone(sharing), func(m int) bool { return !slices.Contains(g.In, m) })
	if len(read) == len(sharing) {
		a.program.add(Backward, ops.Add{Env: a.env, Label: g.Name, X: ds, Y: b.All()}.Steps)
		return b
	}
	name := a.Graph.Maps[id].Name
	to := scratchLike(ds, "d/"+name)
	to.Block.Purpose = ops.Map
	s := ops.NewSum(ops.Sum{Env: a.env, Label: g.Name + "/" + name, X: []ops.View{b.All(), ds}, Y: to})
	a.program.add(Backward, s.Steps)
	for _, m := range read {
		a.grads[m] = to.Block
	}
	return to.Block
}
