package train

import (
	"context"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/ops"
	"sparsevk/ops/optest"
	"sparsevk/shaders"
	"sparsevk/sparsenet"
)

func TestSpread(t *testing.T) {
	d := func(ms ...int) (out []time.Duration) {
		for _, n := range ms {
			out = append(out, time.Duration(n)*time.Millisecond)
		}
		return out
	}
	assert.Equal(t, Milliseconds{5, 5, 5}, Spread(d(5)))
	assert.Equal(t, Milliseconds{3, 1, 9}, Spread(d(9, 1, 3)))
	assert.Equal(t, Milliseconds{4, 1, 9}, Spread(d(9, 1, 5, 3)))
}

// Times and counts of a step whose sums are easy: by kernel, with floors.
func TestByKernel(t *testing.T) {
	env, x, y := ops.NewEnv(), ops.Vector("x", ops.Map, 250_000), ops.Vector("y", ops.Map, 250_000)
	y.Off = 1 << 20
	copies := ops.Copy{Env: env, X: x.All(), Y: y.All()}.Steps() // 2 MB
	require.Len(t, copies, 1)
	conv := copies[0]
	conv.MACs = 500_000 // 1 MFLOP
	conv.Args = []ops.Planes{{x.View(0, 250)}, {x.View(0, 0)}, {y.View(0, 0)}}
	conv.Kernel = &shaders.Kernel{Name: "conv", Bindings: shaders.ReluBwd.Bindings}
	times := []sparsenet.StepTime{
		{Step: copies[0], Time: 6 * time.Millisecond},
		{Step: conv, Time: 8 * time.Millisecond},
		{Step: copies[0], Time: 4 * time.Millisecond},
	}
	kernels, total := ByKernel(times, Roof{Copy: 0.8, MultiplyAdd: 0.5}) // a copy has a floor of 2.5 ms, the convolution of 2
	require.Len(t, kernels, 2)
	c, k := kernels[0], kernels[1]
	assert.Equal(t, []any{"copy", 2, uint64(0), uint64(4_000_000), "traffic"}, []any{c.Kernel, c.Dispatches, c.MACs, c.Bytes, c.Bound})
	assert.Equal(t, []any{"conv", 1, uint64(500_000), uint64(1000), "arithmetic"}, []any{k.Kernel, k.Dispatches, k.MACs, k.Bytes, k.Bound})
	near(t, []float64{10, 10.0 / 18, 0, 0.4, 5, 0.5}, c.Time, c.Share, c.GFLOPs, c.GBs, c.Floor, c.RoofShare)
	near(t, []float64{8, 8.0 / 18, 0.125, 0.000125, 2, 0.25}, k.Time, k.Share, k.GFLOPs, k.GBs, k.Floor, k.RoofShare)
	assert.Equal(t, 3, total.Dispatches)
	near(t, []float64{18, 1, 7, 7.0 / 18}, total.Time, total.Share, total.Floor, total.RoofShare)

	none, total := ByKernel([]sparsenet.StepTime{{Step: conv}}, Roof{Copy: 1, MultiplyAdd: 2})
	assert.Zero(t, none[0].GFLOPs, "too short for the clock is no infinite rate")
	assert.Zero(t, total.Share)
}

// near compares values with what they must be, within float32's rounding.
func near(t *testing.T, want []float64, got ...float64) {
	t.Helper()
	values, mag := make([]float32, len(got)), make([]float64, len(want))
	for i, v := range got {
		values[i] = float32(v)
	}
	for i, v := range want {
		mag[i] = math.Abs(v)
	}
	_, err := optest.Compare(values, want, mag, optest.Tolerance{C: 1})
	assert.NoError(t, err)
}

// benchModel opens a tiny network.
func benchModel(t *testing.T, o sparsenet.Options) *sparsenet.Model {
	dev := optest.Device(t)
	g, err := sparsenet.Build(sparsenet.Config{Depth: 7, Growth: []int{2}, Classes: 3})
	require.NoError(t, err)
	o.Batch = 2
	n, err := sparsenet.NewNetwork(g, o)
	require.NoError(t, err)
	m, err := n.Open(dev, 1)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, m.Close()) })
	FeedRandom(m, 1)
	return m
}

func TestTimeSteps(t *testing.T) {
	for _, inference := range []bool{false, true} {
		m := benchModel(t, sparsenet.Options{Inference: inference})
		n := 0
		for d, err := range TimeSteps(t.Context(), m, 3) {
			require.NoError(t, err)
			assert.Positive(t, d)
			n++
		}
		assert.Equal(t, 3, n)
	}
}

func TestTimeStepsStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n, last := 0, error(nil)
	for _, err := range TimeSteps(ctx, benchModel(t, sparsenet.Options{Inference: true}), 5) {
		n, last = n+1, err
		if n == 2 {
			cancel()
		}
	}
	assert.Equal(t, 3, n)
	assert.ErrorIs(t, last, context.Canceled)
}

// With a step in flight behind the one that is waited for, no step is timed while
// another still hides part of it: on a quiet machine all take about the same.
func TestTimeStepsWhole(t *testing.T) {
	const steps = 12
	m := benchModel(t, sparsenet.Options{})
	var all [][]time.Duration
	for range 20 { // a busy machine stretches some steps, but not every time
		var times []time.Duration
		for d, err := range TimeSteps(t.Context(), m, steps) {
			require.NoError(t, err)
			times = append(times, d)
		}
		require.Len(t, times, steps)
		slices.Sort(times)
		if times[0] > times[steps/2]/10 {
			return
		}
		all = append(all, times)
	}
	assert.Fail(t, "a step takes no time", "%v", all)
}

// A network whose numbers break down has no speed.
func TestTimeStepsCatchesNaN(t *testing.T) {
	m := benchModel(t, sparsenet.Options{})
	v, err := m.Values()
	require.NoError(t, err)
	trained := m.Graph.Params.Trained
	v[trained[len(trained)-1].Name][0] = float32(math.NaN())
	require.NoError(t, m.Load(v))
	for _, err := range TimeSteps(t.Context(), m, 3) {
		assert.ErrorIs(t, err, errNotFinite)
		return
	}
	assert.Fail(t, "no step ran")
}

func TestFeedRandom(t *testing.T) {
	m := benchModel(t, sparsenet.Options{Inference: true})
	images, labels, _ := m.Feed()
	first := append(append([]byte{}, images...), labels...)
	FeedRandom(m, 1)
	assert.Equal(t, first, append(append([]byte{}, images...), labels...))
	FeedRandom(m, 2)
	assert.NotEqual(t, first[:len(images)], append([]byte{}, images...))
	for i := 0; i < len(labels); i += 4 {
		assert.Less(t, labels[i], byte(3))
		assert.Equal(t, []byte{0, 0, 0}, labels[i+1:i+4])
	}
}

func TestMeasureRoof(t *testing.T) {
	dev := optest.Device(t)
	if dev.Limits().TimestampBits == 0 {
		t.Skip("the device has no timestamps")
	}
	before := dev.Allocated()
	r, err := MeasureRoof(dev)
	require.NoError(t, err)
	assert.Equal(t, before, dev.Allocated())
	// An abacus does less, and a whole machine room no more.
	assert.True(t, r.Copy > 0.001 && r.Copy < 1e5, "%g GB/s", r.Copy)
	assert.True(t, r.MultiplyAdd > 0.01 && r.MultiplyAdd < 1e6, "%g GFLOP/s", r.MultiplyAdd)
	t.Logf("%+v", r)
}
