package sparsenet

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/ops"
	"sparsevk/ops/optest"
	"sparsevk/shaders"
)

// stemNets have the ImageNet stem, 7x7 with stride 2, then max pooling of the
// activated map: even and odd sizes, bottlenecks.
var stemNets = []struct {
	name string
	Config
	Options
}{
	{"even", Config{Stem: ImageNet, Blocks: []int{2, 2}, Growth: []int{4}, Classes: 5, Input: Input{32, 32, 3}}, Options{Batch: 2, Floats: true}},
	{"odd", Config{Stem: ImageNet, Blocks: []int{2, 2}, Growth: []int{4}, Wiring: Dense(), Classes: 5, Input: Input{37, 29, 3}}, Options{Batch: 2, Floats: true}},
	{"bottleneck", Config{Stem: ImageNet, Blocks: []int{2, 1}, Growth: []int{4}, Bottleneck: true, Classes: 5, Input: Input{19, 16, 3}}, Options{Batch: 3, Floats: true}},
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
				s.Spec[0] = 2
			}
		},
		"statistics of another plane": func(s *ops.Step) {
			if p, ok := s.Push.(*shaders.ActPoolMaxBwdPush); ok {
				p.Link ^= 1
			}
		},
		"": func(*ops.Step) {},
	} {
		m := openWith(t, g, n.Options, plant)
		found := disagreements(run(t, m, 1), want, start, sharp)
		assert.Equal(t, fault == "", len(found) == 0, "%q: %v", fault, found)
		require.NoError(t, m.Close())
	}
}

// openWith opens a network with a fault planted in its training steps.
func openWith(t *testing.T, g *Graph, o Options, plant func(*ops.Step)) *Model {
	t.Helper()
	n, err := NewNetwork(g, o)
	require.NoError(t, err)
	for i, p := range n.Train.parts {
		n.Train.parts[i].steps = func() []ops.Step {
			list := p.steps()
			for j := range list {
				plant(&list[j])
			}
			return list
		}
	}
	m, err := n.Open(optest.Device(t), 3)
	require.NoError(t, err)
	require.NoError(t, m.Load(someValues(g.Params)))
	return m
}
