package sparsenet

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/ops"
	"sparsevk/ops/optest"
	"sparsevk/ops/record"
)

// How many batches are evaluated at once: as many as the maps of training have bytes
// for. One more would not fit, and what the plan grows by is what the host exchanges
// with an evaluation, and its tables.
func TestWideEvaluationTakesWhatThereIs(t *testing.T) {
	for _, c := range []struct {
		preset string
		Options
		batches int
	}{
		{"sparse-40-24", Options{Batch: 64}, 1},
		{"dense-100-12", Options{Batch: 64}, 1},
		{"sparse-100-24", Options{Batch: 64}, 2},
		{"dense-bc-100-12", Options{Batch: 64}, 5},
		{"sparse-bc-100-24", Options{Batch: 64}, 7},
		{"sparse-bc-100-24", Options{Batch: 64, Recompute: true}, 2},
		{"sparse-bc-100-24", Options{Batch: 64, Precision: ops.BF16}, 7},
		{"sparse-sum-20-16x32x64", Options{Batch: 64}, 2},
		{"sparse-40-24", Options{Batch: 64, Engine: Layered}, 6},
		{"sparse-bc-100-24", Options{Batch: 64, Engine: Layered}, 8},
	} {
		base := network(t, c.preset, c.Options)
		assert.Equal(t, c.Batch, base.EvalBatch)
		c.WideEval = true
		n := network(t, c.preset, c.Options)
		require.Equal(t, c.batches, n.EvalBatch/c.Batch, "%s, %+v", c.preset, c.Options)
		assert.Equal(t, c.batches > 1, n.Wide != nil)
		if c.batches < widestEval {
			more, err := layOut(n.Graph, n.Options, c.batches+1)
			require.NoError(t, err)
			assert.False(t, more.fitsIn(base), "%s: one batch more", c.preset)
		}
		images := uint64(n.EvalBatch - n.Batch)
		logits, image := 4*uint64(n.Graph.Config.Classes)*uint64(n.EvalBatch), uint64(n.Graph.Maps[0].Floats())
		if c.batches == 1 {
			logits = 0
		}
		m, b := n.Memory(), base.Memory()
		assert.Equal(t, n.EvalBatch, m.EvalBatch)
		assert.LessOrEqual(t, m.Maps, b.Maps+logits, c.preset)
		assert.Equal(t, b.Scratch, m.Scratch, c.preset)
		assert.Equal(t, b.Workspace, m.Workspace, c.preset)
		assert.Equal(t, b.Staging+Lanes*images*(image+8), m.Staging, c.preset)
		assert.LessOrEqual(t, m.Other, b.Other+b.Other/2, "%s: tables", c.preset)
		assert.Equal(t, base.Train.Steps()[0].Groups, n.Train.Steps()[0].Groups, "training is as it was")

		// where nothing is trained the bytes of training are the measure, too
		c.Inference, c.Recompute = true, false
		if !n.Recompute {
			assert.Equal(t, c.batches, network(t, c.preset, c.Options).EvalBatch/c.Batch, "%s for inference", c.preset)
		}
	}
}

// What keeps an evaluation at the batch of training: a device with no byte more, a
// tuning, floats, features; and a driver in software keeps it at what its caches hold.
func TestWideEvaluationStaysNarrow(t *testing.T) {
	const preset = "sparse-bc-100-24"
	batches := func(o Options) int {
		o.WideEval = true
		n := network(t, preset, o)
		return n.EvalBatch / n.Batch
	}
	o := Options{Batch: 16}
	base, wide := network(t, preset, o), network(t, preset, Options{Batch: 16, WideEval: true})
	require.Equal(t, 7, wide.EvalBatch/16)
	o.Limit = wide.Memory().Total
	assert.Equal(t, 7, batches(o))
	o.Limit--
	assert.Equal(t, 6, batches(o))
	o.Limit = base.Memory().Total
	assert.Equal(t, 1, batches(o))
	assert.Equal(t, 1, batches(Options{Batch: 16, Floats: true}))
	assert.Equal(t, 1, batches(Options{Batch: 16, Inference: true, Features: true}))
	choice := base.Choices()[0]
	assert.Equal(t, 1, batches(Options{Batch: 16, Tuning: ops.Tuning{choice.Task.String(): ops.PlainForm}}))
	for batch, want := range map[int]int{8: 3, 16: 4, 32: 2, 64: 1} {
		assert.Equal(t, want, batches(Options{Batch: batch, Class: ops.Quad}), "batch %d in software, where transitions stage in scratch", batch)
	}
}

// layWide lays out a net with three batches in an evaluation, whether they fit or not.
func layWide(t *testing.T, c Config, o Options) *Network {
	t.Helper()
	g, err := Build(c)
	require.NoError(t, err)
	require.NoError(t, o.setDefaults(g))
	n, err := layOut(g, o, 3)
	require.NoError(t, err)
	return n
}

// evaluateAll returns the logits and the sums of images 0 to 10 of the twelve that a
// lane of m has room for, at once or a batch after the other.
func evaluateAll(t *testing.T, m *Model, wide bool) (logits []float32, loss float64, hits, hits5 int) {
	t.Helper()
	s, valid := m.Lane(1), m.EvalBatch-1
	images, labels, index := s.Feed()
	for i := range m.EvalBatch {
		binary.LittleEndian.PutUint32(labels[4*i:], uint32(i%m.Graph.Config.Classes))
		binary.LittleEndian.PutUint32(index[4*i:], uint32(i))
	}
	for i := range images {
		images[i] = byte(i * i / 7)
	}
	step := func(submit func(Hyper) error, valid int) {
		h := hyper(m, 0)
		h.Valid = valid
		require.NoError(t, submit(h))
		r, err := s.Wait()
		require.NoError(t, err)
		v, err := m.Logits()
		require.NoError(t, err)
		logits, loss, hits, hits5 = append(logits, v...), loss+float64(r.Loss)*float64(valid), hits+r.Hits, hits5+r.Hits5
	}
	if wide {
		poison(t, m)
		step(s.SubmitWide, valid)
		return logits, loss, hits, hits5
	}
	image := len(images) / m.EvalBatch
	for at := 0; at < m.EvalBatch; at += m.Batch {
		copy(images, images[at*image:][:m.Batch*image])
		copy(labels, labels[4*at:][:4*m.Batch])
		step(s.SubmitEval, min(m.Batch, valid-at))
	}
	return logits, loss, hits, hits5
}

// A wide evaluation is that of its batches, to the bit of every logit; of a batch that
// is not full too, and whatever the memory held. What it leaves of the training is
// everything.
func TestWideEvaluation(t *testing.T) {
	for _, c := range []Config{noisy, {Depth: 8, Growth: []int{6}, Form: Sum, Input: Input{16, 16, 3}}} {
		ways(t, func(e Engine, class ops.Class) {
			o := Options{Batch: 4, Pad: 2, Flip: true, Engine: e, Class: class}
			m := opened(t, layWide(t, c, o))
			require.NoError(t, m.prepare())
			wide, loss, hits, hits5 := evaluateAll(t, m, true)
			narrow, loss1, hits1, hits51 := evaluateAll(t, m, false)
			assert.Equal(t, narrow, wide, "%s %s", e, class)
			assert.Equal(t, [2]int{hits1, hits51}, [2]int{hits, hits5}, "%s %s", e, class)
			_, err := optest.Compare([]float32{float32(loss)}, []float64{loss1}, []float64{loss1}, optest.Tolerance{})
			assert.NoError(t, err, "%s %s: loss", e, class)
			clear(m.Lane(1).images[:100]) // a planted fault is noticed
			require.NoError(t, m.Lane(1).SubmitWide(hyper(m, 0)))
			_, err = m.Lane(1).Wait()
			require.NoError(t, err)
			other, err := m.Logits()
			require.NoError(t, err)
			assert.NotEqual(t, wide, other)

			require.NoError(t, m.Load(someValues(m.Graph.Params)))
			require.NoError(t, m.LoadSlot(SlotMomentum, zeros(m.Graph.Params)))
			plain := open(t, c, o)
			require.NoError(t, plain.LoadSlot(SlotMomentum, zeros(m.Graph.Params)))
			for s := range uint64(2) {
				want := trained(t, plain, s, 1)
				assert.Equal(t, want, trained(t, m, s, 1), "%s %s: training with evaluations in between", e, class)
				h := hyper(m, 0)
				require.NoError(t, m.Lane(1).SubmitWide(h))
				_, err = m.Lane(1).Wait()
				require.NoError(t, err)
			}
			assert.ErrorContains(t, plain.Lane(0).SubmitWide(hyper(m, 0)), "without a wide evaluation")
			require.NoError(t, plain.Close())
			require.NoError(t, m.Close())
		})
	}
}

// The barriers of a wide evaluation hold, its bindings stay within chunks, and what is
// planned with it is what the device hands out.
func TestWideEvaluationIsPlanned(t *testing.T) {
	d := openDevice(t)
	for _, e := range []Engine{Arena, Layered} {
		for _, class := range []ops.Class{ops.Plain, ops.Quad, ops.Quad16} {
			o := Options{Batch: 4, Engine: e, Class: class}
			o.Chunk = smallChunk(layWide(t, noisy, o))
			n := layWide(t, noisy, o)
			require.Greater(t, n.Plan.DeviceBytes(), o.Chunk)
			steps := n.Wide.Steps()
			assert.NoError(t, optest.CheckBarriers(steps, record.Barriers(steps)))
			assert.Error(t, optest.CheckBarriers(steps, make([]bool, len(steps))))
			label, crossing := crosses(steps, o.Chunk)
			assert.Zero(t, crossing, "%s, %s: %s", e, class, label)
			if class != ops.Plain {
				continue
			}
			m, err := n.Open(d, 1)
			require.NoError(t, err)
			assert.Equal(t, n.Memory().Total, d.Allocated())
			require.NoError(t, m.Lane(0).SubmitWide(hyper(m, 0)))
			_, err = m.Lane(0).Wait()
			require.NoError(t, err)
			assert.Equal(t, n.Memory().Total, d.Allocated(), "after a step")
			require.NoError(t, m.Close())
		}
	}
}
