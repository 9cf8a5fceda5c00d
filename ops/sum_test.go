package ops_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"sparsevk/ops"
	"sparsevk/ops/optest"
	"sparsevk/shaders"
)

func TestSum(t *testing.T) { optest.RunAll(t, "sum") }

// TestSumCatches leaves out a term, and each step of the sums that are cut.
func TestSumCatches(t *testing.T) {
	dropEach(t, "sum", func(name string) bool { return strings.HasSuffix(name, "r4096") })
	for _, c := range optest.Cases("sum") {
		good, many := c.Steps, false
		c.Steps = func() []ops.Step {
			steps := good()
			p := steps[0].Push.(*shaders.SumFwdPush)
			many = p.Terms > 1
			p.Terms = max(1, p.Terms-1)
			return steps
		}
		if _, err := optest.Check(optest.Device(t), c); many {
			assert.Error(t, err, c.Name)
		} else {
			assert.NoError(t, err, c.Name)
		}
	}
}

func TestSumPanics(t *testing.T) {
	a, b := optest.NewBlock("a", 3, 2, 4, 4), optest.NewBlock("b", 3, 2, 4, 5)
	assert.PanicsWithValue(t, "ops: s: adds b[0:3] of 2 images of 4x5 to a sum a[0:3] of 2 of 4x4", func() {
		ops.NewSum(ops.Sum{Env: ops.NewEnv(), Label: "s", X: []ops.View{b.All()}, Y: a.All()})
	})
}
