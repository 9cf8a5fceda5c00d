package ops

import "sparsevk/shaders"

// Norm2 computes the sum of squares of X, the squared norm of a gradient, and
// whether all of it is finite, told by bits. The order of the sum depends on the
// shapes and on Env.Range alone.
type Norm2 struct {
	Env     *Env
	Label   string
	X       Planes
	Results View // two words: the sum as float; as uint 1 if it or an element is not finite
	partial *Block
}

// NewNorm2 returns o with its workspace.
func NewNorm2(o Norm2) *Norm2 {
	var tiles uint32
	for _, run := range o.runs() {
		tiles += tilesOfRun(run)
	}
	o.partial = &Block{Name: o.Label + "/tiles", Purpose: Workspace, C: tiles, N: 1, H: 1, W: 2}
	return &o
}

func (o *Norm2) runs() []View {
	var all []View
	for _, x := range o.X {
		for _, run := range o.Env.runs(x) {
			all = append(all, run[0])
		}
	}
	return all
}

// normTile is the number of elements that an invocation adds up.
const normTile = 256

func tilesOfRun(v View) uint32 { return lanes * blocksOf(v.Elems(), normTile) }

// Steps reads X and writes Results.
func (o *Norm2) Steps() []Step {
	var steps []Step
	var lo uint32
	for _, x := range o.runs() {
		part := o.partial.View(lo, lo+tilesOfRun(x))
		lo += part.C()
		steps = append(steps, Step{
			Label: o.Label + "/norm_tile", Kernel: &shaders.NormTile, Args: bind(x, part),
			Push:   &shaders.NormTilePush{N: uint32(x.Elems()), Tile: normTile, Tiles: part.C(), X: where(x), Partial: where(part)},
			Groups: Groups1D(uint64(part.C()), lanes),
		})
	}
	part := o.partial.All()
	return append(steps, Step{
		Label: o.Label + "/norm_merge", Kernel: &shaders.NormMerge, Args: bind(part, o.Results),
		Push:   &shaders.NormMergePush{Tiles: part.C(), Partial: where(part), Results: where(o.Results)},
		Groups: [3]uint32{1, 1, 1},
	})
}
