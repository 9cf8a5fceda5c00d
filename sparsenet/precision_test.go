package sparsenet

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/gpu"
	"sparsevk/ops"
	"sparsevk/ops/optest"
)

// halves are the 16-bit precisions, with what a whole net may stray by from float32:
// of the logits, and of the median gradient, which one ReLU at its kink moves. fp16 is trained with a loss scale.
var halves = []struct {
	precision         ops.Precision
	logits, gradients float64
	scale             float32
}{
	{ops.FP16, 1e-2, 0.2, 1 << 12},
	{ops.BF16, 5e-2, 0.4, 1},
}

// storage16 returns whether the device has 16-bit storage. Where it has not,
// opening a 16-bit network must be refused with the reason and the way out.
func storage16(t *testing.T) bool {
	t.Helper()
	dev := optest.Device(t)
	if dev.Info().Features.Storage16 {
		return true
	}
	_, err := network(t, "sparse-16-6", Options{Batch: 1, Precision: ops.FP16}).Open(dev, 1)
	require.ErrorIs(t, err, gpu.ErrNoStorage16)
	assert.ErrorContains(t, err, "fp16 maps")
	assert.ErrorContains(t, err, "use fp32, or another device")
	return false
}

// halfNets is one of everything that touches maps: an odd number of pixels, images
// as floats and as bytes, bottlenecks and dropout, the sum form, the ImageNet stem.
var halfNets = []struct {
	name string
	Config
	Options
}{
	{"odd", Config{Depth: 10, Growth: []int{3}, Wiring: Dense(), Input: Input{15, 13, 3}}, Options{Batch: 3, Floats: true}},
	{"dropout", Config{Depth: 10, Growth: []int{5}, Dropout: 0.2, Bottleneck: true, Input: Input{16, 16, 3}}, Options{Batch: 3, Pad: 4, Flip: true, Smoothing: 0.1}},
	{"sum", Config{Depth: 14, Growth: []int{5}, Form: Sum, Dropout: 0.1, Input: Input{16, 16, 3}}, Options{Batch: 3, Floats: true}},
	{"stem", Config{Stem: ImageNet, Blocks: []int{2, 1}, Growth: []int{4}, Bottleneck: true, Classes: 5, Input: Input{29, 35, 3}}, Options{Batch: 2, Floats: true}},
}

// TestHalfNetworks: both engines, in one piece and cut into segments, agree with
// float32 about a step. Compiling takes minutes, so that only part of it is tried
// unless SPARSEVK_SLOW=1.
func TestHalfNetworks(t *testing.T) {
	if !storage16(t) {
		return
	}
	slow := os.Getenv("SPARSEVK_SLOW") == "1"
	for i, net := range halfNets {
		full := halfStep(t, open(t, net.Config, net.Options), 1)
		g, err := Build(net.Config)
		require.NoError(t, err)
		for j, h := range halves {
			for k, o := range []Options{{Engine: Arena}, {Engine: Layered}, {Engine: Arena, Range: smallRange(g, net.Batch)}} {
				if !slow && (i > 1 && (j > 0 || k > 1) || j > 0 && k == 1) {
					continue
				}
				engine, limit := o.Engine, o.Range
				o = net.Options
				o.Precision, o.Engine, o.Range = h.precision, engine, limit
				got := halfStep(t, open(t, net.Config, o), h.scale)
				what := fmt.Sprintf("%s %v %s range %d", net.name, h.precision, engine, limit)
				logits, gradients := strays(got.logits, full.logits, 0), spreadOf(got.gradients, full.gradients)
				t.Logf("%s: logits %.2g, gradients %v", what, logits, gradients)
				assert.LessOrEqual(t, logits, h.logits, "%s: logits", what)
				assert.LessOrEqual(t, gradients.median, h.gradients, "%s: gradients", what)
				assert.NotZero(t, logits, "%s: the logits are float32's", what)
				assert.LessOrEqual(t, strays([]float32{got.norm}, []float32{full.norm}, 0), h.gradients, "%s: the norm is without the loss scale", what)
			}
		}
	}
}

// halfStep makes one step. Gradients come back without the loss scale.
func halfStep(t *testing.T, m *Model, scale float32) outcome {
	t.Helper()
	feed(t, m, 1)
	h := hyper(m, 0)
	h.LossScale = scale
	r, err := m.TrainStep(h)
	require.NoError(t, err)
	require.False(t, r.NonFinite)
	o := outcome{norm: r.GradientNorm}
	o.logits, err = m.Logits()
	require.NoError(t, err)
	o.gradients, err = m.Gradients()
	require.NoError(t, err)
	for _, v := range o.gradients {
		for i := range v {
			v[i] /= scale
		}
	}
	return o
}

// TestHalfRecompute: recomputed bottlenecks give the same bits in 16 bits too.
func TestHalfRecompute(t *testing.T) {
	if !storage16(t) {
		return
	}
	net := halfNets[1]
	o := net.Options
	o.Precision = ops.FP16
	want := halfStep(t, open(t, net.Config, o), 1024)
	o.Recompute = true
	got := halfStep(t, open(t, net.Config, o), 1024)
	assert.Equal(t, hash(want.gradients), hash(got.gradients))
	assert.Equal(t, want.logits, got.logits)
}

// TestHalfMemory: the plan has half the bytes of maps, and what is planned is what
// is allocated.
func TestHalfMemory(t *testing.T) {
	for _, preset := range []string{"sparse-40-12", "dense-40-12", "sparse-bc-100-24"} {
		for _, engine := range []Engine{Arena, Layered} {
			for _, inference := range []bool{false, true} {
				o := Options{Batch: 16, Engine: engine, Inference: inference}
				full := network(t, preset, o).Memory()
				for _, h := range halves {
					o.Precision = h.precision
					half := network(t, preset, o).Memory()
					assert.Less(t, half.Maps, full.Maps*52/100, "%s %s %v", preset, engine, h.precision)
					assert.LessOrEqual(t, half.Scratch, full.Scratch)
					assert.Equal(t, full.Parameters, half.Parameters, "master weights")
				}
			}
		}
	}
	if !storage16(t) {
		return
	}
	dev := optest.Device(t)
	opened(t, network(t, "sparse-16-6", Options{Batch: 1})) // transfers have their buffer from now on
	for _, engine := range []Engine{Arena, Layered} {
		n := network(t, "sparse-16-6", Options{Batch: 3, Engine: engine, Precision: ops.BF16})
		before := dev.Allocated()
		opened(t, n)
		assert.Equal(t, n.Plan.Total(), dev.Allocated()-before, engine)
	}
}

// TestHalfOverflow: a loss scale that makes the gradient infinite changes no
// parameter and no momentum, on the device, and is reported; the next step trains.
func TestHalfOverflow(t *testing.T) {
	if !storage16(t) {
		return
	}
	m := open(t, halfNets[0].Config, Options{Batch: 3, Floats: true, Precision: ops.FP16})
	halfStep(t, m, 1024) // so that there is momentum
	trained := func() [2]uint64 {
		values, err := m.Values()
		require.NoError(t, err)
		for _, p := range m.Graph.Params.Running {
			delete(values, p.Name) // the forward pass took them, and was fine
		}
		momentum, err := m.Slot(SlotMomentum)
		require.NoError(t, err)
		return [2]uint64{hash(values), hash(momentum)}
	}
	before := trained()
	feed(t, m, 2)
	h := hyper(m, 1)
	h.LossScale = 0x1p60
	r, err := m.TrainStep(h)
	require.NoError(t, err)
	assert.True(t, r.Skipped)
	assert.False(t, math.IsNaN(float64(r.Loss)) || math.IsInf(float64(r.Loss), 0), "the loss itself is finite")
	assert.Equal(t, before, trained())
	halfStep(t, m, 1024)
	assert.NotEqual(t, before, trained())
}

// prototypes are classes that a small net learns within 200 steps, though not to
// the end: a prototype for each, under noise.
func prototypes(m *Model, r *rand.Rand) (images []float32, labels []uint32) {
	in, p := m.Graph.Config.Input, rand.New(rand.NewPCG(1, 1))
	size := in.H * in.W * in.C
	shapes := make([]float32, m.Graph.Config.Classes*size)
	for i := range shapes {
		shapes[i] = float32(p.NormFloat64())
	}
	for range m.Batch {
		k := r.IntN(m.Graph.Config.Classes)
		labels = append(labels, uint32(k))
		for _, x := range shapes[k*size:][:size] {
			images = append(images, x+4*float32(r.NormFloat64()))
		}
	}
	return images, labels
}

// learn trains for steps, in the precision and with the kernels of o, and returns the
// mean loss of the last quarter.
func learn(t *testing.T, o Options, scale float32, seed uint64, steps int) float64 {
	o.Batch, o.Floats = 16, true
	m := open(t, Config{Depth: 7, Growth: []int{4}, Classes: 4, Input: Input{8, 8, 3}}, o)
	values := map[string][]float32{}
	for _, q := range m.Graph.Params.All {
		values[q.Name] = make([]float32, q.Elems())
		q.Fill(values[q.Name], seed)
	}
	require.NoError(t, m.Load(values))
	r, sum := rand.New(rand.NewPCG(seed, 2)), 0.0
	for s := range steps {
		images, labels := prototypes(m, r)
		require.NoError(t, m.SetInput(images))
		putLabels(m, labels)
		h := hyper(m, uint32(s))
		h.Rate, h.LossScale = 0.05, scale
		got, err := m.TrainStep(h)
		require.NoError(t, err)
		require.False(t, got.NonFinite)
		if s >= steps*3/4 {
			sum += float64(got.Loss)
		}
	}
	return sum / float64(steps-steps*3/4)
}

func putLabels(m *Model, labels []uint32) {
	_, words, _ := m.Feed()
	for i, l := range labels {
		binary.LittleEndian.PutUint32(words[4*i:], l)
	}
}

// learned returns mean and spread of what learn gives in three runs.
func learned(t *testing.T, o Options, scale float32, steps int) (mean, spread float64) {
	var all []float64
	for seed := range uint64(3) {
		all = append(all, learn(t, o, scale, seed, steps))
	}
	return (all[0] + all[1] + all[2]) / 3, slices.Max(all) - slices.Min(all)
}

// TestHalfLearns: over 200 steps the loss follows float32's within its own noise,
// which is what other random numbers make of it. Means over several runs are
// compared: one bit that differs leads a run elsewhere.
func TestHalfLearns(t *testing.T) {
	if !storage16(t) {
		return
	}
	const steps = 200
	want, noise := learned(t, Options{}, 1, steps)
	for _, h := range halves {
		got, spread := learned(t, Options{Precision: h.precision}, h.scale, steps)
		t.Logf("%v: loss %.4f, spread %.4f; float32's %.4f, noise %.4f", h.precision, got, spread, want, noise)
		assert.LessOrEqual(t, math.Abs(got-want), noise, h.precision)
	}
	assert.Less(t, want, 0.8*math.Log(4), "it learns")
	lost := learn(t, Options{Precision: ops.FP16}, 0x1p-20, 0, steps)
	assert.Greater(t, math.Abs(lost-want), noise, "with a loss scale that loses the gradients nothing is learned")
}
