package sparsenet

// Counts describes the size and the cost of a network, for one image and the
// forward pass, as publications count them.
type Counts struct {
	// Parameters are convolution weights, gammas, betas, and the classifier's
	// weights and bias; running statistics do not count.
	Parameters int64 `json:"parameters"`
	// MACs are the multiply-accumulates of convolutions and classifier, with the
	// transition's pooling after its 1×1 convolution, as published.
	MACs int64 `json:"multiply_accumulates"`
	// ExecutedMACs are those of this implementation, which pools first.
	ExecutedMACs int64 `json:"executed_multiply_accumulates"`
	// Links are the maps that layers and stage outputs read.
	Links int64 `json:"links"`
	// LayerWidths are the input channels of every layer (of its 1×1 convolution,
	// if it has one).
	LayerWidths []int `json:"layer_widths"`
	// DistinctFloats are the values of every convolution's and pooling's output,
	// each once; the head's pooling counts one value per feature.
	DistinctFloats int64 `json:"distinct_floats"`
	// ConcatenatedFloats are the values of all aggregated inputs of layers and
	// stage outputs: what a framework copies that materialises concatenations, or
	// stores of sums.
	ConcatenatedFloats int64 `json:"concatenated_floats"`
	// BatchNormChannels and BatchNormFloats are the channels and values that pass
	// through batch norm.
	BatchNormChannels int64 `json:"batch_norm_channels"`
	BatchNormFloats   int64 `json:"batch_norm_floats"`
	// Features are the channels that the head reads.
	Features int `json:"features"`
}

// FLOPs is the count of the SparseNet paper: two per multiply-accumulate and two
// per value through batch norm.
func (c Counts) FLOPs() int64 { return 2 * (c.MACs + c.BatchNormFloats) }

// Counts counts g.
func (g *Graph) Counts() Counts {
	c := Counts{Features: g.Features, LayerWidths: []int{}}
	for _, p := range g.Params.Trained {
		c.Parameters += int64(p.Elems())
	}
	for i := range g.Nodes {
		c.add(g, &g.Nodes[i])
	}
	return c
}

func (c *Counts) add(g *Graph, n *Node) {
	in := g.inputFloats(n)
	published, executed := g.macs(n)
	c.MACs += published
	c.ExecutedMACs += executed
	c.DistinctFloats += g.outputFloats(n)
	if n.BN != "" {
		c.BatchNormChannels += int64(n.C)
		c.BatchNormFloats += in
	}
	if g.aggregates(n) {
		c.Links += int64(len(n.In))
		c.ConcatenatedFloats += in
		if n.Layer > 0 {
			c.LayerWidths = append(c.LayerWidths, n.C)
		}
	}
}

// aggregates reports whether n reads what the wiring says: a layer's first
// convolution, a transition or shortcut, or the head.
func (g *Graph) aggregates(n *Node) bool {
	return n.Kind >= Bottleneck && !g.Maps[n.In[0]].Inner
}

// inputFloats returns the values of n's concatenated input for one image.
func (g *Graph) inputFloats(n *Node) int64 {
	from := g.Maps[n.In[0]]
	return int64(n.C) * int64(from.H) * int64(from.W)
}

// outputFloats returns the values that n's convolution and pooling put out.
func (g *Graph) outputFloats(n *Node) int64 {
	if n.Kind == Head {
		return int64(n.C)
	}
	out := g.Maps[n.Out].Floats()
	if n.Pool { // a full-size map first, and then the pooled one
		from := g.Maps[n.In[0]]
		out += int64(n.K) * int64(from.H) * int64(from.W)
	}
	return out
}

// macs returns the multiply-accumulates of n for one image, as published and as
// executed.
func (g *Graph) macs(n *Node) (published, executed int64) {
	switch n.Kind {
	case StemPool:
		return 0, 0
	case Head:
		m := int64(n.C) * int64(n.Grid*n.Grid) * int64(n.K)
		return m, m
	}
	out := g.Maps[n.Out]
	per := int64(n.C) * int64(n.R*n.S) * int64(n.K)
	executed = per * int64(out.H) * int64(out.W)
	published = executed
	if n.Pool {
		from := g.Maps[n.In[0]]
		published = per * int64(from.H) * int64(from.W)
	}
	return published, executed
}
