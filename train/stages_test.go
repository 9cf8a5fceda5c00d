package train

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/ops"
	"sparsevk/shaders"
	"sparsevk/sparsenet"
)

// Stages in order, the slowest kernel first; what is no convolution of a stage
// does not count, and a time of zero is no infinite rate.
func TestByStage(t *testing.T) {
	step := func(label, kernel string, macs uint64, d time.Duration) sparsenet.StepTime {
		return sparsenet.StepTime{Step: ops.Step{Label: label, Kernel: &shaders.Kernel{Name: kernel}, MACs: macs}, Time: d}
	}
	got := ByStage([]sparsenet.StepTime{
		step("stem/quad_fwd", "quad_fwd", 100, time.Millisecond),
		step("stage0/layer1/links", "links", 0, time.Millisecond),
		step("stage1/layer1/quad_fwd", "quad_fwd", 1_000_000, 0),
		step("stage0/layer1/quad_fwd", "quad_fwd", 1_000_000, time.Millisecond),
		step("stage0/layer2/quad_fwd", "quad_fwd", 3_000_000, time.Millisecond),
		step("stage0/layer2/quad_wgrad", "quad_wgrad", 3_000_000, 3*time.Millisecond),
	}, Roof{MultiplyAdd: 8})
	require.Len(t, got, 3)
	assert.Equal(t, []any{"stage0", "quad_wgrad", 1}, []any{got[0].Stage, got[0].Kernel, got[0].Dispatches})
	near(t, []float64{3, 2, 0.25}, got[0].Time, got[0].GFLOPs, got[0].RateShare)
	assert.Equal(t, []any{"stage0", "quad_fwd", 2, uint64(4_000_000)}, []any{got[1].Stage, got[1].Kernel, got[1].Dispatches, got[1].MACs})
	near(t, []float64{2, 4, 0.5}, got[1].Time, got[1].GFLOPs, got[1].RateShare)
	assert.Equal(t, StageTime{Stage: "stage1", Kernel: "quad_fwd", Dispatches: 1, MACs: 1_000_000}, got[2])
}
