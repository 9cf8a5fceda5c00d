package gpu

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// times runs the pieces of c over true costs.
func times(c *cutter, cost []float64) []float64 {
	var out []float64
	start := 0
	for _, end := range c.ends {
		t := 0.0
		for _, x := range cost[start:end] {
			t += x
		}
		out, start = append(out, t), end
	}
	return out
}

// After a few runs no piece with two dispatches is over the limit, and there
// are not many more pieces than the best packing has. The first run is
// distorted, as by a driver that compiles.
func TestCutterConverges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cost := rapid.SliceOfN(rapid.Float64Range(0, 300), 1, 200).Draw(t, "cost")
		compile := rapid.SliceOfN(rapid.Float64Range(0, 5000), len(cost), len(cost)).Draw(t, "compile")
		const limit = 250
		c := newCutter(len(cost), limit)
		first := make([]float64, len(cost))
		for i := range cost {
			first[i] = cost[i] + compile[i]
		}
		c.measured(times(c, first))
		runs := 0
		for c.measured(times(c, cost)) {
			runs++
			require.LessOrEqual(t, runs, 250, "it settles")
		}
		start := 0
		for p, x := range times(c, cost) {
			end := c.ends[p]
			require.Less(t, start, end)
			require.False(t, x > limit && end-start > 1, "piece [%d,%d) takes %v", start, end, x)
			start = end
		}
		require.Equal(t, len(cost), start)
		require.LessOrEqual(t, cap(c.next), len(cost), "scratch suffices")
	})
}

func TestCutterMerges(t *testing.T) {
	cost := make([]float64, 100)
	for i := range cost {
		cost[i] = 1
	}
	c := newCutter(100, 250)
	require.Len(t, c.ends, 13)
	assert.True(t, c.measured(times(c, cost)))
	assert.Equal(t, []int{100}, c.ends)
	assert.False(t, c.measured(times(c, cost)))

	// Everything becomes ten times slower, then fast again.
	for i := range cost {
		cost[i] = 10
	}
	assert.True(t, c.measured(times(c, cost)))
	assert.Equal(t, []int{20, 40, 60, 80, 100}, c.ends)
	assert.False(t, c.measured(times(c, cost)))
	for i := range cost {
		cost[i] = 1
	}
	c.runs = settling
	assert.True(t, c.measured(times(c, cost)))
	assert.Equal(t, []int{100}, c.ends)

	// Late, a small gain is not worth recording again.
	c = newCutter(24, 250)
	c.runs = settling
	assert.False(t, c.measured([]float64{80, 80, 80}), "3 to 2 pieces")
	c.runs = 0
	assert.True(t, c.measured([]float64{80, 80, 80}))

	// A dispatch over the limit stands alone, and that is final.
	c = newCutter(3, 250)
	assert.True(t, c.measured([]float64{900}))
	assert.Equal(t, []int{1, 2, 3}, c.ends)
	assert.True(t, c.measured([]float64{1, 900, 1}) == false)
	assert.False(t, c.measured([]float64{1, 900, 1}))
}
