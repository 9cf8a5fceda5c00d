package sparsenet

import (
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/ops"
	"sparsevk/ops/optest"
	"sparsevk/ops/record"
	"sparsevk/shaders"
)

// poisonWord is a NaN.
const poisonWord = 0x7fc0dead

// poison overwrites all memory of m that a program must not read before it writes:
// maps, scratch and workspace, statistics of the batch, links and packed weights,
// and of what is kept the gradients, logits and results. The words of links that
// say where a plane lies become 0: a driver that checks no bounds would not
// survive a wild one, in programs that lack a step.
func poison(t *testing.T, m *Model) {
	t.Helper()
	require.LessOrEqual(t, m.Plan.DeviceBytes(), m.Plan.Chunk, "memory in one piece")
	all := ops.Vector("everything", ops.Map, int(m.Plan.DeviceBytes()/4))
	words, err := m.mem.Download(all.All())
	require.NoError(t, err)
	clean := slices.Clone(words)
	for i := range words {
		words[i] = poisonWord
	}
	keep := func(v ops.View) {
		lo, hi := v.Bytes()
		copy(words[lo/4:hi/4], clean[lo/4:hi/4])
	}
	for _, l := range m.Plan.Lifetimes {
		if strings.HasSuffix(l.Block.Name, "/links") {
			lo, hi := l.Block.All().Bytes()
			for i := lo / 4; i < hi/4; i += ops.LinkWords {
				words[i+ops.LinkPlane] = 0
			}
		}
	}
	for _, l := range m.Plan.Lifetimes {
		if b := l.Block; b.Keep && !b.Host() && b != m.logits {
			keep(b.All())
		}
	}
	for _, p := range m.Graph.Params.Trained {
		if m.Train == nil {
			break
		}
		lo, hi := m.regions.grad(p.Name).Bytes() // between the parameters lie zeros, which stay
		for i := lo / 4; i < hi/4; i++ {
			words[i] = poisonWord
		}
	}
	require.NoError(t, m.mem.Upload(all.All(), words))
	require.NoError(t, m.mem.Upload(m.results.All(), slices.Repeat([]uint32{poisonWord}, ops.ResultWords)))
}

// shown returns a hash of all that one training step or evaluation shows, from
// the parameters that open loads, with before called right before the step.
func shown(t *testing.T, m *Model, training bool, before func()) uint64 {
	t.Helper()
	require.NoError(t, m.Load(someValues(m.Graph.Params)))
	h, all := hyper(m, 3), map[string][]float32{}
	if training {
		require.NoError(t, m.LoadSlot(SlotMomentum, zeros(m.Graph.Params)))
	}
	feed(t, m, 1)
	step := m.EvalStep
	if training {
		step = m.TrainStep
	} else {
		require.NoError(t, m.stats.prepare(m))
		m.ready = true
	}
	before()
	r, err := step(h)
	require.NoError(t, err)
	all["result"] = []float32{r.Loss, float32(r.Hits), float32(r.Hits5), r.GradientNorm}
	all["logits"], err = m.Logits()
	require.NoError(t, err)
	if training {
		all["hash"] = []float32{math.Float32frombits(uint32(trainedState(t, m))), math.Float32frombits(uint32(trainedState(t, m) >> 32))}
	}
	return hash(all)
}

// every returns 1 if SPARSEVK_SLOW=1, so that every step has its turn, and else n.
func every(n int) int {
	if os.Getenv("SPARSEVK_SLOW") == "1" {
		return 1
	}
	return n
}

// astray reports whether without step s others would read at addresses that are
// poison, on a driver that does not keep them within the memory that is bound: it
// ends the process.
func astray(t *testing.T, s ops.Step) bool {
	return s.Kernel == &shaders.Links && !strings.Contains(optest.Device(t).Info().Name, "llvmpipe")
}

// poisonNet is small, and has a bottleneck, a transition, dropout, a map with
// several readers and one whose gradient is gathered in groups.
var poisonNet = Config{Blocks: []int{3, 1}, Growth: []int{3}, Bottleneck: true, Dropout: 0.1, Classes: 3, Input: Input{8, 8, 2}}

// poisonSum is the same in the sum form, with a shortcut and maps whose gradients
// share a block and part.
var poisonSum = Config{Form: Sum, Blocks: []int{3, 1}, Growth: []int{4}, Dropout: 0.1, Classes: 3, Input: Input{8, 8, 2}}

// Nothing reads what it did not write: with NaN wherever a program may not read,
// every bit of what a step shows stays. A program that lacks any one of its steps
// shows something else, so that poison and comparison do see each of them (some;
// all with SPARSEVK_SLOW=1).
func TestPoison(t *testing.T) { testPoison(t, poisonNet) }

func TestPoisonSum(t *testing.T) { testPoison(t, poisonSum) }

func testPoison(t *testing.T, net Config) {
	ways(t, func(e Engine, c ops.Class) {
		m := open(t, net, Options{Batch: 4, Pad: 1, Flip: true, Engine: e, Class: c, Scratch: 4 * 4 * 8 * 8 * 4})
		for _, training := range []bool{true, false} {
			want := shown(t, m, training, func() {})
			assert.Equal(t, want, shown(t, m, training, func() { poison(t, m) }), "%s %s, training %v", e, c, training)
			p, recording := m.Eval, &m.lanes[0].eval
			if training {
				p, recording = m.Train, &m.lanes[0].train
			}
			all, whole := p.Steps(), *recording
			turn := len(e) + int(c)
			for i, s := range all {
				if (i+turn)%every(7) != 0 || astray(t, s) {
					continue
				}
				part := slices.Delete(slices.Clone(all), i, i+1)
				r, err := record.New(m.Device, m.mem, part, record.Options{})
				require.NoError(t, err)
				*recording = r
				assert.NotEqual(t, want, shown(t, m, training, func() { poison(t, m) }), "%s %s: nobody misses step %d, %s %s", e, c, i, s.Label, s.Kernel.Name)
				require.NoError(t, r.Close())
			}
			*recording = whole
			assert.Equal(t, want, shown(t, m, training, func() { poison(t, m) }), "%s %s", e, c)
		}
		require.NoError(t, m.Close())
	})
}

// Two steps that touch the same bytes, one of which writes, cannot change places:
// the results tell. So an order that is wrong does not pass unseen.
func TestOrderMatters(t *testing.T) {
	ways(t, func(e Engine, c ops.Class) {
		m := open(t, poisonNet, Options{Batch: 4, Pad: 1, Flip: true, Engine: e, Class: c})
		want := shown(t, m, true, func() { poison(t, m) })
		all, whole, swaps := m.Train.Steps(), m.lanes[0].train, 0
		for i := range len(all) - 1 {
			if (i+int(c))%every(5) != 0 || !follows(&all[i], &all[i+1]) || astray(t, all[i]) {
				continue
			}
			swapped := slices.Clone(all)
			swapped[i], swapped[i+1] = all[i+1], all[i]
			r, err := record.New(m.Device, m.mem, swapped, record.Options{})
			require.NoError(t, err)
			m.lanes[0].train = r
			assert.NotEqual(t, want, shown(t, m, true, func() { poison(t, m) }), "%s %s: steps %d, %s %s, and %s %s can change places",
				e, c, i, all[i].Label, all[i].Kernel.Name, all[i+1].Label, all[i+1].Kernel.Name)
			require.NoError(t, r.Close())
			swaps++
		}
		m.lanes[0].train = whole
		assert.Greater(t, swaps, len(all)/every(5)/3)
		require.NoError(t, m.Close())
	})
}

// follows reports whether b reads or overwrites what a writes, or writes what a
// reads.
func follows(a, b *ops.Step) bool {
	for _, u := range a.Uses() {
		for _, v := range b.Uses() {
			ulo, uhi := u.View.Bytes()
			vlo, vhi := v.View.Bytes()
			if (u.Access|v.Access)&shaders.Write != 0 && u.View.Block.Host() == v.View.Block.Host() && max(ulo, vlo) < min(uhi, vhi) {
				return true
			}
		}
	}
	return false
}

// The barriers of every program satisfy the checker that was written
// independently, and it objects when any one of them is dropped.
func TestBarriers(t *testing.T) {
	programs := 0
	check := func(n *Network, every int) {
		t.Helper()
		for _, p := range []*Program{n.Train, n.Eval} {
			if p == nil {
				continue
			}
			programs++
			steps := p.Steps()
			barriers := record.Barriers(steps)
			require.NoError(t, optest.CheckBarriers(steps, barriers))
			count := 0
			for i, b := range barriers {
				if !b {
					continue
				}
				if count++; count%every != 0 {
					continue
				}
				barriers[i] = false
				assert.Error(t, optest.CheckBarriers(steps, barriers), "%s: the barrier before step %d of %d, %s, is not missed", n.Engine, i, len(steps), steps[i].Label)
				barriers[i] = true
			}
			assert.Positive(t, count)
		}
	}
	for _, e := range []Engine{Arena, Layered} {
		for _, c := range []ops.Class{ops.Plain, ops.Quad, ops.Quad16} {
			for _, n := range slices.Concat(smallNets, sumNets) {
				o := n.Options
				o.Engine, o.Class = e, c
				g, err := Build(n.Config)
				require.NoError(t, err)
				net, err := NewNetwork(g, o)
				require.NoError(t, err)
				check(net, 1)
				o.Range, o.Scratch = smallRange(g, o.Batch), 1
				net, err = NewNetwork(g, o)
				require.NoError(t, err)
				check(net, 10)
				o.Range, o.Inference = 0, true
				net, err = NewNetwork(g, o)
				require.NoError(t, err)
				check(net, 1)
			}
			for _, preset := range []string{"sparse-40-12", "dense-40-12", "sparse-bc-100-24"} {
				check(network(t, preset, Options{Batch: 64, Engine: e, Class: c}), 40)
			}
		}
	}
	assert.Equal(t, 2*3*((len(smallNets)+len(sumNets))*5+6), programs)
}
