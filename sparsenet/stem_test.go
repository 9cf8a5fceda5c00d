package sparsenet

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/ops"
	"sparsevk/shaders"
)

// stemNets have the ImageNet stem, 7x7 with stride 2, then max pooling of the
// activated map: even and odd sizes; a pooled map of which a wiring leaves one
// unread; bottlenecks; one pixel at the end.
var stemNets = []struct {
	name string
	Config
	Options
}{
	{"even", Config{Stem: ImageNet, Blocks: []int{2, 2}, Growth: []int{4}, Classes: 5, Input: Input{32, 32, 3}}, Options{Batch: 2, Floats: true}},
	{"odd", Config{Stem: ImageNet, Blocks: []int{2, 2}, Growth: []int{4}, Wiring: Dense(), Classes: 5, Input: Input{37, 29, 3}}, Options{Batch: 2, Floats: true}},
	{"unread", Config{Stem: ImageNet, Blocks: []int{3}, Growth: []int{4}, Wiring: skipping(), Classes: 5, Input: Input{33, 24, 3}}, Options{Batch: 3, Floats: true}},
	{"bottleneck", Config{Stem: ImageNet, Blocks: []int{2, 1}, Growth: []int{4}, Bottleneck: true, Classes: 5, Input: Input{19, 16, 3}}, Options{Batch: 3, Floats: true}},
}

// skipping leaves map 2 unread.
func skipping() Wiring {
	return Wiring{Name: "skipping", Reads: func(l int) []int {
		if l == 1 {
			return []int{0}
		}
		return []int{(l - 1) &^ 2, 0}[:1]
	}}
}

// Both engines agree behind the ImageNet stem, also where the map's gradient is
// gathered in groups of planes and where bindings are cut.
func TestStemEnginesAgree(t *testing.T) {
	for _, n := range stemNets {
		t.Run(n.name, func(t *testing.T) {
			var want outcome
			var start map[string][]float32
			for i, v := range variants(t, n.Config, n.Options) {
				o := n.Options
				v.alter(&o)
				m := open(t, n.Config, o)
				got := run(t, m, 3)
				if i == 0 {
					want, start = got, someValues(m.Graph.Params)
				}
				t.Logf("%-16s logits %.1e, gradients %v, later %.1e", v.name, strays(got.logits, want.logits, 0), spreadOf(got.gradients, want.gradients), strays(got.after, want.after, 0))
				assert.Empty(t, disagreements(got, want, start, sharp), v.name)
				require.NoError(t, m.Close())
			}
		})
	}
}

// The comparison sees what is wrong in the stem's backward alone.
func TestStemEnginesAgreeCatches(t *testing.T) {
	n := stemNets[0]
	m := open(t, n.Config, n.Options)
	start, want := someValues(m.Graph.Params), run(t, m, 1)
	require.NoError(t, m.Close())
	g, err := Build(n.Config)
	require.NoError(t, err)
	for fault, plant := range map[string]func(s *ops.Step){
		"window too small": func(s *ops.Step) {
			if s.Kernel == &shaders.ActPoolMaxBwd {
				s.Spec = slices.Clone(s.Spec)
				s.Spec[0] = 2
			}
		},
		"statistics of another plane": func(s *ops.Step) {
			if p, ok := s.Push.(*shaders.ActPoolMaxBwdPush); ok {
				p.Link ^= 1
			}
		},
	} {
		net, err := NewNetwork(g, n.Options)
		require.NoError(t, err)
		for i := range net.Train.parts {
			steps := net.Train.parts[i].steps
			net.Train.parts[i].steps = func() []ops.Step {
				list := steps()
				for j := range list {
					plant(&list[j])
				}
				return list
			}
		}
		m := opened(t, net)
		assert.NotEmpty(t, disagreements(run(t, m, 1), want, start, sharp), fault)
		require.NoError(t, m.Close())
	}
}
