package ops

import "sparsevk/shaders"

// A cutting is how a tile or matrix form cuts the work of forward, data gradient or
// gather.
type cutting interface {
	groups(k uint32) [3]uint32 // workgroups for k channels: those over pixels along x and z
	whole() bool               // the pixels of a workgroup follow each other in a plane
	pixels() uint32            // of a workgroup
	taps() uint32
	spec() []uint32
	shared() uint32
	subgroup() uint32 // lanes that it counts on; 0: any
	name() string     // that its kernels begin with
	forward(p shaders.TileFwdPush, acc bool) (*shaders.Kernel, any)
	gather(p shaders.TileGatherPush) (*shaders.Kernel, any)
}

// cut returns how the variant v cuts a task: see tile and matrix.
func (e *Env) cut(v Variant, role Role, g Geometry, x *Block, k uint32) (cutting, bool) {
	if s, ok := e.matrix(v, role, g, x, k); ok {
		return s, true
	}
	s, ok := e.tile(v, role, g, x, k)
	return s, ok
}

// A tiling is how the tile forms (shaders/patch.glsl) cut the work of one variant.
type tiling struct {
	name     Variant
	most     uint32    // channels of a workgroup at most
	pixels   uint32    // of a workgroup
	first    [2]uint32 // channels and pixels that an invocation makes: forward and data gradient
	gather   [2]uint32 // and of a gather, which holds two sums for each
	winograd bool      // half the multiplications, for half as many sums more; windows of 3x3 only
}

// tilings are the variants of forward, data and gather tasks: output channels by
// pixels of a workgroup, from the table that ggml uses (KERNELS.md section 5). Those
// with Winograd's algorithm are there for tuning to try: nobody has measured yet
// where they win over the registers that they take, so no class names them.
var tilings = []tiling{
	{"tile-16x256", 16, 256, [2]uint32{4, 8}, [2]uint32{4, 8}, false},
	{"tile-32x256", 32, 256, [2]uint32{8, 8}, [2]uint32{4, 8}, false},
	{"tile-32x128", 32, 128, [2]uint32{8, 4}, [2]uint32{4, 8}, false},
	{"tile-32x64", 32, 64, [2]uint32{4, 4}, [2]uint32{4, 4}, false},
	{"tile-64x128", 64, 128, [2]uint32{8, 8}, [2]uint32{8, 4}, false},
	{"winograd-16x256", 16, 256, [2]uint32{4, 8}, [2]uint32{4, 8}, true},
	{"winograd-32x256", 32, 256, [2]uint32{8, 8}, [2]uint32{8, 4}, true},
	{"winograd-32x128", 32, 128, [2]uint32{8, 4}, [2]uint32{8, 4}, true},
	{"winograd-32x64", 32, 64, [2]uint32{4, 4}, [2]uint32{4, 4}, true},
}

// tileInputs is the number of input channels that a workgroup takes at a time.
const tileInputs = 4

// A tileShape is a tiling of one convolution or gather.
type tileShape struct {
	tk, tp, gk, gu uint32 // as patch.glsl has them
	ks             uint32
	pool           bool
	h, w           uint32 // of what the pixels are counted in
	rows           uint32 // of the patch
	images         uint32
	winograd       bool
}

// tileable reports whether the tile forms take the window of g.
func (g Geometry) tileable() bool {
	return g.Stride == 1 && g.R == g.S && (g.R == 3 && g.Pad == 1 && !g.Pool || g.R == 1 && g.Pad == 0)
}

// tile returns how the variant v cuts a task with k channels to make over maps of
// the shape of x. It is false for what it does not take: other windows, rows that
// it would leave half empty, odd sizes under a gather that unpools, and workgroups
// beyond the limits of e.
func (e *Env) tile(v Variant, role Role, g Geometry, x *Block, k uint32) (s tileShape, ok bool) {
	for _, t := range tilings {
		if t.name != v || !g.tileable() || t.winograd && g.R != 3 {
			continue
		}
		s = tileShape{ks: g.R, pool: g.Pool, h: x.H, w: x.W, images: x.N, winograd: t.winograd}
		size, pixels := t.first, t.pixels
		if role == GatherRole {
			size = t.gather
		}
		if g.Pool {
			s.h, s.w = x.H/2, x.W/2
			if role == GatherRole { // an invocation holds four pixels of the map for one of dy
				size, pixels = [2]uint32{4, 2}, pixels/4
				ok = x.H%2 == 0 && x.W%2 == 0
			} else {
				ok = role != DataRole
			}
		} else {
			ok = true
		}
		s.tk, s.tp = size[0], size[1]
		s.gk, s.gu = ceilDiv(evenly(k, t.most), s.tk), pixels/s.tp
		s.rows = s.patchRows()
		lanes, shared := e.limits()
		return s, ok && s.h > 0 && s.w > 0 && (s.ks == 1 || s.segments()*s.tp < 2*s.w) && s.lanes() <= lanes && s.shared() <= shared && s.loads() <= 32 && s.lanes() >= tileInputs
	}
	return s, false
}

// limits returns what a workgroup may take: the invocations and the bytes of shared
// memory that the class promises. The classes without tiles promise what SwiftShader
// has, for tuning that names some.
func (e *Env) limits() (lanes, shared uint32) {
	if p := &profiles[e.Class]; p.shared > 0 {
		return p.invocations, p.shared
	}
	return 256, 32 << 10
}

// segments returns the units of a row.
func (s tileShape) segments() uint32 { return ceilDiv(s.w, s.tp) }

// units returns the units of all images.
func (s tileShape) units() uint64 {
	if s.ks == 1 {
		return (s.plane() + uint64(s.tp) - 1) / uint64(s.tp)
	}
	return uint64(s.images) * uint64(s.h) * uint64(s.segments())
}

// plane returns the pixels of a channel.
func (s tileShape) plane() uint64 { return uint64(s.images) * uint64(s.h) * uint64(s.w) }

// groups returns the workgroups for k channels: those over units along x and z.
func (s tileShape) groups(k uint32) [3]uint32 {
	n := uint32((s.units() + uint64(s.gu) - 1) / uint64(s.gu))
	z := ceilDiv(n, MaxGroups)
	return [3]uint32{ceilDiv(n, z), ceilDiv(k, s.gk*s.tk), z}
}

// patchRows returns the most rows that the pixels of a workgroup read, with the
// zeros between images.
func (s tileShape) patchRows() uint32 {
	if s.ks == 1 {
		return 1
	}
	seg := s.segments()
	rows := (seg-gcd(s.gu, seg)+s.gu-1)/seg + 1
	return rows + borders(rows, s.gu%seg == 0, s.h) + 2
}

// borders returns between how many images of height h a run of rows lies at most;
// runs that are aligned begin at multiples of their length.
func borders(rows uint32, aligned bool, h uint32) uint32 {
	step := uint32(1)
	if aligned {
		step = gcd(rows, h)
	}
	return (h - step + rows - 1) / h
}

func gcd(a, b uint32) uint32 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func (s tileShape) lanes() uint32 { return s.gk * s.gu }

// patch returns the elements that the patch has for each input channel.
func (s tileShape) patch() uint32 {
	if s.ks == 1 {
		return s.gu * (s.tp + 1)
	}
	return s.rows*(s.w+1) + 1 + s.tp
}

// loads returns how many of them an invocation loads.
func (s tileShape) loads() uint32 { return ceilDiv(s.patch(), s.lanes()/tileInputs) }

// kept returns the weights that shared memory has for a pair of channels: the taps,
// or six points of each of their rows.
func (s tileShape) kept() uint32 {
	if s.winograd {
		return 6 * s.ks
	}
	return s.ks * s.ks
}

// shared returns the bytes of shared memory of a workgroup.
func (s tileShape) shared() uint32 {
	made := s.gk * s.tk
	floats := max(tileInputs*s.patch(), 2*made*(s.gu+1))
	return 4*((floats+3)&^3) + 16*tileInputs*s.kept()*(made/4+1)
}

// spec returns the specialization constants of patch.glsl.
func (s tileShape) spec() []uint32 {
	return []uint32{s.lanes(), s.tk, s.tp, s.gk, tileInputs, s.ks, flag(s.pool), s.h, s.w, s.rows, flag(s.winograd)}
}

// whole reports whether the pixels of a workgroup follow each other in a plane, so
// that its statistics are those of a tile.
func (s tileShape) whole() bool { return s.ks == 1 || s.w%s.tp == 0 }

func (s tileShape) pixels() uint32   { return s.gu * s.tp }
func (s tileShape) taps() uint32     { return s.ks * s.ks }
func (s tileShape) subgroup() uint32 { return 0 }
func (s tileShape) name() string     { return "tile" }

func (s tileShape) forward(p shaders.TileFwdPush, acc bool) (*shaders.Kernel, any) {
	if acc {
		q := shaders.TileFwdAccPush(p)
		return &shaders.TileFwdAcc, &q
	}
	return &shaders.TileFwd, &p
}

func (s tileShape) gather(p shaders.TileGatherPush) (*shaders.Kernel, any) {
	return &shaders.TileGather, &p
}
