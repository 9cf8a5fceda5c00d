package train

import (
	"bytes"
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/train/data"
)

// The numbers of a matrix small enough to count by hand.
func TestConfusion(t *testing.T) {
	c := NewConfusion([]string{"ant", "bee"}, 3)
	c.Counts = [][]int{{6, 2, 0}, {1, 3, 0}, {0, 0, 0}}
	assert.Equal(t, []ClassScore{
		{"ant", 8, 6. / 8, 6. / 7, 12. / 15}, {"bee", 4, 3. / 4, 3. / 5, 6. / 9}, {"2", 0, 0, 0, 0},
	}, c.PerClass())
	assert.Equal(t, []Mistake{{"ant", "bee", 2}, {"bee", "ant", 1}}, c.Mistakes(9))
	assert.Equal(t, []Mistake{{"ant", "bee", 2}}, c.Mistakes(1))

	var b bytes.Buffer
	require.NoError(t, c.WriteText(&b))
	assert.Equal(t, `  class  images  recall  precision      F1
    ant       8  75.00%     85.71%  80.00%
    bee       4  75.00%     60.00%  66.67%
      2       0   0.00%      0.00%   0.00%

  of \ taken for  ant  bee  2
             ant    6    2  0
             bee    1    3  0
               2    0    0  0
`, b.String())

	many := NewConfusion(nil, 30)
	many.Counts[3][4] = 7
	b.Reset()
	require.NoError(t, many.WriteText(&b))
	assert.Contains(t, b.String(), "images  of  taken for\n       7   3          4\n")
}

// What the matrix says agrees with what the device counts.
func TestEvaluateClasses(t *testing.T) {
	tr := newTrainer(t, toy{epochs: 1})
	l := data.Loader{Set: tr.Train.Set, Size: 4}
	s, c, err := EvaluateClasses(context.Background(), tr.Model, l)
	require.NoError(t, err)
	hits, images := 0, 0
	for i, row := range c.Counts {
		hits += row[i]
		for _, n := range row {
			images += n
		}
	}
	assert.Equal(t, s.Hits, hits)
	assert.Equal(t, s.Images, images)
	assert.Equal(t, 42, images)
	assert.Equal(t, 1, First([]float32{1, 3, 3, -1}))
}
