package optest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/ops"
)

// trials are tasks of every role, with a variant other than the plain one that the
// device has.
func trials(t *testing.T) (ops.Class, ops.Variant, []ops.Task) {
	class, err := QuadClass(Device(t))
	w := uint32(8) // as many workgroups with 16 lanes as with 8
	if class == ops.Quad16 {
		w = 16
	}
	conv := ops.Geometry{R: 3, S: 3, Stride: 1, Pad: 1}
	tasks := []ops.Task{
		{Role: ops.WeightsRole, Geometry: ops.Geometry{R: 1, S: 1, Stride: 1}, N: 9, H: 8, W: w, C: 5, K: 6},
		{Role: ops.ForwardRole, Geometry: conv, N: 9, H: 8, W: w, C: 5, K: 6},
		{Role: ops.DataRole, Geometry: conv, N: 9, H: 8, W: w, C: 5, K: 6},
		{Role: ops.GatherRole, Geometry: conv, N: 9, H: 8, W: w, C: 5, K: 6},
	}
	if err != nil {
		return ops.Small, leastWeights, tasks[:1] // the tiles compile for long here
	}
	return class, ops.QuadForm, tasks
}

func TestTrial(t *testing.T) {
	class, v, tasks := trials(t)
	for _, task := range tasks {
		for _, act := range []bool{true, false} {
			trial := &Trial{Task: task, Class: class, Act: act, Views: act}
			assert.NoError(t, trial.Run(Device(t), ops.PlainForm), task)
			assert.NoError(t, trial.Run(Device(t), v), task)
			trial.W = 7
			assert.ErrorIs(t, trial.Run(Device(t), "tile-of-nobody"), ErrShape)
		}
	}
	odd := &Trial{Task: ops.Task{Role: ops.ForwardRole, Geometry: ops.Geometry{R: 7, S: 7, Stride: 2, Pad: 3}, N: 2, H: 15, W: 14, C: 3, K: 5}, Class: class, Views: true}
	assert.NoError(t, odd.Run(Device(t), ops.PlainForm), "no variant but the plain one takes it")
	assert.ErrorIs(t, odd.Run(Device(t), ops.QuadForm), ErrShape)
}

// fewer returns steps whose dispatches that multiply leave work out, from so many
// groups on.
func fewer(from uint32, v ops.Variant) func(ops.Variant, []ops.Step) []ops.Step {
	return func(now ops.Variant, steps []ops.Step) []ops.Step {
		for i := range steps {
			for axis := range steps[i].Groups {
				if n := &steps[i].Groups[axis]; now == v && steps[i].MACs > 0 && *n > from {
					*n--
				}
			}
		}
		return steps
	}
}

// A variant that leaves something out is found, at the few images of the reference
// and at all of them.
func TestTrialCatches(t *testing.T) {
	class, v, tasks := trials(t)
	for _, task := range tasks {
		trial := &Trial{Task: task, Class: class, Act: true, Alter: fewer(1, v)}
		require.NoError(t, trial.Run(Device(t), ops.PlainForm))
		err := trial.Run(Device(t), v)
		assert.ErrorIs(t, err, ErrWrong, task)
		assert.ErrorContains(t, err, "elements fail", task)
	}
	if v != ops.QuadForm {
		return
	}
	trial := &Trial{Task: tasks[1], Class: class, Act: true, Alter: fewer(4, v)} // of 4 images there are no more
	err := trial.Run(Device(t), v)
	assert.ErrorIs(t, err, ErrWrong)
	assert.ErrorContains(t, err, fmt.Sprintf("forward 3x3 5>6 8x%d n9: y (c0 n8 y", tasks[1].W))
}

// What a device lacks is no wrong result.
func TestTrialLacks(t *testing.T) {
	class, v, tasks := trials(t)
	trial := &Trial{Task: tasks[0], Class: class, Act: true, Alter: func(_ ops.Variant, steps []ops.Step) []ops.Step {
		for i := range steps {
			steps[i].Groups[0] = 1 << 31
		}
		return steps
	}}
	err := trial.Run(Device(t), v)
	assert.NotErrorIs(t, err, ErrWrong)
	assert.ErrorContains(t, err, "[2147483648 ")
}

// Maps of 16 bits are compared within what they hold.
func TestTrialHalf(t *testing.T) {
	if Unfit(Device(t), "bf16") != nil {
		t.Skip("the device has no 16-bit storage")
	}
	_, _, tasks := trials(t)
	for _, task := range tasks {
		trial := &Trial{Task: task, Class: ops.Small, Precision: ops.BF16, Act: true}
		assert.NoError(t, trial.Run(Device(t), ops.PlainForm), task)
		assert.ErrorIs(t, trial.Run(Device(t), ops.QuadForm), ErrShape)
		got, err := trial.outputs(Device(t), ops.PlainForm, 1, false)
		require.NoError(t, err)
		mags, err := trial.outputs(Device(t), ops.PlainForm, 1, true)
		require.NoError(t, err)
		out := trial.build(ops.PlainForm, 1).out
		for i, o := range out {
			assert.NoError(t, trial.agree(ops.PlainForm, o, got[i], got[i], mags[i]))
			worse, at := slices.Clone(got[i]), slices.Index(mags[i], slices.Max(mags[i]))
			worse[at] += 0.2 * mags[i][at]
			assert.Error(t, trial.agree(ops.PlainForm, o, worse, got[i], mags[i]), "%v: %s", task, o.Block.Name)
		}
	}
}
