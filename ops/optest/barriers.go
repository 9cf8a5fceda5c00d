package optest

import (
	"fmt"

	"sparsevk/ops"
	"sparsevk/shaders"
)

// CheckBarriers holds a list of barriers against the steps, pair by pair: two
// steps of which one binds bytes to write that the other binds at all must have
// a barrier between them. It shares no code with package record, which inserts
// them.
func CheckBarriers(steps []ops.Step, barriers []bool) error {
	if len(barriers) != len(steps) {
		return fmt.Errorf("optest: %d barriers for %d steps", len(barriers), len(steps))
	}
	for j := range steps {
		if barriers[j] {
			continue // everything before is behind a barrier for j; what follows is checked from its own side
		}
		for i := j - 1; i >= 0; i-- {
			if what := clash(&steps[i], &steps[j]); what != "" {
				return fmt.Errorf("optest: no barrier between %s and %s, which %s", steps[i].Label, steps[j].Label, what)
			}
			if barriers[i] {
				break
			}
		}
	}
	return nil
}

func clash(a, b *ops.Step) string {
	for i, p := range a.Args {
		for j, q := range b.Args {
			write := (a.Kernel.Bindings[i].Access | b.Kernel.Bindings[j].Access) & shaders.Write
			if write == 0 || p[0].Block.Host() != q[0].Block.Host() {
				continue
			}
			plo, phi := bound(p)
			qlo, qhi := bound(q)
			if max(plo, qlo) < min(phi, qhi) {
				return fmt.Sprintf("binds bytes [%d,%d) of %v where the first binds [%d,%d) of %v", qlo, qhi, q, plo, phi, p)
			}
		}
	}
	return ""
}

// bound returns the bytes that a binding covers: from the first byte of any view,
// rounded down to 256, to the last.
func bound(p ops.Planes) (lo, hi uint64) {
	lo = 1 << 63
	for _, v := range p {
		plane := v.Block.Precision.Bytes() * uint64(v.Block.N) * uint64(v.Block.H) * uint64(v.Block.W)
		lo = min(lo, (v.Block.Off+uint64(v.Lo)*plane)/256*256)
		hi = max(hi, v.Block.Off+uint64(v.Hi)*plane)
	}
	return lo, hi
}
