package ops

import (
	"sparsevk/shaders"
)

// Words of the State block: what changes between training steps. The host
// writes them before each run of a recording. shaders/state.glsl has the same
// numbers.
const (
	StateRate       = iota // float: learning rate
	StateMomentum          // float: momentum of the update
	StateDecay             // float: weight decay
	StateLossScale         // float: factor on the loss; 1 without scaling
	StateStep              // uint: training step
	StateSeedLo            // uint: random key, low word
	StateSeedHi            // uint: high word
	StateEpoch             // uint
	StateValid             // uint: images of the batch that count; those behind are ignored
	StateTrain             // uint: 1 in training (crop, flip, dropout, running statistics), 0 in evaluation
	StateBNMomentum        // float: weight of a batch in the running statistics; PyTorch's 0.1
	StateShare             // float: weight of the batch's gradient in an accumulated one
	StateBegin             // uint: 1 if an accumulated gradient begins with this batch
)

// More words of the State block.
const (
	StateClip     = iota + 16 // float: largest norm of the gradient, 0 for any
	StateBeta2                // float: Adam's second decay rate; the first is StateMomentum
	StateEpsilon              // float: Adam's
	StateCorrect1             // float: 1 - beta1^t, t updates with this one
	StateCorrect2             // float: 1 - beta2^t
	StateAverage              // float: weight of the old value in the average of the weights
	StateWords    = 32
)

// NewState returns the block of what changes between training steps: StateWords
// words, host-visible.
func NewState() *Block {
	b := Vector("state", Staging, StateWords)
	b.Keep = true
	return b
}

// Words of the Results block: what a step reports to the host.
const (
	ResultLoss      = iota // float: mean loss over the images that count
	ResultHits             // uint: images whose first largest logit is that of their label
	ResultNonFinite        // uint: 1 if the loss of an image is not finite
	ResultLossSum          // float: sum of the losses
	ResultHits5            // uint: images whose label is among the five largest logits
	ResultNorm2            // float: sum of squares of the gradient (Norm2)
	ResultNormBad          // uint: 1 if that sum or an element of the gradient is not finite
	ResultWords     = 8
)

// NewResults returns the block that receives ResultWords words, host-visible.
func NewResults() *Block {
	b := Vector("results", Staging, ResultWords)
	b.Keep = true
	return b
}

// lanes is the workgroup size of the plain kernels.
const lanes = 128

// elementGroups returns the workgroups of an elementwise kernel over n elements:
// eight or more for an invocation, so that what it loads once is paid for.
func elementGroups(n uint64) [3]uint32 { return Groups1D((n+7)/8, lanes) }

// planeGroups returns the workgroups of a kernel whose y axis walks c planes of m
// elements, sixteen or more for an invocation.
func planeGroups(c uint32, m uint64) [3]uint32 {
	g := Groups1D((m+15)/16, lanes)
	g[1] = min(c, MaxGroups)
	return g
}

// rowGroups returns the workgroups of a kernel with 8 by 16 invocations over rows,
// four or more for an invocation.
func rowGroups(rows uint64) [3]uint32 { return Groups1D((rows+3)/4, 16) }

// bind returns arguments of one view each.
func bind(views ...View) []Planes {
	p := make([]Planes, len(views))
	for i, v := range views {
		p[i] = Planes{v}
	}
	return p
}

// where returns the place of v in a binding of its own, as made by bind.
func where(v View) shaders.View { return push(Planes{v}, v) }

// flag returns b as a specialization constant or push word.
func flag(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}
