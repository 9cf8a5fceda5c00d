package record

import (
	"sparsevk/ops"
	"sparsevk/shaders"
)

// span is a range of bytes that a step bound since the last barrier.
type span struct {
	lo, hi uint64
	host   bool
	write  bool
}

// Barriers returns, for each step, whether a barrier must stand before it: it
// does if the step binds bytes that a step since the last barrier bound to be
// written, or binds to write bytes that one bound at all. What is bound is what
// validation layers can see; it exceeds what a step touches by less than
// ops.Align at its start, and by the planes between the views of a
// concatenation. The step list runs again and again, so the first step needs
// none: a recording ends with a barrier.
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

// spans returns what each binding of a step covers.
func spans(s *ops.Step) []span {
	out := make([]span, len(s.Args))
	for i, a := range s.Args {
		lo, n := a.Range()
		out[i] = span{lo, lo + n, a[0].Block.Host(), s.Kernel.Bindings[i].Access&shaders.Write != 0}
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
