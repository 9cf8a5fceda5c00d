package sparsenet

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/ops"
)

// Layers share pipelines: a deeper net has more dispatches of the same ones, with
// the kernels of either class. Only maps that outgrow a binding add the kernels
// that go on with a sum.
func TestPipelinesDoNotGrowWithDepth(t *testing.T) {
	for class, want := range map[ops.Class]int{ops.Quad: 27, ops.Quad16: 27, ops.Plain: 25} {
		dispatches := 0
		for _, depth := range []int{40, 100, 190} {
			g, err := Build(Config{Depth: depth, Growth: []int{12}})
			require.NoError(t, err)
			n, err := NewNetwork(g, Options{Batch: 64, Class: class})
			require.NoError(t, err)
			assert.Equal(t, want, n.Train.Pipelines(), "%v kernels, depth %d", class, depth)
			assert.Greater(t, len(n.Train.Steps()), dispatches, fmt.Sprint(depth))
			dispatches = len(n.Train.Steps())
		}
	}
}
