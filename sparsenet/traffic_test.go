package sparsenet

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/ops"
	"sparsevk/ops/record"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// network lays out a preset.
func network(t testing.TB, preset string, o Options) *Network {
	t.Helper()
	c, err := Preset(preset)
	require.NoError(t, err)
	g, err := Build(c)
	require.NoError(t, err)
	n, err := NewNetwork(g, o)
	require.NoError(t, err)
	return n
}

// A change of what a step costs shows here without a device. Rewrite with
// go test ./sparsenet -run TrafficGolden -update, and say why in the commit.
func TestTrafficGolden(t *testing.T) {
	for _, c := range []struct {
		preset string
		Options
	}{
		{"sparse-40-12", Options{Batch: 64}},
		{"sparse-40-12", Options{Batch: 64, Engine: Layered}},
		{"sparse-40-12", Options{Batch: 64, Inference: true}},
		{"sparse-40-12", Options{Batch: 64, Class: ops.Quad}},
		{"dense-40-12", Options{Batch: 64}},
		{"sparse-bc-100-24", Options{Batch: 16}},
		{"sparse-sum-20-16x32x64", Options{Batch: 64}},
	} {
		n := network(t, c.preset, c.Options)
		name := fmt.Sprintf("%s-%s", c.preset, n.Engine)
		if n.Inference {
			name += "-inference"
		}
		if n.Class != ops.Plain {
			name += "-" + n.Class.String()
		}
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			traffic := n.Traffic()
			fmt.Fprintf(&got, "%s, %s engine, %s kernels, batch %d\n\n", c.preset, n.Engine, n.Class, n.Batch)
			require.NoError(t, traffic.WriteKernels(&got))
			assert.Less(t, strings.Count(got.String(), "\n"), 60, "longer goldens nobody reads")
			file := "testdata/traffic_" + name + ".golden"
			if *update {
				require.NoError(t, os.WriteFile(file, got.Bytes(), 0o644))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			assert.Equal(t, string(want), got.String(), "run with -update if this is meant")
		})
	}
}

// The counts hold against sums over the steps that are recorded.
func TestTrafficAddsUp(t *testing.T) {
	for _, o := range []Options{{Batch: 3}, {Batch: 3, Engine: Layered}, {Batch: 3, Inference: true}} {
		n := network(t, "sparse-16-6", o)
		got, want := n.Traffic(), Load{}
		program := n.Train
		if o.Inference {
			program = n.Eval
		}
		steps := program.Steps()
		for i, b := range record.Barriers(steps) {
			if b {
				want.Barriers++
			}
			want.Dispatches++
			want.Read += steps[i].Reads()
			want.Written += steps[i].Writes()
			want.MACs += steps[i].MACs
		}
		assert.Equal(t, want, got.Total)
		var sum Load
		for p := range phases {
			var kernels Load
			for _, l := range got.kernels[p].loads {
				kernels.plus(*l)
			}
			assert.Equal(t, *got.phase(p), kernels, "%v by kernel", p)
			sum.plus(kernels)
		}
		assert.Equal(t, got.Total, sum)
		if o.Inference {
			assert.Zero(t, got.Backward)
			assert.Zero(t, got.Update)
			continue
		}
		assert.NotZero(t, got.Backward.MACs)
		assert.Zero(t, got.Update.MACs)
	}
}

func (l *Load) plus(m Load) {
	l.Dispatches += m.Dispatches
	l.Barriers += m.Barriers
	l.Read += m.Read
	l.Written += m.Written
	l.MACs += m.MACs
}

// The forward pass executes the multiply-accumulates that are counted from the
// graph, and the backward pass twice as many, but for the image's gradient.
func TestTrafficOfConvolutionsIsThatOfTheGraph(t *testing.T) {
	for _, e := range []Engine{Arena, Layered} {
		n := network(t, "sparse-bc-40-12", Options{Batch: 5, Engine: e})
		traffic := n.Traffic()
		var forward, stem uint64
		for i := range n.Graph.Nodes {
			g := &n.Graph.Nodes[i]
			published, executed := n.Graph.macs(g)
			if e == Layered {
				executed = published
			}
			if g.Kind == StemConv {
				stem = uint64(executed)
			}
			if g.Kind != Head { // the linear layer's are checked by its op
				forward += uint64(executed)
			}
		}
		head := uint64(n.Graph.Nodes[len(n.Graph.Nodes)-1].C * n.Graph.Config.Classes)
		assert.Equal(t, 5*(forward+head), traffic.Forward.MACs, e)
		assert.Equal(t, 5*(2*(forward+head)-stem), traffic.Backward.MACs, e)
	}
}
