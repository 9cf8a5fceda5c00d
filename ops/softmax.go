package ops

import "sparsevk/shaders"

// SoftmaxLoss is the cross-entropy of the softmax of logits x [K][N] against
// labels, with its gradient:
//
//	loss[n] = -Σ_k target[k]·ln softmax(x[:,n])[k]     target[k] = (1-Smoothing)·[k = label] + Smoothing/K
//	dx[k,n] = scale/valid·(softmax(x[:,n])[k] - target[k])
//
// scale (loss scale) and valid, the number of images that count, come from
// State: the images behind them give loss 0, gradient 0 and no hit. A logit that
// is not finite or a label that is no class gives loss NaN, which Results flags.
type SoftmaxLoss struct {
	Env       *Env
	Label     string
	Smoothing float32 // share of the target spread over all classes; the default is 0
	X, DX     View    // K planes of N elements; DX is written
	Labels    View    // N words
	State     View
	Results   View // ResultWords words; ResultLoss to ResultHits5 are written
	// Loss and Rank hold a word per image: its loss, and how many other classes
	// its label does not beat (of equal logits the lower class wins): 0 is a hit.
	Loss, Rank *Block
}

// NewSoftmaxLoss returns o with blocks for Loss and Rank if it has none.
func NewSoftmaxLoss(o SoftmaxLoss) *SoftmaxLoss {
	n := int(o.X.Block.Plane())
	if o.Loss == nil {
		o.Loss = Vector(o.Label+"/loss", Workspace, n)
	}
	if o.Rank == nil {
		o.Rank = Vector(o.Label+"/rank", Workspace, n)
	}
	return &o
}

// Forward reads X, Labels and State, and writes DX, Loss, Rank and Results.
func (o *SoftmaxLoss) Forward() []Step {
	k, n := o.X.C(), uint32(o.X.Block.Plane())
	loss, rank := o.Loss.All(), o.Rank.All()
	return []Step{{
		Label: o.Label + "/softmax_xent", Kernel: &shaders.SoftmaxXent,
		Args: bind(o.X, o.Labels, o.State, o.DX, loss, rank),
		Push: &shaders.SoftmaxXentPush{Classes: k, Images: n, Smoothing: o.Smoothing,
			X: where(o.X), Labels: where(o.Labels), State: where(o.State), DX: where(o.DX), Loss: where(loss), Rank: where(rank)},
		Groups: Groups1D(uint64(n), lanes),
	}, {
		Label: o.Label + "/softmax_reduce", Kernel: &shaders.SoftmaxReduce,
		Args: bind(loss, rank, o.State, o.Results),
		Push: &shaders.SoftmaxReducePush{Classes: k, Images: n,
			Loss: where(loss), Rank: where(rank), State: where(o.State), Results: where(o.Results)},
		Groups: [3]uint32{1, 1, 1},
	}}
}

// Backward returns no steps: Forward writes the gradient.
func (o *SoftmaxLoss) Backward() []Step { return nil }
