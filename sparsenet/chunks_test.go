package sparsenet

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/ops"
	"sparsevk/ops/optest"
)

// smallChunk is the size of the largest block of n: the smallest memory objects
// that its plan can be cut into.
func smallChunk(n *Network) uint64 {
	var most uint64
	for _, l := range n.Plan.Lifetimes {
		most = max(most, l.Block.Bytes())
	}
	return (most + ops.Align - 1) / ops.Align * ops.Align
}

// A network that lies in many memory objects, so that what a layer reads lies in
// several, computes the same as in one.
func TestEnginesAgreeInChunks(t *testing.T) {
	list := classes(optest.Device(t))
	for _, n := range slices.Concat(smallNets[:4], sumNets[:2]) {
		for _, v := range []Options{{Engine: Arena}, {Engine: Layered}, {Engine: Arena, Class: list[len(list)-1]}} {
			o := n.Options
			o.Engine, o.Class = v.Engine, v.Class
			whole := open(t, n.Config, o)
			want := run(t, whole, 1)
			o.Chunk = smallChunk(whole.Network)
			cut := open(t, n.Config, o)
			assert.Greater(t, cut.Plan.DeviceBytes(), 2*o.Chunk, "nothing was cut")
			list := disagreements(run(t, cut, 1), want, someValues(cut.Graph.Params), sharp)
			assert.Empty(t, list, "%s, %s, %s", n.name, o.Engine, o.Class)
			require.NoError(t, whole.Close())
			require.NoError(t, cut.Close())
		}
	}
}

// No binding of a plan in small chunks crosses one, whatever the network.
func TestBindingsStayWithinChunks(t *testing.T) {
	for _, preset := range []string{"sparse-100-12", "dense-40-12", "sparse-bc-40-12", "imagenet-sparse-121-32-init2k"} {
		for _, e := range []Engine{Arena, Layered} {
			for _, class := range []ops.Class{ops.Plain, ops.Quad, ops.Quad16} {
				o := Options{Batch: 4, Engine: e, Class: class}
				o.Chunk = smallChunk(network(t, preset, o))
				n := network(t, preset, o)
				require.Greater(t, n.Plan.DeviceBytes(), 3*o.Chunk)
				steps := append(n.Train.Steps(), n.Eval.Steps()...)
				label, crossing := crosses(steps, o.Chunk)
				assert.Zero(t, crossing, "%s, %s, %s: %s", preset, e, class, label)
				_, crossing = crosses(steps, o.Chunk/8*7) // a planted fault is noticed
				assert.NotZero(t, crossing)
			}
		}
	}
}

// crosses counts bindings that cross a multiple of chunk, and names one.
func crosses(steps []ops.Step, chunk uint64) (label string, count int) {
	for i := range steps {
		for j, a := range steps[i].Args {
			if off, n := a.Range(); !a[0].Block.Host() && off/chunk != (off+n-1)/chunk {
				label = steps[i].Label + " " + steps[i].Kernel.Bindings[j].Name
				count++
			}
		}
	}
	return label, count
}
