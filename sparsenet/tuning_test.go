package sparsenet

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/gpu"
	"sparsevk/ops"
	"sparsevk/ops/optest"
)

// tunable is a network whose shapes most variants take.
var tunable = Config{Blocks: []int{1, 1}, Growth: []int{4}, Classes: 3, Input: Input{8, 8, 3}}

// Every convolution of a step, and what a form of one needs besides, belongs to the
// task that its variant was chosen for.
func TestStepsHaveParts(t *testing.T) {
	g, err := Build(tunable)
	require.NoError(t, err)
	for _, engine := range []Engine{Arena, Layered} {
		for _, class := range []ops.Class{ops.Plain, ops.Quad, ops.Quad16, ops.Small} {
			n, err := NewNetwork(g, Options{Batch: 2, Engine: engine, Class: class})
			require.NoError(t, err)
			macs := map[ops.Choice]uint64{}
			for _, s := range n.Train.Steps() {
				if s.Part != nil {
					macs[*s.Part] += s.MACs
				}
			}
			for _, c := range n.Choices() {
				assert.Positive(t, macs[c], "%v, %v: %v", engine, class, c)
			}
			assert.Len(t, macs, len(n.Choices()), "%v, %v", engine, class)
		}
	}
}

// What a tuning names must be there, and be possible.
func TestTuningIsChecked(t *testing.T) {
	g, err := Build(tunable)
	require.NoError(t, err)
	o := Options{Batch: 2, Class: ops.Small}
	n, err := NewNetwork(g, o)
	require.NoError(t, err)
	task := n.Choices()[0].Task.String()
	for want, bad := range map[string]ops.Tuning{
		`names "fast" for "forward 3x3": use one of [plain quad`: {"forward 3x3": "fast"},
		`names "tile-16k" for "` + task + `": use one of`:        {task: "tile-16k"}, // of another role
		`names "forward 3x3 99>9 8x8 n2", which is none of the`:  {task: "plain", "forward 3x3 99>9 8x8 n2": "plain"},
		`names "lift 3x3", which is none of the 12 shapes of custom at batch 2 with the arena engine, such as "forward 1x1pool 12>12 8x8 n2": tune`: {"lift 3x3": "plain"},
	} {
		o.Tuning = bad
		_, err := NewNetwork(g, o)
		assert.ErrorContains(t, err, want)
	}
	odd := tunable
	odd.Input = Input{6, 6, 3}
	other, err := Build(odd)
	require.NoError(t, err)
	o.Tuning = ops.Tuning{"forward 1x1pool 12>12 6x6 n2": "quad"}
	_, err = NewNetwork(other, o)
	assert.ErrorContains(t, err, `names "quad" for "forward 1x1pool 12>12 6x6 n2", a shape that this variant does not take: choose another, such as "plain"`)
	o.Tuning = ops.Tuning{"forward 1x1pool 12>12 6x6 n2": "matrix-32x128"}
	_, err = NewNetwork(other, o)
	assert.ErrorContains(t, err, `names "matrix-32x128" for "forward 1x1pool 12>12 6x6 n2": it needs maps of fp16 and a device that multiplies`)
	o.Inference, o.Tuning = true, ops.Tuning{"gather 3x3 8>4 8x8 n2": "plain", "forward 3x3": "plain"}
	_, err = NewNetwork(g, o)
	assert.NoError(t, err, "inference gathers nothing")
}

// A tuned network takes the bytes that it plans, and computes what the plain one does.
func TestTunedTrains(t *testing.T) {
	dev := optest.Device(t)
	open(t, tunable, Options{Batch: 2}) // the device has its buffers for transfers now, which it keeps
	class, err := optest.QuadClass(dev)
	tuning := ops.Tuning{"forward 3x3": "plain", "weights 1x1pool": "plain"}
	if err != nil {
		class, tuning = ops.Small, ops.Tuning{"forward 3x3": "plain", "gather 3x3": "plain", "weights 3x3": "plain"}
	}
	before := dev.Allocated()
	m := open(t, tunable, Options{Batch: 2, Class: class, Tuning: tuning})
	assert.Equal(t, m.Memory().Total-gpu.StagingBytes, dev.Allocated()-before)
	for _, c := range m.Choices() {
		if v, ok := tuning[c.Family()]; ok {
			assert.Equal(t, v, c.Variant, c.Task)
		}
	}
	plain := open(t, tunable, Options{Batch: 2})
	g, err := Build(tunable)
	require.NoError(t, err)
	assert.Empty(t, disagreements(run(t, m, 2), run(t, plain, 2), someValues(g.Params), sharp))
}
