package sparsenet

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/ops/optest"
)

func TestProfile(t *testing.T) {
	dev := optest.Device(t)
	if dev.Limits().TimestampBits == 0 {
		t.Skip("the device has no timestamps")
	}
	g, err := Build(Config{Depth: 7, Growth: []int{2}})
	require.NoError(t, err)
	for _, engine := range []Engine{Layered, Arena} {
		for _, inference := range []bool{false, true} {
			n, err := NewNetwork(g, Options{Batch: 2, Engine: engine, Inference: inference})
			require.NoError(t, err)
			m, err := n.Open(dev, 1)
			require.NoError(t, err)
			program, phases := n.Train, []Phase{Feed, Forward, Backward, Update}
			if inference {
				program, phases = n.Eval, phases[:2]
			}
			times, err := m.Profile(Hyper{Rate: 0.01, Valid: 2}, 2)
			require.NoError(t, err)
			require.Len(t, times, len(program.Steps()))
			took := map[Phase]time.Duration{}
			for i, s := range program.Steps() {
				assert.Equal(t, s.Label, times[i].Label)
				took[times[i].Phase] += times[i].Time
			}
			assert.Len(t, took, len(phases))
			for _, p := range phases {
				assert.Positive(t, took[p], "%s inference %t: %s", engine, inference, p)
			}
			_, err = m.Profile(Hyper{Valid: 2}, 0)
			assert.ErrorContains(t, err, "0 runs")
			require.NoError(t, m.Close())
		}
	}
}

// Profiled training steps count as training steps: the model goes on as if
// TrainStep had run as often.
func TestProfileTrains(t *testing.T) {
	dev := optest.Device(t)
	if dev.Limits().TimestampBits == 0 {
		t.Skip("the device has no timestamps")
	}
	g, err := Build(Config{Depth: 7, Growth: []int{2}})
	require.NoError(t, err)
	n, err := NewNetwork(g, Options{Batch: 2})
	require.NoError(t, err)
	h := Hyper{Rate: 0.1, Momentum: 0.9, Valid: 2}
	values := func(train func(m *Model) error) map[string][]float32 {
		m, err := n.Open(dev, 1)
		require.NoError(t, err)
		defer func() { assert.NoError(t, m.Close()) }()
		images, _, _ := m.Feed()
		for i := range images {
			images[i] = byte(i * i)
		}
		require.NoError(t, train(m))
		v, err := m.Values()
		require.NoError(t, err)
		return v
	}
	want := values(func(m *Model) error {
		for range 3 {
			if _, err := m.TrainStep(h); err != nil {
				return err
			}
		}
		return nil
	})
	got := values(func(m *Model) error {
		_, err := m.Profile(h, 2) // and the one that does not count
		return err
	})
	assert.Equal(t, want, got)
}
