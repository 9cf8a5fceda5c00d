package sparsenet

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/gpu"
	"sparsevk/ops"
	"sparsevk/ops/optest"
)

// classes returns the kernel forms that dev runs.
func classes(dev *gpu.Device) []ops.Class {
	class, err := optest.QuadClass(dev)
	if err != nil {
		return []ops.Class{ops.Plain}
	}
	return []ops.Class{ops.Plain, class}
}

// open puts a network on the device of the tests, with parameters and statistics
// that are all different: gammas are not 1, betas not 0, and the running
// statistics of a map differ among its readers.
func open(t testing.TB, c Config, o Options) *Model {
	t.Helper()
	g, err := Build(c)
	require.NoError(t, err)
	n, err := NewNetwork(g, o)
	require.NoError(t, err)
	return opened(t, n)
}

// opened is open for a network that is laid out.
func opened(t testing.TB, n *Network) *Model {
	t.Helper()
	m, err := n.Open(optest.Device(t), 3)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, m.Close()) })
	require.NoError(t, m.Load(someValues(n.Graph.Params)))
	return m
}

func someValues(p *Params) map[string][]float32 {
	r := rand.New(rand.NewPCG(5, 8))
	values := map[string][]float32{}
	for _, q := range p.All {
		v := make([]float32, q.Elems())
		q.Fill(v, 3)
		for i := range v {
			switch q.Kind {
			case Gamma:
				v[i] += float32(0.2 * r.NormFloat64())
			case Beta, LinearBias, RunningMean:
				v[i] = float32(0.2 * r.NormFloat64())
			case RunningVar:
				v[i] = float32(math.Exp(0.3 * r.NormFloat64()))
			}
		}
		values[q.Name] = v
	}
	return values
}

// feed fills the batch of a step: images, labels and, where images are bytes,
// their numbers.
func feed(t testing.TB, m *Model, seed uint64) {
	t.Helper()
	feedLane(t, m.Lane(0), seed)
}

func feedLane(t testing.TB, s *Lane, seed uint64) {
	t.Helper()
	m, r := s.m, rand.New(rand.NewPCG(seed, 13))
	images, labels, index := s.Feed()
	for i := range m.Batch {
		binary.LittleEndian.PutUint32(labels[4*i:], r.Uint32N(uint32(m.Graph.Config.Classes)))
		if !m.Floats {
			binary.LittleEndian.PutUint32(index[4*i:], r.Uint32())
		}
	}
	if !m.Floats {
		for i := range images {
			images[i] = byte(r.Uint32())
		}
		return
	}
	v := make([]float32, m.Batch*int(m.Graph.Maps[0].Floats()))
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	require.NoError(t, m.SetInput(v))
}

func hyper(m *Model, step uint32) Hyper {
	return Hyper{Rate: 0.02, Momentum: 0.9, Decay: 1e-3, Step: step, Epoch: 1, Seed: 1<<40 | 7, Valid: m.Batch}
}

// An outcome is all that a model shows of an evaluation with the statistics that
// were loaded, some training steps and another evaluation. Logits and gradients
// are those of the first step.
type outcome struct {
	before, logits, after   []float32
	loss                    []float32
	norm                    float32
	hits                    int
	gradients, values, made map[string][]float32 // made: values after the first step
}

// run takes m through steps training steps.
func run(t testing.TB, m *Model, steps int) outcome {
	t.Helper()
	var o outcome
	var err error
	o.before = evaluate(t, m)
	for s := range steps {
		feed(t, m, uint64(s))
		r, err := m.TrainStep(hyper(m, uint32(s)))
		require.NoError(t, err)
		require.False(t, r.NonFinite)
		o.loss = append(o.loss, r.Loss)
		if s > 0 {
			continue
		}
		o.norm, o.hits = r.GradientNorm, r.Hits
		o.logits, err = m.Logits()
		require.NoError(t, err)
		o.gradients, err = m.Gradients()
		require.NoError(t, err)
		o.made, err = m.Values()
		require.NoError(t, err)
	}
	o.values, err = m.Values()
	require.NoError(t, err)
	o.after = evaluate(t, m)
	return o
}

func evaluate(t testing.TB, m *Model) []float32 {
	t.Helper()
	feed(t, m, 99)
	_, err := m.EvalStep(hyper(m, 0))
	require.NoError(t, err)
	logits, err := m.Logits()
	require.NoError(t, err)
	return logits
}

// hash is over the bits of all values by name.
func hash(values map[string][]float32) uint64 {
	h := fnv.New64a()
	for _, name := range slices.Sorted(maps.Keys(values)) {
		fmt.Fprintf(h, "%s %d ", name, len(values[name]))
		for _, x := range values[name] {
			_ = binary.Write(h, binary.LittleEndian, math.Float32bits(x)) // a hash takes everything
		}
	}
	return h.Sum64()
}

// strays returns the norm of a-b over the norm of b, or over least if that is
// larger; infinity where a value is NaN or missing.
func strays(a, b []float32, least float64) float64 {
	if len(a) != len(b) || len(b) == 0 {
		return math.Inf(1)
	}
	var diff, norm float64
	for i := range a {
		d := float64(a[i]) - float64(b[i])
		diff += d * d
		norm += float64(b[i]) * float64(b[i])
	}
	s := math.Sqrt(diff) / max(math.Sqrt(norm), least)
	if math.IsNaN(s) {
		return math.Inf(1)
	}
	return s
}

// A spread is how far the tensors of a group stray: the median and the largest,
// with its name.
type spread struct {
	median, largest float64
	name            string
}

func (s spread) String() string { return fmt.Sprintf("%.1e, largest %.1e", s.median, s.largest) }

// spreadOf compares two groups of tensors; each counts at least as large as 1e-3
// of the largest.
func spreadOf(a, b map[string][]float32) spread {
	var all []float64
	s := spread{}
	least := 0.0
	for _, v := range b {
		least = max(least, 1e-3*strays(v, make([]float32, len(v)), 1))
	}
	for name, v := range b {
		d := strays(a[name], v, least)
		all = append(all, d)
		if d > s.largest || s.name == "" {
			s.largest, s.name = d, name
		}
	}
	slices.Sort(all)
	if len(all) == 0 || len(a) != len(b) {
		return spread{math.Inf(1), math.Inf(1), "nothing"}
	}
	s.median = all[len(all)/2]
	return s
}

// changes returns what training added to values.
func changes(after, before map[string][]float32) map[string][]float32 {
	out := map[string][]float32{}
	for name, v := range after {
		d := slices.Clone(v)
		for i := range d {
			d[i] -= before[name][i]
		}
		out[name] = d
	}
	return out
}
