package sparsenet

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"sparsevk/ops"
	"sparsevk/shaders"
)

// The weights of a small network are packed where a phase begins, in a dispatch for
// each kind of window; of a larger one as many as have room, and the rest where they
// are read.
func TestWeightsArePackedAhead(t *testing.T) {
	for preset, rest := range map[string]bool{"sparse-40-12": false, "sparse-40-24": true} {
		for _, class := range []ops.Class{ops.Quad, ops.Quad16} {
			n := network(t, preset, Options{Batch: 64, Class: class})
			for _, phase := range []Phase{Forward, Backward} {
				ahead, later, bytes := 0, 0, uint64(0)
				for i, s := range n.Train.Phase(phase) {
					switch {
					case s.Kernel != &shaders.QuadPack:
					case i == ahead:
						ahead++
						for _, v := range s.Args[2] {
							bytes += 4 * v.Elems()
						}
					default:
						later++
					}
				}
				assert.Equal(t, 2, ahead, "%s, %v, %v: 3x3 and transitions", preset, class, phase)
				assert.Equal(t, rest, later > 0, "%s, %v, %v: %d dispatches pack later", preset, class, phase, later)
				assert.LessOrEqual(t, bytes, uint64(2<<20), "%s, %v, %v", preset, class, phase)
				assert.Equal(t, rest, bytes > 3<<19, "%s, %v, %v: what is ahead fills its room only where there is more", preset, class, phase)
			}
		}
	}
}
