package ops

import "sparsevk/shaders"

// ActPool averages every image of every activated input plane:
//
//	y[c,n] = Σ_p max(gamma[c]·(x[c,n,p]-mean[c])·istd[c] + beta[c], 0) / (H·W)
//
// It is the head of a network up to its linear layer. X is read in place over a
// list of views, with the reader's Links; Y has C planes of N values. The
// gradient of x is gathered by its map (Reader.GlobalPool).
type ActPool struct {
	Env   *Env
	Label string
	X     Planes
	Links *Block // C·LinkWords words
	Y     View
}

// Forward reads X and Links and writes Y.
func (o ActPool) Forward() []Step {
	var steps []Step
	c := uint32(0)
	for _, x := range o.Env.split(o.X) {
		b := x[0].Block
		n := uint64(x.C()) * uint64(b.N)
		y := Planes{o.Y.Slice(c, c+x.C())}
		whole := push(y, y[0])
		whole.Base -= c * whole.Plane // the kernel counts channels from the first of the links; wraps around to the same place
		steps = append(steps, Step{
			Label: o.Label + "/act_pool", Kernel: &shaders.ActPool, Args: []Planes{x, {o.Links.All()}, y},
			Push:   &shaders.ActPoolPush{CLo: c, CHi: c + x.C(), Images: b.N, Area: b.H * b.W, Y: whole},
			Groups: Groups1D(n, 64),
		})
		c += x.C()
	}
	return steps
}
