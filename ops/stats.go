package ops

import "sparsevk/shaders"

// statTile is the number of elements of a tile: an invocation's share of a sum.
// A workgroup makes lanes tiles out of lanes·statTile consecutive elements.
const statTile = 64

// Stats takes the statistics of the planes of X: mean, biased variance and istd
// = 1/sqrt(variance + Epsilon), each taken once however many layers read X.
// Tiles of a plane leave their mean and sum of squared deviations in Partial;
// Chan's rule merges them in index order.
type Stats struct {
	Env     *Env
	Label   string
	Epsilon float32 // PyTorch's is 1e-5
	X       View    // C planes of M = N·H·W elements
	Words   View    // C planes of StatWords words (NewStatsBlock), written
	// RunningMean and RunningVar have a word per plane. In training (State) Merge
	// moves them towards the batch's mean and unbiased variance, unless these are not
	// finite.
	RunningMean, RunningVar View
	State                   View
	// Partial holds [C][tiles] pairs (mean, M2) of Tile consecutive elements each,
	// the last of a plane possibly of fewer: for a convolution that leaves the
	// pairs itself, C planes of tiles·2 words. Without one Tiles makes them.
	Partial *Block
	Tile    uint32
	sweep   uint32 // tiles that share a run of consecutive elements in turn
}

// NewStatsBlock returns a block for the statistics of c planes, a plane of
// StatWords words for each.
func NewStatsBlock(name string, c uint32) *Block {
	return &Block{Name: name, Purpose: Other, C: c, N: 1, H: 1, W: StatWords}
}

// NewStats returns o with a Partial of its own if it has none.
func NewStats(o Stats) *Stats {
	o.sweep = 1
	if o.Partial == nil {
		o.Partial, o.Tile, o.sweep = newPartial(o.Label+"/tiles", o.X), statTile, lanes
	}
	return &o
}

// newPartial returns a block for two words for every tile of every plane of x.
func newPartial(name string, x View) *Block {
	return &Block{Name: name, Purpose: Workspace, C: x.C(), N: 1, H: tilesOf(x), W: 2}
}

// tilesOf returns the number of tiles of a plane of x.
func tilesOf(x View) uint32 { return lanes * blocksOf(x.Block.Plane(), statTile) }

// blocksOf returns how many workgroups it takes to make tiles of the given size
// out of n elements.
func blocksOf(n uint64, tile uint32) uint32 {
	return uint32((n + uint64(lanes*tile) - 1) / uint64(lanes*tile))
}

// Forward reads X and writes Words: Tiles, then Merge.
func (o *Stats) Forward() []Step { return append(o.Tiles(), o.Merge()...) }

// Tiles reads X and writes Partial, unless a convolution does.
func (o *Stats) Tiles() []Step {
	var steps []Step
	if o.sweep == 1 {
		return nil
	}
	for _, v := range o.Env.runs(o.X, o.Partial.All()) {
		x, partial := v[0], v[1]
		steps = append(steps, Step{
			Label: o.Label + "/stats_tile", Kernel: &shaders.StatsTile, Args: bind(v...),
			Push: &shaders.StatsTilePush{Planes: x.C(), M: uint32(x.Block.Plane()), Tile: o.Tile,
				X: where(x), Partial: where(partial)},
			Groups: Groups1D(uint64(x.C())*uint64(o.Partial.H), lanes),
		})
	}
	return steps
}

// Merge reads Partial and writes Words; in training it updates RunningMean and
// RunningVar.
func (o *Stats) Merge() []Step {
	var steps []Step
	for _, v := range o.Env.runs(o.Partial.All(), o.Words, o.RunningMean, o.RunningVar) {
		m, tiles := uint32(o.X.Block.Plane()), uint32(o.Partial.Plane()/2)
		push := shaders.StatsMergePush{Planes: v[0].C(), M: m, Tile: o.Tile, Tiles: tiles, Epsilon: o.Epsilon,
			Partial: where(v[0]), Stats: where(v[1]), RunningMean: where(v[2]), RunningVar: where(v[3]), State: where(o.State)}
		step := Step{Label: o.Label + "/stats_merge", Kernel: &shaders.StatsMerge, Spec: []uint32{o.sweep}, Args: bind(append(v, o.State)...),
			Push: &push, Groups: Groups1D(uint64(v[0].C()), 1)}
		if o.Env.Class.Quads() && o.sweep == 1 && tiles%2 == 0 && tiles*o.Tile == m && v[0].C() <= MaxGroups {
			quad := shaders.QuadStatsMergePush(push)
			step.Label, step.Kernel, step.Push, step.Spec = o.Label+"/quad_stats_merge", &shaders.QuadStatsMerge, &quad, []uint32{o.Env.Class.lanes()}
			step.Groups = [3]uint32{v[0].C(), 1, 1}
		}
		steps = append(steps, step)
	}
	return steps
}

// Evaluate reads RunningMean and RunningVar and writes Words.
func (o *Stats) Evaluate() []Step {
	var steps []Step
	for _, v := range o.Env.runs(o.RunningMean, o.RunningVar, o.Words) {
		steps = append(steps, Step{
			Label: o.Label + "/stats_running", Kernel: &shaders.StatsRunning, Args: bind(v...),
			Push: &shaders.StatsRunningPush{Planes: v[0].C(), M: uint32(o.X.Block.Plane()), Epsilon: o.Epsilon,
				RunningMean: where(v[0]), RunningVar: where(v[1]), Stats: where(v[2])},
			Groups: Groups1D(uint64(v[0].C()), lanes),
		})
	}
	return steps
}
