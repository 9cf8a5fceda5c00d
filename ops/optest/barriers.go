package optest

import (
	"fmt"

	"sparsevk/ops"
	"sparsevk/shaders"
)

// CheckBarriers holds a list of barriers against the steps, pair by pair: two
// steps of which one writes bytes that the other touches must have a barrier
// between them. It shares no code with package record, which inserts them.
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
			if write == 0 {
				continue
			}
			for _, v := range p {
				for _, w := range q {
					if v.Block.Host() != w.Block.Host() {
						continue
					}
					vlo, vhi := v.Bytes()
					wlo, whi := w.Bytes()
					if max(vlo, wlo) < min(vhi, whi) {
						return fmt.Sprintf("touches %v where the first touches %v", w, v)
					}
				}
			}
		}
	}
	return ""
}
