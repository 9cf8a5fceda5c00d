package sparsenet

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/ops"
	"sparsevk/ops/optest"
)

// trainPart trains m on a batch as part k of n.
func trainPart(t *testing.T, m *Model, seed uint64, k, n int) Result {
	t.Helper()
	feed(t, m, seed)
	h := hyper(m, uint32(seed))
	h.Part, h.Parts = k, n
	r, err := m.TrainStep(h)
	require.NoError(t, err)
	return r
}

// The gradient of an update is the mean of those of its batches, taken one by one
// with the same parameters; what was accumulated before does not matter, be it NaN;
// and nothing but the running statistics changes before the last part. A single part
// has the bits of a network that does not accumulate.
func TestAccumulate(t *testing.T) {
	ways(t, func(e Engine, c ops.Class) {
		o := Options{Batch: 4, Pad: 2, Flip: true, Engine: e, Class: c}
		plain := open(t, noisy, o)
		o.Accumulate = true
		m := open(t, noisy, o)
		const parts = 3
		mean, mag := map[string][]float64{}, map[string][]float64{}
		for k := range parts {
			require.NoError(t, plain.Load(someValues(plain.Graph.Params)))
			trainPart(t, plain, uint64(k), 0, 1)
			g, err := plain.Gradients()
			require.NoError(t, err)
			for name, v := range g {
				if k == 0 {
					mean[name], mag[name] = make([]float64, len(v)), make([]float64, len(v))
				}
				for i, x := range v {
					mean[name][i] += float64(x) / parts
					mag[name][i] += math.Abs(float64(x)) / parts
				}
			}
		}
		agrees := func() (err error) {
			got, e := m.Gradients()
			require.NoError(t, e)
			for name, v := range got {
				if _, bad := optest.Compare(v, mean[name], mag[name], optest.Tolerance{Terms: 2 * parts}); bad != nil {
					err = bad
				}
			}
			return err
		}
		for _, b := range m.regions.sums {
			require.NoError(t, m.mem.Upload(b.All(), slices.Repeat([]uint32{poisonWord}, int(b.C))))
		}
		before, err := m.Slot(SlotMomentum)
		require.NoError(t, err)
		for k := range parts {
			r := trainPart(t, m, uint64(k), k, parts)
			now, err := m.Slot(SlotMomentum)
			require.NoError(t, err)
			if k+1 < parts {
				assert.Zero(t, r.GradientNorm)
				assert.Equal(t, before, now, "%s %s: an update after part %d of %d", e, c, k+1, parts)
				assert.Error(t, agrees(), "a part is not the whole")
				continue
			}
			assert.Positive(t, r.GradientNorm)
			assert.NotEqual(t, before, now)
		}
		assert.NoError(t, agrees(), "%s %s", e, c)

		feed(t, m, 9)
		h := hyper(m, 9)
		h.Part, h.Parts = 2, 2
		_, err = m.TrainStep(h)
		assert.ErrorContains(t, err, "part 2 of 2")
		h.Part = 0
		_, err = plain.TrainStep(h)
		assert.ErrorContains(t, err, "Options.Accumulate is false")
		for _, x := range []*Model{plain, m} {
			require.NoError(t, x.Load(someValues(x.Graph.Params)))
			require.NoError(t, x.LoadSlot(SlotMomentum, zeros(x.Graph.Params)))
		}
		assert.Equal(t, trained(t, plain, 1, 2), trained(t, m, 1, 2), "%s %s: one part", e, c)
		require.NoError(t, plain.Close())
		require.NoError(t, m.Close())
	})
}
