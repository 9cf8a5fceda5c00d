package gpu

import "slices"

// firstPiece is how many dispatches a submission has before anything is known
// of their times: few, since the slowest device has the shortest patience.
const firstPiece = 8

// A cutter divides n dispatches into submissions. It learns from measured
// times: as few pieces as possible, each below the limit.
type cutter struct {
	limit float64   // longest piece, ns
	cost  []float64 // estimate for each dispatch, ns
	ends  []int     // of the pieces
	next  []int     // scratch
	runs  int
}

// A new packing keeps this share of the limit, so that noise does not break it.
const fill = 0.8

// Merging is for the first runs: the very first carries the driver's compiling.
// Later a packing must save half the pieces to be worth recording again.
const settling = 8

func newCutter(n int, limit float64) *cutter {
	c := &cutter{limit: limit, cost: make([]float64, n), ends: make([]int, 0, n), next: make([]int, 0, n)}
	for i := range c.cost {
		c.cost[i] = 1
	}
	for e := firstPiece; e < n; e += firstPiece {
		c.ends = append(c.ends, e)
	}
	c.ends = append(c.ends, n)
	return c
}

// piecesTo returns how many pieces there are up to the one with dispatch i; none to
// dispatch 0.
func (c *cutter) piecesTo(i int) int {
	if i == 0 {
		return 0
	}
	at, _ := slices.BinarySearch(c.ends, i+1)
	return min(at+1, len(c.ends))
}

// measured takes the times of the pieces of one run, in ns, and says whether
// the pieces have changed. Within a piece the proportions known so far stay.
func (c *cutter) measured(pieces []float64) bool {
	c.runs++
	start, over := 0, false
	for p, end := range c.ends {
		sum, t := 0.0, max(pieces[p], 1)
		for _, x := range c.cost[start:end] {
			sum += x
		}
		for i := start; i < end; i++ {
			c.cost[i] *= t / sum
		}
		over = over || (t > c.limit && end-start > 1)
		start = end
	}
	return c.repack(over)
}

// repack packs anew where a piece is over the limit or fewer pieces suffice.
func (c *cutter) repack(over bool) bool {
	c.next = c.next[:0]
	sum := 0.0
	for i, x := range c.cost {
		if sum += x; sum > fill*c.limit && i > 0 {
			c.next, sum = append(c.next, i), x
		}
	}
	c.next = append(c.next, len(c.cost))
	fewer := len(c.next) < len(c.ends) && c.runs <= settling || 2*len(c.next) <= len(c.ends)
	if !over && !fewer {
		return false
	}
	c.ends, c.next = c.next, c.ends
	return true
}
