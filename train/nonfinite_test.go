package train

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/ops"
	"sparsevk/ops/optest"
	"sparsevk/sparsenet"
)

// A loss that is not finite ends the run, names the step, the layer that first had
// it and from where to go on, and leaves the checkpoints before it.
func TestNonFiniteLossStops(t *testing.T) {
	for _, engine := range engines {
		for _, o := range []sparsenet.Options{{Engine: engine}, {Engine: engine, Accumulate: true}} {
			tr := newTrainer(t, toy{Options: o, dir: t.TempDir(), epochs: 3})
			tr.LR = StepLR(0.05, 1e37, 1)
			if o.Accumulate {
				tr.Accumulate = 2
			}
			epochs, err := loop(t.Context(), tr)
			assert.ErrorIs(t, err, ErrNonFinite)
			assert.Len(t, epochs, 1)
			c, _, newest := Newest(tr.Run.Dir)
			require.NoError(t, newest)
			assert.EqualValues(t, map[bool]int{false: 10, true: 5}[o.Accumulate], c.State.Step)
			require.NoError(t, c.Close())
			var e *NonFiniteError
			require.ErrorAs(t, err, &e)
			assert.Equal(t, c.Path, e.Checkpoint)
			assert.True(t, e.Finding.Found())
			assert.Regexp(t, `^train: step \d+, learning rate 5e\+35: .* is \S+: .*(stage\d/layer\d|stem|parameter).*: lower the rate, or go on from checkpoint `, fmt.Sprint(err))
			t.Log(err)
		}
	}
}

// What is wrong from the start is named as such, of the batch that had it; without
// a run directory there is nothing to go on from.
func TestNonFiniteBatch(t *testing.T) {
	tr := newTrainer(t, toy{Options: sparsenet.Options{Engine: sparsenet.Arena}})
	values, err := tr.Model.Values()
	require.NoError(t, err)
	name := tr.Model.Graph.Nodes[2].Conv + ".weight"
	values[name][1] = float32(math.NaN())
	require.NoError(t, tr.Model.Load(values))
	_, err = loop(t.Context(), tr)
	assert.ErrorIs(t, err, ErrNonFinite)
	// ReLU makes 0 of NaN, so that the loss is finite.
	assert.EqualError(t, err, fmt.Sprintf("train: step 0, learning rate 0.05: gradient norm is NaN: not finite before the step began (parameter %s, 1 of %d values, the first is NaN at 1): lower the rate, and start again", name, len(values[name])))
}

// A rate that float32 does not hold is refused before it reaches the device.
func TestNonFiniteRate(t *testing.T) {
	tr := newTrainer(t, toy{dir: t.TempDir(), epochs: 2})
	tr.LR = StepLR(0.05, 1e40, 1)
	_, err := loop(t.Context(), tr)
	assert.ErrorContains(t, err, "step 10: the learning rate 5.0000000000000005e+38 of schedule step(0.05 x1e+40 at 1) is more than float32 holds: lower it")
	values, err := tr.Model.Values()
	require.NoError(t, err)
	for name, v := range values {
		for _, x := range v {
			require.True(t, finite(float64(x)), name)
		}
	}
}

// The checkpoint to go on from is whole and finite.
func TestLastFinite(t *testing.T) {
	tr := newTrainer(t, toy{dir: t.TempDir()})
	for step := range uint64(3) {
		list, err := Tensors(tr.Model, true)
		require.NoError(t, err)
		if step == 1 {
			copy(list[0].Data, []byte{0, 0, 0x80, 0x7f}) // +Inf
		}
		_, err = (&Run{Dir: tr.Run.Dir, disk: tr.Run.disk, Keep: 9}).Save(State{Step: step}, list)
		require.NoError(t, err)
	}
	path := tr.Run.path(2)
	assert.Equal(t, path, lastFinite(tr.Run.Dir))
	require.NoError(t, os.Truncate(path, 100))
	assert.Equal(t, tr.Run.path(0), lastFinite(tr.Run.Dir))
	assert.Empty(t, lastFinite(filepath.Join(tr.Run.Dir, "none")))
}

// In float16 a gradient that is not finite leaves an update out and no more, unless
// that goes on: then the layer is named as in float32.
func TestNonFiniteHalf(t *testing.T) {
	if !optest.Device(t).Info().Features.Storage16 {
		t.Log("the device has no 16-bit storage; opening such a network is refused")
		return
	}
	tr := newTrainer(t, toy{Options: sparsenet.Options{Precision: ops.FP16}})
	require.NoError(t, tr.check())
	tr.state.LossScale.Now, tr.state.LossScale.Before = 1<<40, 1<<40
	_, err := loop(t.Context(), tr)
	require.NoError(t, err)
	assert.NotZero(t, tr.State().LossScale.Skipped)

	tr = newTrainer(t, toy{Options: sparsenet.Options{Precision: ops.FP16}, epochs: 1 + lossSkips/10})
	values, err := tr.Model.Values()
	require.NoError(t, err)
	node := &tr.Model.Graph.Nodes[2]
	for i := range values[node.BN+".weight"] {
		values[node.BN+".weight"][i] = 1e30
	}
	require.NoError(t, tr.Model.Load(values))
	_, err = loop(t.Context(), tr)
	assert.ErrorIs(t, err, ErrNonFinite)
	assert.Regexp(t, `step 49, .*: 50 updates in a row were left out, .*: first in `+node.Name+"/", fmt.Sprint(err))
	t.Log(err)
}
