package ops_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/gpu"
	"sparsevk/ops"
	"sparsevk/ops/optest"
	"sparsevk/shaders"
)

// quad returns the name of the quad class that the device of the tests runs.
func quad(t *testing.T) string {
	class, err := optest.QuadClass(optest.Device(t))
	if err != nil {
		t.Skip(err)
	}
	return class.String()
}

func TestQuad(t *testing.T) { optest.RunAll(t, quad(t)) }

func TestQuadFinalise(t *testing.T) { optest.RunAll(t, quad(t)+"_finalise") }

func TestQuadGather(t *testing.T) { optest.RunAll(t, quad(t)+"_gather") }

// TestQuadCatches plants faults that the wider tolerance of Winograd's algorithm
// must not hide.
func TestQuadCatches(t *testing.T) {
	dev, table := optest.Device(t), quad(t)
	faults := map[string]func(s []ops.Step){
		"weights one filter row further": func(s []ops.Step) {
			for i := range s {
				if p, ok := s[i].Push.(*shaders.QuadFwdPush); ok {
					p.W++
				}
			}
		},
		"images of another width": func(s []ops.Step) {
			for i := range s {
				if p, ok := s[i].Push.(*shaders.QuadFwdPush); ok {
					p.Height, p.Width = p.Width/2, p.Height*2
				}
			}
		},
		"one input channel left out": func(s []ops.Step) {
			for i := range s {
				if p, ok := s[i].Push.(*shaders.QuadFwdPush); ok {
					p.C--
				}
			}
		},
		"no packing": func(s []ops.Step) {
			s[slices.IndexFunc(s, func(s ops.Step) bool { return s.Kernel == &shaders.QuadPack })].Groups[0] = 0
		},
	}
	catches(t, dev, optest.Cases(table)[0], faults)
}

// TestQuadPoolCatches plants faults in what a transition stages, in parts.
func TestQuadPoolCatches(t *testing.T) {
	dev, table := optest.Device(t), quad(t)
	staging := func(plant func(p *shaders.QuadPoolPush, s *ops.Step)) func(s []ops.Step) {
		return func(s []ops.Step) {
			n := 0
			for i := range s {
				if p, ok := s[i].Push.(*shaders.QuadPoolPush); ok {
					plant(p, &s[i])
					n++
				}
			}
			require.Greater(t, n, 1, "parts")
		}
	}
	faults := map[string]func(s []ops.Step){
		"planes counted from another place": staging(func(p *shaders.QuadPoolPush, _ *ops.Step) { p.Skip++ }),
		"links of the next channel":         staging(func(p *shaders.QuadPoolPush, _ *ops.Step) { p.Link += 2 }),
		"rows of another width":             staging(func(p *shaders.QuadPoolPush, _ *ops.Step) { p.Row++ }),
		"one channel left out":              staging(func(_ *shaders.QuadPoolPush, s *ops.Step) { s.Groups[1]-- }),
	}
	all := optest.Cases(table)
	for _, c := range all[len(all)-3:] {
		catches(t, dev, c, faults)
	}
}

// TestQuadHandedCatches plants faults in gathers from readers without a convolution.
func TestQuadHandedCatches(t *testing.T) {
	dev, table := optest.Device(t), quad(t)+"_gather"
	handed := func(plant func(p *shaders.QuadHandedGatherPush, s *ops.Step)) func(s []ops.Step) {
		return func(s []ops.Step) {
			i := slices.IndexFunc(s, func(s ops.Step) bool { return s.Kernel == &shaders.QuadHandedGather })
			plant(s[i].Push.(*shaders.QuadHandedGatherPush), &s[i])
		}
	}
	faults := map[string]func(s []ops.Step){
		"images of another size":       handed(func(p *shaders.QuadHandedGatherPush, _ *ops.Step) { p.Image /= 2 }),
		"gradients of another channel": handed(func(p *shaders.QuadHandedGatherPush, _ *ops.Step) { p.DY-- }),
		"a reader left out":            handed(func(p *shaders.QuadHandedGatherPush, _ *ops.Step) { p.Readers-- }),
		"statistics of another map":    handed(func(p *shaders.QuadHandedGatherPush, _ *ops.Step) { p.Stats++ }),
		"of another shape":             handed(func(_ *shaders.QuadHandedGatherPush, s *ops.Step) { s.Spec[2] ^= 1 }),
	}
	n := 0
	for _, c := range optest.Cases(table) {
		steps := c.Steps()
		if i := slices.IndexFunc(steps, func(s ops.Step) bool { return s.Kernel == &shaders.QuadHandedGather }); i >= 0 && steps[i].Spec[2] == 1 {
			catches(t, dev, c, faults)
			n++
		}
	}
	require.Equal(t, 4, n, "cases with heads")
}

// catches demands that c holds, and does not with any of the faults.
func catches(t *testing.T, dev *gpu.Device, c optest.Case, faults map[string]func(s []ops.Step)) {
	t.Helper()
	_, err := optest.Check(dev, c)
	require.NoError(t, err)
	for name, plant := range faults {
		faulty, steps := c, c.Steps
		faulty.Steps = func() []ops.Step {
			s := steps()
			plant(s)
			return s
		}
		_, err := optest.Check(dev, faulty)
		assert.Error(t, err, name)
		dev.Messages()
	}
}
