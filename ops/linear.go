package ops

import "sparsevk/shaders"

// Linear computes y[k,n] = b[k] + Σ_c w[k,c]·x[c,n]. Backward:
//
//	dx[c,n] = Σ_k w[k,c]·dy[k,n]     dw[k,c] = Σ_n dy[k,n]·x[c,n]     db[k] = Σ_n dy[k,n]
type Linear struct {
	Env        *Env
	Label      string
	X, DX      View // C planes of N elements
	Y, DY      View // K planes of N elements
	W, DW      View // [K][C], K·C words
	B, DB      View // K words
	Accumulate bool // Backward adds to DX; DW and DB are written
}

// Forward reads X, W and B and writes Y.
func (o Linear) Forward() []Step {
	c, k, n := o.X.C(), o.Y.C(), uint32(o.X.Block.Plane())
	return []Step{{
		Label: o.Label + "/linear_fwd", Kernel: &shaders.LinearFwd, Args: bind(o.X, o.W, o.B, o.Y),
		Push: &shaders.LinearFwdPush{Inputs: c, Outputs: k, Images: n,
			X: where(o.X), W: where(o.W), B: where(o.B), Y: where(o.Y)},
		Groups: Groups1D(uint64((k+3)/4)*uint64(n), lanes),
		MACs:   uint64(c) * uint64(k) * uint64(n),
	}}
}

// Backward reads X, W and DY, and writes DW, DB and DX. Without a DX there is no
// step for it.
func (o Linear) Backward() []Step {
	c, k, n := o.X.C(), o.DY.C(), uint32(o.X.Block.Plane())
	steps := []Step{{
		Label: o.Label + "/linear_bwd_weights", Kernel: &shaders.LinearBwdWeights, Args: bind(o.X, o.DY, o.DW, o.DB),
		Push: &shaders.LinearBwdWeightsPush{Inputs: c, Outputs: k, Images: n,
			X: where(o.X), DY: where(o.DY), DW: where(o.DW), DB: where(o.DB)},
		Groups: Groups1D(uint64(k)*uint64(c+1), lanes),
		MACs:   uint64(c) * uint64(k) * uint64(n),
	}}
	if o.DX.Block == nil {
		return steps
	}
	return append(steps, Step{
		Label: o.Label + "/linear_bwd_data", Kernel: &shaders.LinearBwdData, Args: bind(o.DY, o.W, o.DX),
		Spec: []uint32{flag(o.Accumulate)},
		Push: &shaders.LinearBwdDataPush{Inputs: c, Outputs: k, Images: n,
			DY: where(o.DY), W: where(o.W), DX: where(o.DX)},
		Groups: Groups1D(uint64(c)*uint64(n), lanes),
		MACs:   uint64(c) * uint64(k) * uint64(n),
	})
}
