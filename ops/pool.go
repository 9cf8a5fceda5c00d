package ops

import (
	"fmt"

	"sparsevk/shaders"
)

// Window is the window of a pooling: R by S elements, Stride apart, over an image
// with Pad elements on every side that take no part.
type Window struct{ R, S, Stride, Pad uint32 }

// Out returns the output size P by Q for an input of h by w: floor((h + 2·Pad -
// R)/Stride) + 1, and likewise. It panics if no window fits, or if a window could
// lie in the padding alone.
func (o Window) Out(h, w uint32) (p, q uint32) {
	if o.R == 0 || o.S == 0 || o.Stride == 0 || o.Pad >= min(o.R, o.S) || h+2*o.Pad < o.R || w+2*o.Pad < o.S {
		panic(fmt.Sprintf("ops: pool: window %+v over %d by %d", o, h, w))
	}
	return (h+2*o.Pad-o.R)/o.Stride + 1, (w+2*o.Pad-o.S)/o.Stride + 1
}

func (o Window) check(label string, x, y *Block) {
	if p, q := o.Out(x.H, x.W); p != y.H || q != y.W || x.N != y.N {
		panic(fmt.Sprintf("ops: pool: %s: %d images of %d by %d for %d of %d by %d, want %d by %d",
			label, y.N, y.H, y.W, x.N, x.H, x.W, p, q))
	}
}

// MaxPool computes y[c,n,p,q] = the largest element of the window of (p, q) in
// image n of plane c; padding takes no part. Backward gives dy to the first
// largest element in row-major order, found again from X: no index is stored.
type MaxPool struct {
	Env   *Env
	Label string
	Window
	X, Y, DX, DY View
	Accumulate   bool // Backward adds to DX
}

// Forward reads X and writes Y.
func (o MaxPool) Forward() []Step {
	o.check(o.Label, o.X.Block, o.Y.Block)
	var steps []Step
	for _, v := range o.Env.runs(o.X, o.Y) {
		x, y := v[0].Block, v[1].Block
		rows := v[1].Elems() / uint64(y.W)
		steps = append(steps, Step{
			Label: o.Label + "/pool_max_fwd", Kernel: &shaders.PoolMaxFwd, Args: bind(v...),
			Spec: []uint32{o.R, o.S, o.Stride, o.Pad},
			Push: &shaders.PoolMaxFwdPush{RowsOut: uint32(rows), H: x.H, W: x.W, HOut: y.H, WOut: y.W,
				X: where(v[0]), Y: where(v[1])},
			Groups: rowGroups(rows),
		})
	}
	return steps
}

// Backward reads X and DY and writes DX.
func (o MaxPool) Backward() []Step {
	o.check(o.Label, o.X.Block, o.DY.Block)
	var steps []Step
	for _, v := range o.Env.runs(o.X, o.DY, o.DX) {
		x, y := v[0].Block, v[1].Block
		rows := v[0].Elems() / uint64(x.W)
		steps = append(steps, Step{
			Label: o.Label + "/pool_max_bwd", Kernel: &shaders.PoolMaxBwd, Args: bind(v...),
			Spec: []uint32{o.R, o.S, o.Stride, o.Pad, flag(o.Accumulate)},
			Push: &shaders.PoolMaxBwdPush{Rows: uint32(rows), H: x.H, W: x.W, HOut: y.H, WOut: y.W,
				X: where(v[0]), DY: where(v[1]), DX: where(v[2])},
			Groups: rowGroups(rows),
		})
	}
	return steps
}

// AvgPool computes the mean of each window; Pad must be 0. Backward gives each
// element of a window dy/(R·S).
type AvgPool struct {
	Env   *Env
	Label string
	Window
	X, Y, DX, DY View // Backward does not read X and Y
	Accumulate   bool // Backward adds to DX
}

func (o AvgPool) check(x, y *Block) {
	if o.Pad != 0 {
		panic(fmt.Sprintf("ops: pool: %s: average pooling with padding %d", o.Label, o.Pad))
	}
	o.Window.check(o.Label, x, y)
}

// Forward reads X and writes Y.
func (o AvgPool) Forward() []Step {
	o.check(o.X.Block, o.Y.Block)
	var steps []Step
	for _, v := range o.Env.runs(o.X, o.Y) {
		x, y := v[0].Block, v[1].Block
		rows := v[1].Elems() / uint64(y.W)
		steps = append(steps, Step{
			Label: o.Label + "/pool_avg_fwd", Kernel: &shaders.PoolAvgFwd, Args: bind(v...),
			Spec: []uint32{o.R, o.S, o.Stride},
			Push: &shaders.PoolAvgFwdPush{RowsOut: uint32(rows), H: x.H, W: x.W, HOut: y.H, WOut: y.W,
				X: where(v[0]), Y: where(v[1])},
			Groups: rowGroups(rows),
		})
	}
	return steps
}

// Backward reads DY and writes DX.
func (o AvgPool) Backward() []Step {
	o.check(o.DX.Block, o.DY.Block)
	var steps []Step
	for _, v := range o.Env.runs(o.DY, o.DX) {
		y, x := v[0].Block, v[1].Block
		rows := v[1].Elems() / uint64(x.W)
		steps = append(steps, Step{
			Label: o.Label + "/pool_avg_bwd", Kernel: &shaders.PoolAvgBwd, Args: bind(v...),
			Spec: []uint32{o.R, o.S, o.Stride, 0, flag(o.Accumulate)},
			Push: &shaders.PoolAvgBwdPush{Rows: uint32(rows), H: x.H, W: x.W, HOut: y.H, WOut: y.W,
				DY: where(v[0]), DX: where(v[1])},
			Groups: rowGroups(rows),
		})
	}
	return steps
}

// GlobalAvgPool computes y[c,n] = the mean of image n of plane c. Backward gives
// each element dy/(H·W).
type GlobalAvgPool struct {
	Env        *Env
	Label      string
	X, DX      View // C planes, each N·H·W
	Y, DY      View // C planes, each N
	Accumulate bool // Backward adds to DX
}

// Forward reads X and writes Y.
func (o GlobalAvgPool) Forward() []Step {
	var steps []Step
	for _, v := range o.Env.runs(o.X, o.Y) {
		images := v[1].Elems()
		steps = append(steps, Step{
			Label: o.Label + "/pool_global_fwd", Kernel: &shaders.PoolGlobalFwd, Args: bind(v...),
			Push: &shaders.PoolGlobalFwdPush{Images: uint32(images), Area: v[0].Block.H * v[0].Block.W,
				X: where(v[0]), Y: where(v[1])},
			Groups: Groups1D(images, lanes),
		})
	}
	return steps
}

// Backward reads DY and writes DX.
func (o GlobalAvgPool) Backward() []Step {
	var steps []Step
	for _, v := range o.Env.runs(o.DY, o.DX) {
		images := v[0].Elems()
		steps = append(steps, Step{
			Label: o.Label + "/pool_global_bwd", Kernel: &shaders.PoolGlobalBwd, Args: bind(v...),
			Spec: []uint32{flag(o.Accumulate)},
			Push: &shaders.PoolGlobalBwdPush{Images: uint32(images), Area: v[1].Block.H * v[1].Block.W,
				DY: where(v[0]), DX: where(v[1])},
			Groups: rowGroups(images),
		})
	}
	return steps
}
