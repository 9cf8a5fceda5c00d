package ops

import "sparsevk/shaders"

// BatchNorm computes y = gamma·(x-mean)·istd + beta per plane, and with ReLU the
// larger of that and 0. In training mean and istd are the batch's, in evaluation
// those of the running statistics. Backward, for training:
//
//	g      = dy, or dy·[gamma·xhat + beta > 0] with ReLU     xhat = (x-mean)·istd
//	dbeta  = Σ g     dgamma = Σ g·xhat     over the M = N·H·W elements of a plane
//	dx     = gamma·istd·(g - dbeta/M - xhat·dgamma/M)
//
// The mask is recomputed from X, so Y may be gone; X and Stats must be those of
// the forward. X and Y may be the same view only if Backward is not used; DY and
// DX may be the same view. Source: Ioffe, Szegedy, arXiv:1502.03167.
type BatchNorm struct {
	Env         *Env
	Label       string
	Epsilon     float32 // PyTorch's is 1e-5
	ReLU        bool    // Y is the larger of the result and 0
	Accumulate  bool    // Backward adds to DX
	X           View    // C planes of M elements
	Y, DY, DX   View    // shape of X
	Stats       View    // C planes of StatWords words (NewStatsBlock)
	Gamma, Beta View    // a word per plane
	// DGamma and DBeta, a word per plane, are written.
	DGamma, DBeta View
	// RunningMean and RunningVar, a word per plane, are updated by Forward in
	// training (State) and read by Evaluate.
	RunningMean, RunningVar View
	State                   View
	stats                   *Stats
	sums                    *Block
}

// NewBatchNorm returns o with its workspace, and with a block for the statistics
// if it has none.
func NewBatchNorm(o BatchNorm) *BatchNorm {
	if o.Stats.Block == nil {
		o.Stats = NewStatsBlock(o.Label+"/stats", o.X.C()).All()
	}
	o.stats = NewStats(Stats{Env: o.Env, Label: o.Label, Epsilon: o.Epsilon, X: o.X, Words: o.Stats,
		RunningMean: o.RunningMean, RunningVar: o.RunningVar, State: o.State})
	o.sums = newPartial(o.Label+"/sums", o.X)
	return &o
}

// Forward reads X and writes Stats and Y; in training (State) it updates the
// running statistics.
func (o *BatchNorm) Forward() []Step { return append(o.stats.Forward(), o.Apply()...) }

// Evaluate reads X and the running statistics, and writes Stats and Y.
func (o *BatchNorm) Evaluate() []Step { return append(o.stats.Evaluate(), o.Apply()...) }

// Apply reads X and Stats and writes Y.
func (o *BatchNorm) Apply() []Step {
	var steps []Step
	for _, v := range o.Env.runs(o.X, o.Stats, o.Gamma, o.Beta, o.Y) {
		m := v[0].Block.Plane()
		steps = append(steps, Step{
			Label: o.Label + "/bn_fwd", Kernel: &shaders.BnFwd, Spec: []uint32{flag(o.ReLU)}, Args: bind(v...),
			Push: &shaders.BnFwdPush{Planes: v[0].C(), M: uint32(m),
				X: where(v[0]), Stats: where(v[1]), Gamma: where(v[2]), Beta: where(v[3]), Y: where(v[4])},
			Groups: planeGroups(v[0].C(), m),
		})
	}
	return steps
}

// Backward reads X, Stats, Gamma, Beta and DY, and writes DGamma, DBeta and DX.
func (o *BatchNorm) Backward() []Step {
	steps := append(o.reduce(), o.merge()...)
	for _, v := range o.Env.runs(o.X, o.DY, o.Stats, o.Gamma, o.Beta, o.DGamma, o.DBeta, o.DX) {
		m := v[0].Block.Plane()
		steps = append(steps, Step{
			Label: o.Label + "/bn_bwd_data", Kernel: &shaders.BnBwdData, Args: bind(v...),
			Spec: []uint32{flag(o.ReLU), flag(o.Accumulate)},
			Push: &shaders.BnBwdDataPush{Planes: v[0].C(), M: uint32(m),
				X: where(v[0]), DY: where(v[1]), Stats: where(v[2]), Gamma: where(v[3]), Beta: where(v[4]),
				Dgamma: where(v[5]), Dbeta: where(v[6]), DX: where(v[7])},
			Groups: planeGroups(v[0].C(), m),
		})
	}
	return steps
}

// reduce leaves the two sums of every tile in the workspace.
func (o *BatchNorm) reduce() []Step {
	var steps []Step
	for _, v := range o.Env.runs(o.X, o.DY, o.Stats, o.Gamma, o.Beta, o.sums.All()) {
		steps = append(steps, Step{
			Label: o.Label + "/bn_bwd_reduce", Kernel: &shaders.BnBwdReduce, Spec: []uint32{flag(o.ReLU)}, Args: bind(v...),
			Push: &shaders.BnBwdReducePush{Planes: v[0].C(), M: uint32(o.X.Block.Plane()), Tile: statTile,
				X: where(v[0]), DY: where(v[1]), Stats: where(v[2]), Gamma: where(v[3]), Beta: where(v[4]), Partial: where(v[5])},
			Groups: Groups1D(uint64(v[0].C())*uint64(o.sums.H), lanes),
		})
	}
	return steps
}

// merge adds the sums of the tiles.
func (o *BatchNorm) merge() []Step {
	var steps []Step
	for _, v := range o.Env.runs(o.sums.All(), o.DGamma, o.DBeta) {
		steps = append(steps, Step{
			Label: o.Label + "/bn_bwd_merge", Kernel: &shaders.BnBwdMerge, Args: bind(v...),
			Push: &shaders.BnBwdMergePush{Planes: v[0].C(), Tiles: o.sums.H,
				Partial: where(v[0]), Dgamma: where(v[1]), Dbeta: where(v[2])},
			Groups: Groups1D(uint64(v[0].C()), 1),
		})
	}
	return steps
}
