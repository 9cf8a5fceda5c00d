package ops

import "sparsevk/shaders"

// tile is the register tile of an invocation: channels by rows by columns of sums
// (shaders/tile.glsl).
type tile struct{ kt, py, px uint32 }

// plainTile is the largest number of channels of a tile of the plain forms.
const plainTile = 6

// tileChannels returns the channels of a tile for k of them: an even number.
func tileChannels(k uint32) uint32 { return (evenly(k, plainTile) + 1) &^ 1 }

// evenly returns how many channels each block of at most limit takes.
func evenly(channels, limit uint32) uint32 { return ceilDiv(channels, ceilDiv(channels, limit)) }

func ceilDiv(a, b uint32) uint32 { return (a + b - 1) / b }

// tileOf returns the tile for k channels: 48 sums at most. Larger tiles use a load
// more often and are no faster on software drivers, which spill the sums and take
// seconds to compile them; few different tiles mean few pipelines.
func tileOf(k uint32) tile {
	return tile{tileChannels(k), 2, 4}
}

// count returns the tiles of n images of h by w pixels.
func (t tile) count(n, h, w uint32) uint64 {
	return uint64(n) * uint64(ceilDiv(h, t.py)) * uint64(ceilDiv(w, t.px))
}

// spec returns the specialization constants of tile.glsl.
func (t tile) spec(g Geometry) []uint32 {
	return []uint32{t.kt, t.py, t.px, g.R, g.S, g.Stride, g.Pad, flag(g.Pool)}
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
	switch o.forms.forward {
	case PlainForm:
		return o.Part(ForwardRole, o.plainForward())
	case QuadForm:
		return o.Part(ForwardRole, o.quadForward())
	}
	return o.Part(ForwardRole, o.tileForward())
}

func (o *Conv) plainForward() []Step {
	var steps []Step
	k0 := uint32(0)
	for _, run := range o.Env.runs(o.Y) {
		c0 := uint32(0)
		for _, x := range o.Env.split(o.X) {
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
	t := tileOf(k)
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
