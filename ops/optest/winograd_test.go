package optest

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"sparsevk/ops"
)

// Magnitudes are shared by the quads of a row, and a quad that the row cuts has those
// of its neighbour too.
func TestWiden(t *testing.T) {
	for _, c := range []struct{ mags, want []float64 }{
		{[]float64{1, 4, 2, 3, 8, 5, 6, 7}, []float64{4, 4, 4, 4, 8, 8, 8, 8}},
		{[]float64{1, 4, 2, 3, 1}, []float64{4, 4, 4, 4, 4}},
		{[]float64{1, 4, 2, 3, 1, 9, 2}, []float64{4, 4, 4, 4, 9, 9, 9}},
		{[]float64{1, 3, 2}, []float64{3, 3, 3}},
	} {
		rows := append(append([]float64{}, c.mags...), make([]float64, len(c.mags))...)
		w := Near("y", NewBlock("y", 1, 1, 2, len(c.mags)).All(), rows, rows)
		widen(&w)
		assert.Equal(t, append(c.want, make([]float64, len(c.want))...), w.Mag)
	}
}

// A trial of the Winograd tiles passes where rows cut quads, in 16 bits too, and finds
// what is left out.
func TestTrialWinograd(t *testing.T) {
	if strings.Contains(Device(t).Info().Name, "llvmpipe") && os.Getenv("SPARSEVK_SLOW") != "1" {
		t.Skip("llvmpipe takes minutes to compile them, SwiftShader seconds: SPARSEVK_SLOW=1 runs it here too")
	}
	conv := ops.Geometry{R: 3, S: 3, Stride: 1, Pad: 1}
	for _, role := range []ops.Role{ops.ForwardRole, ops.DataRole, ops.GatherRole} {
		for _, p := range []ops.Precision{ops.FP32, ops.BF16} {
			if Unfit(Device(t), p.String()) != nil {
				continue
			}
			trial := &Trial{Task: ops.Task{Role: role, Geometry: conv, N: 9, H: 8, W: 7, C: 5, K: 6}, Class: ops.Small, Precision: p, Act: true}
			assert.NoError(t, trial.Run(Device(t), ops.PlainForm), role)
			assert.NoError(t, trial.Run(Device(t), leastWinograd), role)
			trial.Alter = fewer(1, leastWinograd)
			assert.ErrorIs(t, trial.Run(Device(t), leastWinograd), ErrWrong, role)
		}
	}
	point := &Trial{Task: ops.Task{Role: ops.ForwardRole, Geometry: ops.Geometry{R: 1, S: 1, Stride: 1}, N: 9, H: 8, W: 8, C: 5, K: 6}, Class: ops.Small}
	assert.ErrorIs(t, point.Run(Device(t), leastWinograd), ErrShape)
}
