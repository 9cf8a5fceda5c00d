package sparsenet

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// faults returns what does not hold together in g, written without Build.
func faults(g *Graph) (out []string) {
	bad := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	made := make([]bool, len(g.Maps))
	made[0] = true
	links := make([]int, len(g.Maps))
	for i, n := range g.Nodes {
		c := 0
		for pos, m := range n.In {
			if !made[m] {
				bad("%s reads map %d before it is made", n.Name, m)
			}
			if g.Config.Form == Sum {
				c = 0
			}
			if !slices.Contains(g.Readers[m], Read{i, pos, c}) {
				bad("%s is not among the readers of map %d", n.Name, m)
			}
			if first := g.Maps[n.In[0]]; g.Config.Form == Sum && first.C != g.Maps[m].C {
				bad("%s adds maps of different widths", n.Name)
			}
			if first := g.Maps[n.In[0]]; first.H != g.Maps[m].H || first.W != g.Maps[m].W {
				bad("%s reads maps of different sizes", n.Name)
			}
			links[m]++
			c += g.Maps[m].C
		}
		if c != n.C {
			bad("%s has %d input channels, its maps %d", n.Name, n.C, c)
		}
		if n.Out < 0 {
			continue
		}
		in, o := g.Maps[n.In[0]], g.Maps[n.Out]
		h, w := (in.H+2*n.Pad-n.R)/n.Stride+1, (in.W+2*n.Pad-n.S)/n.Stride+1
		if n.Pool {
			h, w = h/2, w/2
		}
		if made[n.Out] || o.C != n.K || o.H != h || o.W != w {
			bad("%s makes map %d of %dx%dx%d, want %dx%dx%d", n.Name, n.Out, o.C, o.H, o.W, n.K, h, w)
		}
		made[n.Out] = true
	}
	for m := range g.Maps {
		if !made[m] || g.Maps[m].ID != m || links[m] == 0 || links[m] != len(g.Readers[m]) {
			bad("map %d: made %v, %d links, %d readers", m, made[m], links[m], len(g.Readers[m]))
		}
	}
	return out
}

func checkGraph(t require.TestingT, g *Graph) { require.Empty(t, faults(g)) }

func TestGraphsHoldTogether(t *testing.T) {
	for _, name := range Presets() {
		checkGraph(t, build(t, name))
	}
}

func TestGraphCheckCatches(t *testing.T) {
	for name, fault := range map[string]func(*Graph){
		"order of maps": func(g *Graph) { slices.Reverse(g.Nodes[4].In); g.Nodes[4].In = append(g.Nodes[4].In, 9) },
		"swapped links": func(g *Graph) { in := g.Nodes[4].In; in[0], in[1] = in[1], in[0] },
		"later map":     func(g *Graph) { g.Nodes[2].In[0] = 7 },
		"width":         func(g *Graph) { g.Nodes[3].C++ },
		"size":          func(g *Graph) { g.Maps[20].H++ },
		"reader":        func(g *Graph) { g.Readers[5] = g.Readers[5][1:] },
		"offset":        func(g *Graph) { g.Readers[5][0].C0++ },
		"pool":          func(g *Graph) { g.Nodes[13].Pool = false },
	} {
		g := build(t, "sparse-40-24")
		require.Equal(t, Transition, g.Nodes[13].Kind)
		fault(g)
		assert.NotEmpty(t, faults(g), name)
	}
}

// A small bottleneck network by hand.
func TestGraphByHand(t *testing.T) {
	g, err := Build(Config{Blocks: []int{2, 1}, Growth: []int{3, 5}, Bottleneck: true, Dropout: 0.25, Input: Input{9, 6, 1}, Classes: 7})
	require.NoError(t, err)
	var lines []string
	for _, n := range g.Nodes {
		lines = append(lines, fmt.Sprintf("%s %v %s %v>%d %d>%d %dx%d/%d+%d pool %v %g %s %s",
			n.Name, n.Kind, n.Conv, n.In, n.Out, n.C, n.K, n.R, n.S, n.Stride, n.Pad, n.Pool, n.Dropout, n.BN, fmt.Sprint(n.Grid)))
	}
	assert.Equal(t, strings.TrimSpace(`
stem stem features.conv0 [0]>1 1>6 3x3/1+1 pool false 0  0
stage0/layer1/bottleneck bottleneck features.dense-stage-0.block-1.conv1 [1]>2 6>12 1x1/1+0 pool false 0.25 features.dense-stage-0.block-1.bn1 0
stage0/layer1 layer features.dense-stage-0.block-1.conv2 [2]>3 12>3 3x3/1+1 pool false 0.25 features.dense-stage-0.block-1.bn2 0
stage0/layer2/bottleneck bottleneck features.dense-stage-0.block-2.conv1 [3 1]>4 9>12 1x1/1+0 pool false 0.25 features.dense-stage-0.block-2.bn1 0
stage0/layer2 layer features.dense-stage-0.block-2.conv2 [4]>5 12>3 3x3/1+1 pool false 0.25 features.dense-stage-0.block-2.bn2 0
transition0 transition features.transition-0.conv1 [5 3]>6 6>3 1x1/1+0 pool true 0 features.transition-0.bn1 0
stage1/layer1/bottleneck bottleneck features.dense-stage-1.block-1.conv1 [6]>7 3>20 1x1/1+0 pool false 0.25 features.dense-stage-1.block-1.bn1 0
stage1/layer1 layer features.dense-stage-1.block-1.conv2 [7]>8 20>5 3x3/1+1 pool false 0.25 features.dense-stage-1.block-1.bn2 0
head head classifier.linear [8 6]>-1 8>7 1x1/1+0 pool false 0 features.norm_last 1`), strings.Join(lines, "\n"))
	assert.Equal(t, MapInfo{ID: 6, Name: "stage1/map0", C: 3, H: 4, W: 3, Stage: 1}, g.Maps[6])
	assert.Equal(t, MapInfo{ID: 4, Name: "stage0/map2/inner", C: 12, H: 9, W: 6, Stage: 0, Index: 2, Inner: true}, g.Maps[4])
	assert.Equal(t, []Read{{3, 0, 0}, {5, 1, 3}}, g.Readers[3])
	assert.Equal(t, 8, g.Features)
}

func TestImageNetStem(t *testing.T) {
	g := build(t, "imagenet-dense-121-32")
	assert.Equal(t, MapInfo{ID: 1, Name: "stem", C: 64, H: 112, W: 112, Stage: -1}, g.Maps[1])
	assert.Equal(t, MapInfo{ID: 2, Name: "stage0/map0", C: 64, H: 56, W: 56}, g.Maps[2])
	assert.Equal(t, StemPool, g.Nodes[1].Kind)
	last := g.Maps[g.Nodes[len(g.Nodes)-1].In[0]]
	assert.Equal(t, [2]int{7, 7}, [2]int{last.H, last.W})
	w, ok := build(t, "imagenet-sparse-121-32-paper").Params.Find("classifier.linear.weight")
	require.True(t, ok)
	assert.Equal(t, []int{1000, 9 * 160}, w.Shape)
}

// trace is what a PyTorch run of the official implementation recorded: its
// configuration and, in its order, every tensor's name and shape.
// testdata/trace_params.json is taken from the headers of the reference traces.
type trace struct {
	Depth      int
	Growth     []int
	Wiring     Wiring
	Bottleneck bool
	Classes    int
	Parameters int64
	Tensors    [][2]any
}

func (tr trace) difference(p *Params) string {
	var got, want []string
	for _, t := range p.All {
		got = append(got, fmt.Sprint(t.Name, t.Shape))
	}
	for _, t := range tr.Tensors {
		want = append(want, fmt.Sprint(t[0], t[1]))
	}
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			return fmt.Sprintf("tensor %d of %d, want %d: %v, want %v", i, len(got), len(want), got[min(i, len(got)):min(i+1, len(got))], want[min(i, len(want)):min(i+1, len(want))])
		}
	}
	return ""
}

func TestParametersOfTraces(t *testing.T) {
	data, err := os.ReadFile("testdata/trace_params.json")
	require.NoError(t, err)
	var traces map[string]trace
	require.NoError(t, json.Unmarshal(data, &traces))
	require.Len(t, traces, 3)
	for name, tr := range traces {
		g, err := Build(Config{Depth: tr.Depth, Growth: tr.Growth, Wiring: tr.Wiring, Bottleneck: tr.Bottleneck, Classes: tr.Classes})
		require.NoError(t, err)
		assert.Empty(t, tr.difference(g.Params), name)
		assert.Equal(t, tr.Parameters, g.Counts().Parameters)
		for i := range tr.Tensors { // each name and each shape counts
			broken := tr
			broken.Tensors = slices.Clone(tr.Tensors)
			broken.Tensors[i][0] = "x" + fmt.Sprint(tr.Tensors[i][0])
			require.NotEmpty(t, broken.difference(g.Params))
			broken.Tensors[i] = [2]any{tr.Tensors[i][0], []any{7.0}}
			require.NotEmpty(t, broken.difference(g.Params))
		}
		tr.Tensors = tr.Tensors[1:]
		assert.NotEmpty(t, tr.difference(g.Params))
	}
}

func TestParameterRegions(t *testing.T) {
	for _, name := range []string{"sparse-40-12", "sparse-bc-100-16x32x64", "imagenet-dense-121-32"} {
		p := build(t, name).Params
		for _, region := range []struct {
			tensors []Param
			elems   int
		}{{p.Trained, p.Elems}, {p.Running, p.RunningElems}} {
			end := 0
			for _, q := range region.tensors {
				assert.Zero(t, q.Offset%ParamAlign, q.Name)
				assert.GreaterOrEqual(t, q.Offset, end, q.Name)
				assert.Less(t, q.Offset-end, ParamAlign, q.Name)
				end = q.Offset + q.Elems()
				found, ok := p.Find(q.Name)
				assert.True(t, ok && found.Name == q.Name && found.Offset == q.Offset)
			}
			assert.Less(t, region.elems-end, ParamAlign)
		}
		assert.Len(t, p.All, len(p.Trained)+len(p.Running))
		_, ok := p.Find("features.conv1.weight")
		assert.False(t, ok)
	}
}
