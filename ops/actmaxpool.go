package ops

import "sparsevk/shaders"

// ActMaxPool takes the largest activated element of each window:
//
//	y[c,n,p,q] = max over the window of (p, q) of z[c,n],   z = max(gamma[c]·(x[c]-mean[c])·istd[c] + beta[c], 0)
//
// It is the second half of the ImageNet stem. X is read in place over a list of
// views, with the reader's Links; padding takes no part. Neither the activation
// nor an index of the largest element is stored.
//
// The gradient of x is gathered by its map: BackwardData leaves the gradient of z,
// which a Reader with Direct hands to Gather.
type ActMaxPool struct {
	Env   *Env
	Label string
	Window
	X     Planes // C planes
	Links *Block // C·LinkWords words
	Y, DY View   // C planes
}

// Forward reads X and Links and writes Y.
func (o ActMaxPool) Forward() []Step {
	o.check(o.Label, o.X[0].Block, o.Y.Block)
	var steps []Step
	c := uint32(0)
	for _, x := range o.Env.split(o.X) {
		in, out := x[0].Block, o.Y.Block
		for c0, y := range starts(o.Env.runs(o.Y.Slice(c, c+x.C()))) {
			rows := y.Elems() / uint64(out.W)
			steps = append(steps, Step{
				Label: o.Label + "/act_pool_max", Kernel: &shaders.ActPoolMax, Args: []Planes{x, {o.Links.All()}, {y}},
				Spec: []uint32{o.R, o.S, o.Stride, o.Pad},
				Push: &shaders.ActPoolMaxPush{RowsOut: uint32(rows), CLo: c + c0, N: in.N, H: in.H, W: in.W,
					HOut: out.H, WOut: out.W, Y: where(y)},
				Groups: rowGroups(rows),
			})
		}
		c += x.C()
	}
	return steps
}

// BackwardData reads planes x of a map, which are the input channels from c0 on,
// Links and DY, and writes dz, the gradient of the activated x, in the shape of x:
// each dy goes to the first largest element of its window in row-major order.
func (o ActMaxPool) BackwardData(x View, c0 uint32, dz View) []Step {
	o.check(o.Label, x.Block, o.DY.Block)
	var steps []Step
	for _, v := range o.Env.runs(x, o.DY.Slice(c0, c0+x.C()), dz) {
		in, out := v[0].Block, v[1].Block
		rows, links := v[0].Elems()/uint64(in.W), o.Links.View(c0*LinkWords, (c0+v[0].C())*LinkWords)
		steps = append(steps, Step{
			Label: o.Label + "/act_pool_max_bwd", Kernel: &shaders.ActPoolMaxBwd, Args: bind(v[0], links, v[1], v[2]),
			Spec: []uint32{o.R, o.S, o.Stride, o.Pad},
			Push: &shaders.ActPoolMaxBwdPush{Rows: uint32(rows), Link: Planes{links}.Base(links) / LinkWords, N: in.N, H: in.H, W: in.W,
				HOut: out.H, WOut: out.W, X: where(v[0]), DY: where(v[1]), Dz: where(v[2])},
			Groups: rowGroups(rows),
		})
		c0 += v[0].C()
	}
	return steps
}
