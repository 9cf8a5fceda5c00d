package record

import (
	"sparsevk/ops"
	"sparsevk/shaders"
)

// span is a range of bytes that a step touched since the last barrier.
type span struct {
	lo, hi uint64
	host   bool
	write  bool
}

// Barriers returns, for each step, whether a barrier must stand before it: it
// does if the step touches bytes that a step since the last barrier wrote, or
// writes bytes that one read. The step list runs again and again, so the first
// step needs none: a recording ends with a barrier.
func Barriers(steps []ops.Step) []bool {
	need := make([]bool, len(steps))
	var since []span
	for i := range steps {
		mine := spans(&steps[i])
		if conflicts(since, mine) {
			need[i] = true
			since = since[:0]
		}
		since = append(since, mine...)
	}
	return need
}

// spans merges the neighbouring views of a step's bindings into byte ranges.
func spans(s *ops.Step) []span {
	var out []span
	for _, u := range s.Uses() {
		lo, hi := u.View.Bytes()
		n := span{lo, hi, u.View.Block.Host(), u.Access&shaders.Write != 0}
		if k := len(out) - 1; k >= 0 && out[k].hi == lo && out[k].host == n.host && out[k].write == n.write {
			out[k].hi = hi
			continue
		}
		out = append(out, n)
	}
	return out
}

func conflicts(since, mine []span) bool {
	for _, a := range since {
		for _, b := range mine {
			if (a.write || b.write) && a.host == b.host && a.lo < b.hi && b.lo < a.hi {
				return true
			}
		}
	}
	return false
}
