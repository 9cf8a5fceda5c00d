package ops_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/ops"
	"sparsevk/ops/optest"
)

func TestConv(t *testing.T) { optest.RunAll(t, "conv") }

func TestLinks(t *testing.T) { optest.RunAll(t, "links") }

// dropEach leaves each step of the chosen cases out in turn: every one must be
// missed. Links steps stay: they make addresses, and reading where garbage points
// to is undefined.
func dropEach(t *testing.T, table string, chosen func(name string) bool) {
	dev, seen := optest.Device(t), 0
	for _, c := range optest.Cases(table) {
		if !chosen(c.Name) {
			continue
		}
		seen++
		for i, step := range c.Steps() {
			if strings.HasSuffix(step.Label, "/links") {
				continue
			}
			d := c
			d.Steps = func() []ops.Step { return slices.Delete(c.Steps(), i, i+1) }
			_, err := optest.Check(dev, d)
			assert.Errorf(t, err, "%s without step %d, %s", c.Name, i, step.Label)
		}
	}
	require.NotZero(t, seen)
}

// TestConvCatches takes steps from the cases whose inputs and outputs are cut
// into segments.
func TestConvCatches(t *testing.T) {
	dropEach(t, "conv", func(name string) bool { return strings.HasSuffix(name, "r4096") })
}

// TestConvCatchesGeometry plants a convolution of another window than the
// reference's, of the same shapes.
func TestConvCatchesGeometry(t *testing.T) {
	for _, c := range optest.Cases("conv") {
		if !strings.HasPrefix(c.Name, "fwd_n2_c3_h8_w8_k5_r3x3_s2_p1") {
			continue
		}
		good := c.Steps
		c.Steps = func() []ops.Step {
			s := good()
			conv := &s[len(s)-1]
			conv.Spec[conv.Kernel.SpecIndex("PAD")] = 0
			return s
		}
		_, err := optest.Check(optest.Device(t), c)
		assert.Error(t, err)
		return
	}
	t.Fatal("no such case")
}
