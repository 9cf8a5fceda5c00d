package sparsenet

import (
	"fmt"
	"strings"

	"sparsevk/gpu"
	"sparsevk/ops"
	"sparsevk/shaders"
)

// A barKind is what a bar of the picture holds.
type barKind uint8

const (
	barMap      barKind = iota // of the first stage; then of the others, in turn
	barMap1                    //
	barMap2                    //
	barGradient                // of a map
	barConcat                  // a copied concatenation
	barNorm                    // output of batch norm
	barScratch
	barWorkspace
	barParameter
	barOptimizer
	barWeightGradient
	barOther
	barStaging
	barKinds
)

func (k barKind) colour() string {
	return [...]string{
		"#1f4e8c", "#3d7fc7", "#8dbbe8", "#f0862b", "#7b52ab", "#bda4dd", "#c62f3b",
		"#6d1a22", "#4a4a4a", "#757575", "#9d9d9d", "#c4c4c4", "#d3dde6",
	}[k]
}

// legend lists the kinds in the order in which a reader asks.
var legend = []struct {
	kind barKind
	text string
}{
	{barMap, "feature maps, a tint per stage"},
	{barConcat, "copied concatenations"},
	{barNorm, "outputs of batch norm and ReLU"},
	{barGradient, "gradients of maps"},
	{barScratch, "scratch"},
	{barWorkspace, "workspace"},
	{barParameter, "parameters"},
	{barOptimizer, "optimizer"},
	{barWeightGradient, "weight gradients"},
	{barOther, "other"},
	{barStaging, "staging"},
}

// A bar is bytes [off, off+bytes) from dispatch first to dispatch last.
type bar struct {
	kind        barKind
	off, bytes  uint64
	first, last int
}

// A timeline is the memory of one engine over a step.
type timeline struct {
	engine  Engine
	err     error // there is no plan
	bytes   uint64
	steps   int
	regions []ops.Region
	phases  [phases]struct{ first, last int } // [first, last)
	bars    []bar
	peak    [barKinds]uint64 // most bytes of a kind at a time
}

// newTimeline follows the blocks of n through a step.
func newTimeline(n *Network) timeline {
	program := n.Train
	if program == nil {
		program = n.Eval
	}
	t := timeline{engine: n.Engine, bytes: n.Memory().Total, regions: n.Plan.Regions[:]}
	var steps []ops.Step
	for p := range phases {
		t.phases[p].first = len(steps)
		steps = append(steps, program.Phase(p)...)
		t.phases[p].last = len(steps)
	}
	t.steps = len(steps)
	turns := t.turns(steps)
	for _, l := range ops.Lifetimes(steps) {
		if l.Block.Purpose <= ops.Workspace {
			t.addBlock(n, l, turns)
		}
	}
	for p, r := range t.regions {
		if kind, ok := bands[ops.Purpose(p)]; ok {
			t.add(bar{kind, r.Lo, r.Bytes(), 0, t.steps - 1})
		}
	}
	device := n.Plan.DeviceBytes()
	t.add(bar{barStaging, device, n.Plan.HostBytes() + gpu.StagingBytes, 0, t.steps - 1})
	t.measure()
	return t
}

// bands are the purposes that a picture shows as a whole.
var bands = map[ops.Purpose]barKind{
	ops.Parameter: barParameter, ops.Optimizer: barOptimizer, ops.Gradient: barWeightGradient, ops.Other: barOther,
}

// turns returns for each block the dispatch of the backward pass that first writes
// it: from there on it holds a gradient.
func (t *timeline) turns(steps []ops.Step) map[*ops.Block]int {
	turns := map[*ops.Block]int{}
	for i := t.phases[Backward].first; i < t.phases[Backward].last; i++ {
		for _, u := range steps[i].Uses() {
			if _, seen := turns[u.View.Block]; !seen && u.Access&shaders.Write != 0 {
				turns[u.View.Block] = i
			}
		}
	}
	return turns
}

// addBlock adds the bars of a block: a map's gradient follows in its place.
func (t *timeline) addBlock(n *Network, l ops.Lifetime, turns map[*ops.Block]int) {
	b := bar{kind: blockKind(n, l.Block), off: l.Block.Off, bytes: l.Block.Bytes(), first: l.First, last: l.Last}
	turn, turned := turns[l.Block]
	if l.Block.Purpose == ops.Map && turned {
		before := b
		before.last = turn - 1
		if before.last >= before.first {
			t.add(before)
		}
		b.kind, b.first = barGradient, turn
	}
	t.add(b)
}

// blockKind tells maps apart by their names.
func blockKind(n *Network, b *ops.Block) barKind {
	switch b.Purpose {
	case ops.Scratch:
		return barScratch
	case ops.Workspace:
		return barWorkspace
	}
	switch {
	case strings.HasSuffix(b.Name, "/concat"):
		return barConcat
	case strings.HasSuffix(b.Name, "/bn"):
		return barNorm
	}
	for s := range n.Graph.Config.Blocks {
		if strings.HasPrefix(b.Name, fmt.Sprintf("stage%d/", s)) {
			return barMap + barKind(s%3)
		}
	}
	return barMap
}

func (t *timeline) add(b bar) {
	if b.bytes > 0 {
		t.bars = append(t.bars, b)
	}
}

// measure finds the peaks by kind; maps of all stages count as one.
func (t *timeline) measure() {
	changes := make([][barKinds]int64, t.steps+1)
	for _, b := range t.bars {
		k := b.kind
		if k < barGradient {
			k = barMap
		}
		changes[b.first][k] += int64(b.bytes)
		changes[b.last+1][k] -= int64(b.bytes)
	}
	var live [barKinds]int64
	for _, c := range changes {
		for k := range live {
			live[k] += c[k]
			t.peak[k] = max(t.peak[k], uint64(live[k]))
		}
	}
}
