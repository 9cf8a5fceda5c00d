package ops

import "sparsevk/shaders"

// tile is the register tile of an invocation: channels by rows by columns, and
// how many rows of taps it takes at a time (shaders/tile.glsl).
type tile struct{ kt, py, px, ru uint32 }

// maxTile is the largest number of channels of a tile.
const maxTile = 12

// evenly returns how many channels each block of at most limit takes.
func evenly(channels, limit uint32) uint32 { return ceilDiv(channels, ceilDiv(channels, limit)) }

func ceilDiv(a, b uint32) uint32 { return (a + b - 1) / b }

// rowsAtOnce returns how many rows of taps are unrolled: all of a small window.
func (g Geometry) rowsAtOnce() uint32 {
	if g.R <= 3 {
		return g.R
	}
	return 1
}

// forwardTile is the tile for k channels of h by w pixels: 96 sums at most, so
// that they stay in the registers of any GPU.
func forwardTile(g Geometry, k, h, w uint32) tile {
	return tile{evenly(k, maxTile), min(2, h), min(4, w), g.rowsAtOnce()}
}

// count returns the tiles of n images of h by w pixels.
func (t tile) count(n, h, w uint32) uint64 {
	return uint64(n) * uint64(ceilDiv(h, t.py)) * uint64(ceilDiv(w, t.px))
}

// spec returns the specialization constants of tile.glsl.
func (t tile) spec(g Geometry) []uint32 {
	return []uint32{t.kt, t.py, t.px, g.R, g.S, g.Stride, g.Pad, t.ru, flag(g.Pool)}
}

// tileLanes is the workgroup size of the kernels of the convolution family.
const tileLanes = 64

// groups returns the workgroups for count tiles, over x and then z, and k
// channels, over y.
func (t tile) groups(count uint64, k uint32) [3]uint32 {
	n := uint32((count + tileLanes - 1) / tileLanes)
	z := ceilDiv(n, MaxGroups)
	return [3]uint32{ceilDiv(n, z), ceilDiv(k, t.kt), z}
}

// Forward reads X, Links, W and B and writes Y, and Tiles if there are any.
func (o *Conv) Forward() []Step {
	o.setLinks()
	if o.quad != nil {
		return o.quadForward()
	}
	var steps []Step
	k0 := uint32(0)
	for _, run := range o.Env.runs(o.Y) {
		c0 := uint32(0)
		for _, x := range o.X.Split(o.Env.Range) {
			steps = append(steps, o.forward(x, c0, run[0], k0))
			c0 += x.C()
		}
		k0 += run[0].C()
	}
	return steps
}

// forward returns the step that takes input channels x, from c0 on, to output
// channels y, from k0 on.
func (o *Conv) forward(x Planes, c0 uint32, y View, k0 uint32) Step {
	in, out, k := x[0].Block, y.Block, y.C()
	t := forwardTile(o.Geometry, k, out.H, out.W)
	row := o.C() * o.taps()
	w, args := Planes{o.W.Slice(k0*row, (k0+k)*row)}, Planes{y}
	b, bias := Planes{o.W.Slice(0, 1)}, o.B.Block != nil && c0 == 0
	if bias {
		b = Planes{o.B.Slice(k0, k0+k)}
	}
	kernel, push := &shaders.ConvFwd, shaders.ConvFwdPush{
		Y: push(args, y), K: k, CLo: c0, CHi: c0 + x.C(), C: o.C(), WBase: w.Base(w[0]), BBase: b.Base(b[0]),
		N: in.N, H: in.H, W: in.W, P: out.H, Q: out.W,
	}
	s := Step{
		Label: o.Label + "/conv_fwd", Kernel: kernel, Spec: append(t.spec(o.Geometry), flag(o.Act), flag(bias)),
		Args: []Planes{x, {o.Links.All()}, w, b, args}, Push: &push,
		Groups: t.groups(t.count(out.N, out.H, out.W), k),
		MACs:   out.Plane() * uint64(k) * uint64(x.C()) * uint64(o.taps()),
	}
	if c0 > 0 {
		acc := shaders.ConvFwdAccPush(push)
		s.Kernel, s.Push = &shaders.ConvFwdAcc, &acc
	}
	return s
}
