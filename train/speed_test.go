package train

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// Steps of 10 ms and 20 images, of which the host finds two at once now and then: the
// speed is never far from what it is, and follows a change.
func TestSpeed(t *testing.T) {
	start := time.Now()
	run := func(ends []int) (list []float64) {
		s := speed{last: start}
		for _, ms := range ends {
			list = append(list, s.landed(start.Add(time.Duration(ms)*time.Millisecond), 20))
		}
		return list
	}
	var even, uneven, slower []int
	for i := 1; i <= 40; i++ {
		even = append(even, 10*i)
		uneven = append(uneven, 10*i)
		if i%5 == 0 {
			uneven[i-1] = 10*i + 10
		}
		slower = append(slower, 10*i+max(0, 30*(i-20)))
	}
	near(t, slices.Repeat([]float64{2000}, 40), run(even)...)
	got := run(uneven)
	assert.Less(t, slices.Max(got), 2000*1.15, "of one step it would be infinite")
	assert.Greater(t, slices.Min(got), 2000/1.3)
	near(t, []float64{500}, run(slower)[39])
}
