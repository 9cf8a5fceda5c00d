package sparsenet

import (
	"math"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/gpu"
	"sparsevk/ops"
	"sparsevk/ops/optest"
	"sparsevk/ops/record"
)

// matrix returns options for the kernels of cooperative matrices, if the device has
// such matrices. Where it has none the test is skipped, or fails if
// SPARSEVK_MATRIX=require.
func matrix(t *testing.T) Options {
	dev := optest.Device(t)
	o := Options{Class: ops.NVIDIA, Matrix: record.Traits(dev).Matrix, Precision: ops.FP16}
	if !o.Matrix.Usable() {
		require.NotEqual(t, "require", os.Getenv("SPARSEVK_MATRIX"), "%s multiplies no matrices", dev.Info().Name)
		t.Skip("the device multiplies no matrices")
	}
	return o
}

// A network of which all convolutions multiply cooperative matrices takes the bytes
// that it plans, agrees with float32's, and gives the same bits when it starts again.
func TestMatrixNetwork(t *testing.T) {
	c := Config{Blocks: []int{2, 2}, Growth: []int{5}, Classes: 3, Input: Input{16, 16, 3}}
	o := matrix(t)
	o.Batch = 2
	open(t, c, o) // the device has its buffers for transfers now, which it keeps
	before := optest.Device(t).Allocated()
	m := open(t, c, o)
	assert.Equal(t, m.Memory().Total-gpu.StagingBytes, optest.Device(t).Allocated()-before)
	for _, q := range m.Choices() {
		assert.True(t, strings.HasPrefix(string(q.Variant), "matrix-"), "%v of %v", q.Variant, q.Task)
	}
	got := run(t, m, 1)
	require.NoError(t, m.Load(someValues(m.Graph.Params)))
	require.NoError(t, m.LoadSlot(SlotMomentum, zeros(m.Graph.Params)))
	again := run(t, m, 1)
	assert.Equal(t, hash(got.gradients), hash(again.gradients))
	assert.Equal(t, hash(got.values), hash(again.values))
	exact := run(t, open(t, c, Options{Batch: 2}), 1)
	const near = 1e-3 // of logits; gradients stray further, as with plain kernels of float16, since masks differ
	spread := spreadOf(got.gradients, exact.gradients)
	t.Logf("logits stray by %.1e, gradients by %v", strays(got.logits, exact.logits, 0), spread)
	assert.Less(t, strays(got.logits, exact.logits, 0), near)
	assert.Less(t, spread.median, 0.05)
	spoilt := someValues(m.Graph.Params)
	for i, w := range spoilt[m.Graph.Nodes[1].Conv+".weight"][:9] {
		spoilt[m.Graph.Nodes[1].Conv+".weight"][i] = -w
	}
	require.NoError(t, m.Load(spoilt))
	assert.Greater(t, strays(run(t, m, 1).logits, exact.logits, 0), near, "nine weights of one layer are wrong")
}

// Matrices of float16 learn what float32 does, over 200 steps, within its noise.
func TestMatrixLearns(t *testing.T) {
	o := matrix(t)
	const steps = 200
	want, noise := learned(t, Options{}, 1, steps)
	got, spread := learned(t, o, 1024, steps)
	t.Logf("loss %.4f, spread %.4f; float32's %.4f, noise %.4f", got, spread, want, noise)
	assert.LessOrEqual(t, math.Abs(got-want), noise)
}
