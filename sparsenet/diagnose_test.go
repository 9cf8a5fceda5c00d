package sparsenet

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/ops"
	"sparsevk/ops/optest"
)

// A plant makes a step not finite in a place that is known. node is the layer of it.
type plant struct {
	name string
	do   func(values map[string][]float32, node *Node, h *Hyper)
	want func(f Finding, node *Node) bool
}

var plants = []plant{
	{"nothing", func(map[string][]float32, *Node, *Hyper) {}, func(f Finding, _ *Node) bool { return !f.Found() }},
	{"weight", func(v map[string][]float32, n *Node, _ *Hyper) {
		v[n.Conv+".weight"][3] = float32(math.NaN())
	}, func(f Finding, n *Node) bool {
		return f.Step == "" && f.Tensor == "parameter "+n.Conv+".weight" && f.Count == 1 && f.First == 3
	}},
	{"gamma", func(v map[string][]float32, n *Node, _ *Hyper) {
		for i := range v[n.BN+".weight"] {
			v[n.BN+".weight"][i] = math.MaxFloat32
		}
	}, func(f Finding, n *Node) bool { return f.Phase == Forward && strings.HasPrefix(f.Step, n.Name+"/") }},
	{"loss", func(v map[string][]float32, _ *Node, _ *Hyper) {
		v["classifier.linear.bias"][0], v["classifier.linear.bias"][1] = math.MaxFloat32, -math.MaxFloat32
	}, func(f Finding, _ *Node) bool { return f.Step == "loss/softmax_reduce" && f.Tensor == "loss" }},
	{"gradient", func(v map[string][]float32, _ *Node, h *Hyper) {
		h.LossScale = 0x1p126
		v["classifier.linear.bias"][0] = 1e6 // all images are classified wrong
		for i := range v["classifier.linear.weight"] {
			v["classifier.linear.weight"][i] *= 1000
		}
	}, func(f Finding, _ *Node) bool { return f.Phase == Backward && f.Step == "head/linear_bwd_data" }},
	{"norm", func(_ map[string][]float32, _ *Node, h *Hyper) { h.LossScale = 0x1p80 }, func(f Finding, _ *Node) bool {
		return f.Phase == Update && strings.HasPrefix(f.Tensor, "sum of")
	}},
}

// diagnosedNets are both engines in the concat form, and the sum form, which the
// arena engine runs in a program of its own.
func diagnosedNets(t *testing.T) (all []*Model) {
	dev := optest.Device(t)
	for _, c := range []Config{
		{Blocks: []int{2, 2}, Growth: []int{4}, Classes: 2, Input: Input{8, 8, 2}},
		{Blocks: []int{2, 2}, Growth: []int{4}, Classes: 2, Form: Sum, Input: Input{8, 8, 2}},
	} {
		for _, e := range []Engine{Arena, Layered} {
			for _, class := range classes(dev) {
				if e == Layered && c.Form == Sum {
					continue
				}
				all = append(all, open(t, c, Options{Batch: 2, Engine: e, Class: class}))
			}
		}
	}
	if dev.Info().Features.Storage16 {
		all = append(all, open(t, Config{Blocks: []int{2, 2}, Growth: []int{4}, Classes: 2, Input: Input{8, 8, 2}}, Options{Batch: 2, Precision: ops.FP16}))
	}
	return all
}

// kept is a hash of all that a diagnosis must leave as it was.
func kept(t *testing.T, m *Model) (all [5]uint64) {
	t.Helper()
	values, err := m.Values()
	require.NoError(t, err)
	momentum, err := m.Slot(SlotMomentum)
	require.NoError(t, err)
	gradients, err := m.Gradients()
	require.NoError(t, err)
	logits, err := m.Logits()
	require.NoError(t, err)
	return [5]uint64{hash(values), hash(momentum), hash(gradients), hash(map[string][]float32{"": logits}), m.Device.Allocated()}
}

// A value that is not finite is found where it was planted, and nothing but a
// finite step finds none; the model stays as it was, to the bit.
func TestDiagnose(t *testing.T) {
	for _, m := range diagnosedNets(t) {
		t.Run(fmt.Sprintf("%s_%s_%s_%s", m.Graph.Config.Form, m.Engine, m.Class, m.Precision), func(t *testing.T) {
			node := &m.Graph.Nodes[slices.IndexFunc(m.Graph.Nodes, func(n Node) bool { return n.Stage == 1 && n.Layer == 1 })]
			for _, p := range plants {
				if p.name == "norm" && m.Precision == ops.FP16 {
					continue // the gradients that lie in maps overflow first
				}
				h := hyper(m, 3)
				values := someValues(m.Graph.Params)
				p.do(values, node, &h)
				require.NoError(t, m.Load(values))
				feed(t, m, 1)
				_, labels, _ := m.Feed()
				for i := range m.Batch {
					binary.LittleEndian.PutUint32(labels[4*i:], 1)
				}
				r, err := m.TrainStep(h)
				require.NoError(t, err)
				require.Equal(t, p.name != "nothing", r.NonFinite, p.name)
				after, err := m.Values()
				require.NoError(t, err)
				for _, q := range m.Graph.Params.Running {
					assert.False(t, slices.ContainsFunc(after[q.Name], func(x float32) bool { return math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) }),
						"%s: a bad batch got into %s", p.name, q.Name)
				}
				before := kept(t, m)
				f, err := m.Diagnose(0, h)
				require.NoError(t, err)
				assert.Equal(t, before, kept(t, m), p.name)
				assert.True(t, p.want(f, node), "%s: %v", p.name, f)
				t.Logf("%s: %v", p.name, f)
			}
		})
	}
}

// Images that are not finite are told from what the network makes of them.
func TestDiagnoseInput(t *testing.T) {
	c := Config{Blocks: []int{1}, Growth: []int{2}, Classes: 2, Input: Input{4, 4, 2}}
	for _, o := range []Options{{Mean: []float32{0, float32(math.NaN())}, Std: []float32{1, 1}}, {Floats: true}} {
		o.Batch = 2
		m := open(t, c, o)
		feed(t, m, 1)
		if m.Floats {
			x := make([]float32, 64)
			x[5] = float32(math.Inf(-1))
			require.NoError(t, m.SetInput(x))
		}
		f, err := m.Diagnose(0, hyper(m, 0))
		require.NoError(t, err)
		assert.Equal(t, "normalised images", f.Tensor)
		assert.EqualValues(t, 64, f.Of)
		assert.Equal(t, o.Floats, f.Count == 1)
		t.Log(f)
	}
}
