package sparsenet

import (
	"fmt"
	"math"
)

// A Kind is what a node computes.
type Kind uint8

// The kinds of nodes. BN and ReLU in front of a convolution belong to its node.
const (
	StemConv   Kind = iota // convolution of the image, no batch norm
	StemPool               // BN, ReLU, 3×3 max pooling with stride 2: the ImageNet stem's second half
	Bottleneck             // BN, ReLU, convolution to an inner map of a layer, which one other reads; 1×1 in the concat form
	LayerConv              // BN, ReLU, convolution to a map of the stage; 3×3 in the concat form
	Transition             // BN, ReLU, 1×1 convolution and 2×2 average pooling, in either order
	Shortcut               // 1×1 convolution without batch norm to the first map of a stage: the sum form's transition
	Head                   // BN, ReLU, average pooling, linear
)

// String returns the name of the kind of node.
func (k Kind) String() string {
	return [...]string{"stem", "stem_pool", "bottleneck", "layer", "transition", "shortcut", "head"}[k]
}

// A MapInfo is one feature map: the output of one node, of C channels.
type MapInfo struct {
	ID      int // index in Graph.Maps
	Name    string
	C, H, W int
	Stage   int  // from 0; -1 for the image and the ImageNet stem's convolution
	Index   int  // its number in the wiring of the stage: 0 is the stage's input, l the output of layer l
	Inner   bool // the output of a convolution of layer Index that is not its last; only the next one reads it
}

// Floats returns the number of values for one image.
func (m MapInfo) Floats() int64 { return int64(m.C) * int64(m.H) * int64(m.W) }

// A Node is one convolution (or the stem's pooling, or the head) with the batch
// norm and ReLU in front of it.
type Node struct {
	Kind         Kind
	Name         string // "stage0/layer1", "transition0", ...: stages from 0, layers from 1, as in parameter names
	Stage, Layer int    // Layer is 0 where there is none
	In           []int  // maps, in the order in which they are concatenated or added
	Out          int    // map; -1 for the head, which makes logits
	C, K         int    // channels of the concatenated or added input, and of the output (classes, for the head)
	R, S         int    // window: of the convolution, of the stem's max pooling, 1 for the head
	Stride, Pad  int
	Pool         bool    // average the 2×2 of the activated input (or of the output): transitions. An odd last row or column is dropped
	Grid         int     // side of the map that the head pools to; 0 elsewhere
	BN           string  // prefix of the batch norm's parameters; "" if there is none
	Conv         string  // prefix of the convolution's or linear layer's parameters; "" if there is none
	Dropout      float64 // probability, on the output
}

// A Read is one link: Node reads a map as its input channels [C0, C0+C).
type Read struct {
	Node int // index in Graph.Nodes
	Pos  int // index in Node.In
	C0   int
}

// A Graph is a network without an engine: maps and the nodes that make them, in
// the order of execution. Every map is made by one node, except map 0, the
// image.
type Graph struct {
	Config   Config // resolved
	Maps     []MapInfo
	Nodes    []Node
	Readers  [][]Read // per map, in the order of execution
	Features int      // channels that the head reads
	Params   *Params
}

// Build resolves c and lays out its network. The error is a *ConfigError.
func Build(c Config) (*Graph, error) {
	c, err := c.Resolve()
	if err != nil {
		return nil, err
	}
	g := &Graph{Config: c}
	g.addMap(MapInfo{Name: "image", C: c.Input.C, H: c.Input.H, W: c.Input.W, Stage: -1})
	if err := g.addStages(g.addStem()); err != nil {
		return nil, err
	}
	if g.Params, err = newParams(g); err != nil {
		return nil, err
	}
	return g, nil
}

// addStages adds what follows the stem, whose map is from.
func (g *Graph) addStages(from int) (err error) {
	if g.Config.Form == Sum {
		g.addSumStages(from)
		return nil
	}
	for s := range g.Config.Blocks {
		if from, err = g.addStage(s, from); err != nil {
			return err
		}
	}
	return nil
}

func (g *Graph) addMap(m MapInfo) int {
	m.ID = len(g.Maps)
	g.Maps = append(g.Maps, m)
	g.Readers = append(g.Readers, nil)
	return m.ID
}

// addNode fills in n.C and files the links.
func (g *Graph) addNode(n Node) {
	for pos, m := range n.In {
		c0 := 0
		if g.Config.Form == Concat {
			c0 = n.C
		}
		g.Readers[m] = append(g.Readers[m], Read{Node: len(g.Nodes), Pos: pos, C0: c0})
		n.C = c0 + g.Maps[m].C
	}
	g.Nodes = append(g.Nodes, n)
}

// addStem returns the input map of stage 0.
func (g *Graph) addStem() int {
	c := g.Config
	conv := Node{Kind: StemConv, Name: "stem", K: c.InitChannels, In: []int{0}, R: 3, S: 3, Stride: 1, Pad: 1, Conv: "features.conv0"}
	first := MapInfo{Name: "stage0/map0", C: c.InitChannels, H: c.Input.H, W: c.Input.W}
	if c.Stem == CIFAR {
		conv.Out = g.addMap(first)
		g.addNode(conv)
		return conv.Out
	}
	conv.R, conv.S, conv.Stride, conv.Pad = 7, 7, 2, 3
	conv.Out = g.addMap(MapInfo{Name: "stem", C: c.InitChannels, H: half(c.Input.H), W: half(c.Input.W), Stage: -1})
	g.addNode(conv)
	first.H, first.W = c.Stem.stageSize(c.Input.H, c.Input.W)
	pool := Node{
		Kind: StemPool, Name: "stem_pool", In: []int{conv.Out}, Out: g.addMap(first), K: c.InitChannels,
		R: 3, S: 3, Stride: 2, Pad: 1, BN: "features.norm0",
	}
	g.addNode(pool)
	return pool.Out
}

// addStage adds the layers of stage s, whose input is the map first, and what
// reads the stage's output. It returns the input of the next stage, if any.
func (g *Graph) addStage(s, first int) (next int, err error) {
	layers := g.Config.Blocks[s]
	maps := make([]int, 1, layers+1)
	maps[0] = first
	for l := 1; l <= layers; l++ {
		maps = append(maps, g.addLayer(s, l, g.pick(s, maps, l)))
	}
	in := g.pick(s, maps, layers+1)
	if s == len(g.Config.Blocks)-1 {
		g.addHead(in)
		return -1, nil
	}
	return g.addTransition(s, in)
}

// pick returns the maps that map l of stage s reads.
func (g *Graph) pick(s int, maps []int, l int) []int {
	reads := g.Config.Wiring.Inputs(s, l)
	in := make([]int, len(reads))
	for i, m := range reads {
		in[i] = maps[m]
	}
	return in
}

func (g *Graph) addLayer(s, l int, in []int) int {
	k, from := g.Config.Growth[s], g.Maps[in[0]]
	prefix := fmt.Sprintf("features.dense-stage-%d.block-%d", s, l)
	n := Node{
		Kind: LayerConv, Name: fmt.Sprintf("stage%d/layer%d", s, l), Stage: s, Layer: l, In: in, K: k,
		R: 3, S: 3, Stride: 1, Pad: 1, BN: prefix + ".bn1", Conv: prefix + ".conv1", Dropout: g.Config.Dropout,
	}
	m := MapInfo{Name: fmt.Sprintf("stage%d/map%d", s, l), C: k, H: from.H, W: from.W, Stage: s, Index: l}
	if g.Config.Bottleneck {
		b, inner := n, m
		b.Kind, b.Name, b.K, b.R, b.S, b.Pad = Bottleneck, n.Name+"/bottleneck", 4*k, 1, 1, 0
		inner.Name, inner.C, inner.Inner = m.Name+"/inner", 4*k, true
		b.Out = g.addMap(inner)
		g.addNode(b)
		n.In, n.BN, n.Conv = []int{b.Out}, prefix+".bn2", prefix+".conv2"
	}
	n.Out = g.addMap(m)
	g.addNode(n)
	return n.Out
}

func (g *Graph) addTransition(s int, in []int) (int, error) {
	from, c := g.Maps[in[0]], g.width(in)
	k := int(math.Floor(float64(c) * g.Config.Compression))
	if k < 1 {
		e := new(ConfigError)
		e.add("compression", g.Config.Compression, fmt.Sprintf("leaves none of the %d channels after stage %d", c, s), fmt.Sprintf("use at least %.3g", 1/float64(c)))
		return 0, e
	}
	prefix := fmt.Sprintf("features.transition-%d", s)
	out := g.addMap(MapInfo{Name: fmt.Sprintf("stage%d/map0", s+1), C: k, H: from.H / 2, W: from.W / 2, Stage: s + 1})
	g.addNode(Node{
		Kind: Transition, Name: fmt.Sprintf("transition%d", s), Stage: s, In: in, Out: out, K: k,
		R: 1, S: 1, Stride: 1, Pool: true, BN: prefix + ".bn1", Conv: prefix + ".conv1",
	})
	return out, nil
}

func (g *Graph) addHead(in []int) {
	g.Features = g.width(in)
	if g.Config.Form == Sum {
		g.Features = g.Maps[in[0]].C
	}
	g.addNode(Node{
		Kind: Head, Name: "head", Stage: len(g.Config.Blocks) - 1, In: in, Out: -1, K: g.Config.Classes,
		R: 1, S: 1, Stride: 1, Grid: g.Config.HeadGrid, BN: "features.norm_last", Conv: "classifier.linear",
	})
}

// width returns the channels of the concatenated maps.
func (g *Graph) width(maps []int) (c int) {
	for _, m := range maps {
		c += g.Maps[m].C
	}
	return c
}
