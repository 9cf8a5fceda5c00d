package sparsenet

import "fmt"

// addSumStages adds the stages and the head of a network of the sum form, the
// first of which reads the map from. It is a pre-activation ResNet whose identity
// shortcuts are spelled out: the input of a layer is the sum of the maps that the
// wiring names, with dense wiring of all of its stage.
//
// The first layer of a stage takes the output of the stage before, the sum that
// its wiring names, to the new width and to half of the size, by the stride of its
// 3×3 convolution. Map 0 of the stage is the same sum through a 1×1 convolution of
// that stride, as the shortcut of a ResNet is where shapes change; without batch
// norm. Where no shape changes, in the first stage, map 0 is the stem's. Sources:
// He, Zhang, Ren, Sun, Identity Mappings in Deep Residual Networks,
// arXiv:1603.05027; Zhu et al., arXiv:1801.05895, section 3.
func (g *Graph) addSumStages(from int) {
	in := []int{from}
	for s := range g.Config.Blocks {
		in = g.addSumStage(s, in)
	}
	g.addHead(in)
}

// addSumStage adds stage s, which reads the maps in, and returns those whose sum
// is its output.
func (g *Graph) addSumStage(s int, in []int) []int {
	layers, stride := g.Config.Blocks[s], 1
	if s > 0 {
		stride = 2
	}
	maps := []int{in[0]}
	if s > 0 || g.Maps[in[0]].C != g.Config.Growth[s] {
		maps[0] = g.addShortcut(s, in, stride)
	}
	maps = append(maps, g.addSumLayer(s, 1, in, stride))
	for l := 2; l <= layers; l++ {
		maps = append(maps, g.addSumLayer(s, l, g.pick(s, maps, l), 1))
	}
	return g.pick(s, maps, layers+1)
}

// addShortcut returns map 0 of a stage. Where no layer but the first would read
// it, there is none: the result is -1.
func (g *Graph) addShortcut(s int, in []int, stride int) int {
	read := false
	for l := 2; l <= g.Config.Blocks[s]+1; l++ {
		for _, m := range g.Config.Wiring.Inputs(s, l) {
			read = read || m == 0
		}
	}
	if !read {
		return -1
	}
	if s == 0 { // the stem's map is not of the stage
		g.Maps[in[0]].Name, g.Maps[in[0]].Stage = "stem", -1
	}
	from, k := g.Maps[in[0]], g.Config.Growth[s]
	out := g.addMap(MapInfo{Name: fmt.Sprintf("stage%d/map0", s), C: k, H: ceil(from.H, stride), W: ceil(from.W, stride), Stage: s})
	g.addNode(Node{
		Kind: Shortcut, Name: fmt.Sprintf("stage%d/shortcut", s), Stage: s, In: in, Out: out, K: k,
		R: 1, S: 1, Stride: stride, Conv: fmt.Sprintf("features.dense-stage-%d.shortcut", s),
	})
	return out
}

// ceil returns n/stride, rounded up: the size that a convolution leaves of n
// pixels with its padding.
func ceil(n, stride int) int { return (n + stride - 1) / stride }

// addSumLayer adds layer l of stage s, which reads the sum of in: two 3×3
// convolutions, or with bottlenecks 1×1, 3×3 and 1×1.
func (g *Graph) addSumLayer(s, l int, in []int, stride int) int {
	k := g.Config.Growth[s]
	convs := []Node{{K: k, R: 3, Stride: stride}, {K: k, R: 3, Stride: 1}}
	if g.Config.Bottleneck {
		convs = []Node{{K: k / 4, R: 1, Stride: 1}, {K: k / 4, R: 3, Stride: stride}, {K: k, R: 1, Stride: 1}}
	}
	name := fmt.Sprintf("stage%d/layer%d", s, l)
	prefix := fmt.Sprintf("features.dense-stage-%d.block-%d", s, l)
	for i, n := range convs {
		from, last := g.Maps[in[0]], i == len(convs)-1
		m := MapInfo{Name: fmt.Sprintf("stage%d/map%d", s, l), C: n.K, H: ceil(from.H, n.Stride), W: ceil(from.W, n.Stride), Stage: s, Index: l}
		n.Kind, n.Name = LayerConv, name
		if !last {
			n.Kind, n.Name = Bottleneck, fmt.Sprintf("%s/conv%d", name, i+1)
			m.Name, m.Inner = fmt.Sprintf("%s/inner%d", m.Name, i+1), true
		}
		n.Stage, n.Layer, n.In, n.S, n.Pad, n.Dropout = s, l, in, n.R, n.R/2, g.Config.Dropout
		n.BN, n.Conv = fmt.Sprintf("%s.bn%d", prefix, i+1), fmt.Sprintf("%s.conv%d", prefix, i+1)
		n.Out = g.addMap(m)
		g.addNode(n)
		in = []int{n.Out}
	}
	return in[0]
}
