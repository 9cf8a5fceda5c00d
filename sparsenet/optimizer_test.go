package sparsenet

import (
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/ops/ref"
)

// optimizerNet has parameters of every kind: a stem, 1x1 and 3x3 convolutions,
// batch norms, a linear layer.
func optimizerNet() Config {
	return Config{Blocks: []int{2, 1}, Growth: []int{3}, Bottleneck: true, Wiring: Powers(2), Classes: 3, Input: Input{8, 8, 2}}
}

// snapshot copies parameters, gradients and slots to the host.
func snapshot(t *testing.T, m *Model) map[string]map[string][]float32 {
	t.Helper()
	weights, err := m.Values()
	require.NoError(t, err)
	grads, err := m.Gradients()
	require.NoError(t, err)
	all := map[string]map[string][]float32{"weights": weights, "gradients": grads}
	for _, name := range m.Slots() {
		all[name], err = m.Slot(name)
		require.NoError(t, err)
	}
	return all
}

// column returns values as the reference takes them; none are zeros.
func column(v []float32, n int) *ref.Tensor {
	x := make([]float64, n)
	for i, f := range v {
		x[i] = float64(f)
	}
	return ref.Vec(x...)
}

// expected is what the reference makes of one parameter.
func expected(m *Model, h Hyper, decays bool, norm float64, w, dw []float32, was func(slot string) []float32) map[string][]float64 {
	n := len(w)
	factor, decay := ref.Clip(norm*norm, 1, float64(h.Clip)), 0.0
	if decays {
		decay = float64(h.Decay)
	}
	out := map[string][]float64{}
	var next *ref.Tensor
	if m.Optimizer == SGD {
		o := ref.SGD{Rate: float64(h.Rate), Momentum: float64(h.Momentum), Decay: decay, Factor: factor, Nesterov: true}
		var v *ref.Tensor
		next, v = o.Step(column(w, n), column(was(SlotMomentum), n), column(dw, n))
		out[SlotMomentum] = v.Data
	} else {
		o := ref.Adam{Rate: float64(h.Rate), Beta1: float64(h.Momentum), Beta2: float64(h.Beta2), Epsilon: float64(h.Epsilon), Decay: decay,
			Factor: factor, Updates: int(h.Updates), Decoupled: m.Optimizer == AdamW, AMSGrad: m.Optimizer == AMSGrad}
		var s ref.Moments
		next, s = o.Step(column(w, n), column(dw, n), ref.Moments{M: column(was(SlotMomentum), n), V: column(was(SlotSecond), n), Top: column(was(SlotLargest), n)})
		out[SlotMomentum], out[SlotSecond] = s.M.Data, s.V.Data
		if o.AMSGrad {
			out[SlotLargest] = s.Top.Data
		}
	}
	out["weights"] = next.Data
	if m.Average {
		out[SlotAverage] = ref.Average(float64(h.Average), column(was(SlotAverage), n), next).Data
	}
	return out
}

// Two steps of every optimizer change parameters and slots as the reference does,
// with decay where the rule says and nowhere else.
func TestOptimizers(t *testing.T) {
	for _, o := range []Options{
		{Optimizer: SGD}, {Optimizer: SGD, Decays: DecayWeights, Average: true}, {Optimizer: Adam, Decays: DecayPoints},
		{Optimizer: AdamW, Decays: DecayWeights}, {Optimizer: AMSGrad, Average: true, Engine: Layered},
	} {
		o.Batch = 3
		t.Run(string(o.Optimizer)+"_"+string(o.Decays), func(t *testing.T) {
			m := open(t, optimizerNet(), o)
			before := snapshot(t, m)
			for step := range 2 {
				feed(t, m, uint64(step))
				h := hyper(m, uint32(step))
				h.Decay, h.Clip, h.Beta2, h.Epsilon, h.Average, h.Updates = 0.3, 0.7, 0.99, 1e-3, 0.9, uint64(step+1)
				r, err := m.TrainStep(h)
				require.NoError(t, err)
				after := snapshot(t, m)
				for _, p := range m.Graph.Params.Trained {
					was := func(slot string) []float32 { return before[slot][p.Name] }
					want := expected(m, h, m.Decays.decays(m.Graph, p), float64(r.GradientNorm), was("weights"), after["gradients"][p.Name], was)
					assert.Len(t, want, len(m.Slots())+1)
					for what, v := range want {
						d := strays(after[what][p.Name], floats32(v), 1e-6)
						assert.False(t, !(d <= 1e-5), "%s of %s strays by %g", what, p.Name, d)
					}
				}
				before = after
			}
		})
	}
}

func floats32(v []float64) []float32 {
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(x)
	}
	return out
}

// The rules differ on these parameters: a rule that is not followed shows.
func TestDecayRules(t *testing.T) {
	g, err := Build(optimizerNet())
	require.NoError(t, err)
	decayed := func(r DecayRule) (list []string) {
		for _, p := range g.Params.Trained {
			if r.decays(g, p) {
				list = append(list, p.Name)
			}
		}
		return list
	}
	all, weights, points := decayed(DecayAll), decayed(DecayWeights), decayed(DecayPoints)
	assert.Len(t, all, len(g.Params.Trained))
	assert.Less(t, len(weights), len(all))
	assert.Less(t, len(points), len(weights))
	for _, name := range weights {
		p, _ := g.Params.Find(name)
		assert.Contains(t, []ParamKind{ConvWeight, LinearWeight}, p.Kind, name)
	}
	for _, name := range points {
		p, _ := g.Params.Find(name)
		assert.True(t, p.Shape[2] == 1 || name == g.Params.Trained[0].Name, name)
	}
}

// A gradient that is not finite changes nothing, and the step says so.
func TestUpdateRefusesNonFinite(t *testing.T) {
	for _, o := range []Options{{Optimizer: SGD, Average: true}, {Optimizer: AMSGrad}} {
		o.Batch = 2
		m := open(t, optimizerNet(), o)
		values, err := m.Values()
		require.NoError(t, err)
		name := m.Graph.Params.Trained[len(m.Graph.Params.Trained)-1].Name
		values[name][0] = float32(math.NaN())
		require.NoError(t, m.Load(values))
		before := snapshot(t, m)
		feed(t, m, 1)
		h := hyper(m, 0)
		h.Beta2, h.Epsilon, h.Updates, h.Average = 0.99, 1e-8, 1, 0.5
		r, err := m.TrainStep(h)
		require.NoError(t, err)
		assert.True(t, r.NonFinite)
		after := snapshot(t, m)
		for _, what := range append(m.Slots(), "weights") {
			for _, p := range m.Graph.Params.Trained {
				assert.Equal(t, bitsOf(before[what][p.Name]), bitsOf(after[what][p.Name]), "%s of %s", what, p.Name)
			}
		}
	}
}

// The average takes the parameters' place and gives it back, bit for bit.
func TestUseAverage(t *testing.T) {
	m := open(t, optimizerNet(), Options{Batch: 2, Average: true})
	feed(t, m, 1)
	h := hyper(m, 0)
	h.Average = 0.5
	_, err := m.TrainStep(h)
	require.NoError(t, err)
	before := snapshot(t, m)
	require.NoError(t, m.UseAverage(true))
	require.NoError(t, m.UseAverage(true)) // once is enough
	swapped := snapshot(t, m)
	name := m.Graph.Params.Trained[0].Name
	assert.NotEqual(t, before["weights"][name], before[SlotAverage][name])
	assert.Equal(t, before[SlotAverage][name], swapped["weights"][name])
	_, err = m.TrainStep(h)
	assert.ErrorContains(t, err, "UseAverage(false)")
	require.NoError(t, m.UseAverage(false))
	assert.Equal(t, before["weights"], snapshot(t, m)["weights"])

	none := open(t, optimizerNet(), Options{Batch: 2})
	assert.ErrorContains(t, none.UseAverage(true), "Options.Average")
}

func TestOptimizerNames(t *testing.T) {
	g, err := Build(optimizerNet())
	require.NoError(t, err)
	_, err = NewNetwork(g, Options{Batch: 1, Optimizer: "lamb"})
	assert.ErrorContains(t, err, `unknown optimizer "lamb": use sgd, adam`)
	_, err = NewNetwork(g, Options{Batch: 1, Decays: "some"})
	assert.ErrorContains(t, err, `unknown rule of weight decay "some"`)
	n, err := NewNetwork(g, Options{Batch: 1, Optimizer: AMSGrad, Average: true})
	require.NoError(t, err)
	assert.Equal(t, []string{SlotMomentum, SlotSecond, SlotLargest, SlotAverage}, n.slots())
	assert.Equal(t, slices.Sorted(slices.Values(n.slots())), slices.Sorted(maps.Keys(n.regions.slots)))
}

func bitsOf(v []float32) []uint32 {
	out := make([]uint32, len(v))
	for i, x := range v {
		out[i] = math.Float32bits(x)
	}
	return out
}
