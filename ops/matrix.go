package ops

import "sparsevk/shaders"

// A Matrix is a product of cooperative matrices of float16 with float32 sums, M by K
// and K by N, that a device has instructions for. The zero value: it has none.
type Matrix struct {
	M     uint32 `json:"m"`
	N     uint32 `json:"n"`
	K     uint32 `json:"k"`
	Lanes uint32 `json:"lanes"` // of the subgroups that the matrices are spread over
	// Emulated has kernels do ordinary arithmetic in the place of such instructions: for
	// tests, of any product on any device that has float16.
	Emulated bool `json:"-"`
}

// Usable reports whether the matrix forms can be made of m.
func (m Matrix) Usable() bool {
	run := func(n uint32) bool { return n == 8 || n == 16 }
	return run(m.M) && run(m.N) && run(m.K) && m.Lanes > 0 && matrixLanes%m.Lanes == 0 && m.M*m.N%m.Lanes == 0
}

// subgroup returns the subgroup size that kernels count on: emulation on none.
func (m Matrix) subgroup() uint32 {
	if m.Emulated {
		return 0
	}
	return m.Lanes
}

// A matrixTiling is how the matrix forms (shaders/matrix_patch.glsl) cut the work of
// one variant. What workgroups leave to be merged depends on the tiling, not
// on what the device multiplies at a time, where the tiling fits.
type matrixTiling struct {
	name   Variant
	most   uint32 // channels of a workgroup at most
	pixels uint32 // positions of a workgroup
	lanes  uint32 // invocations
	pad    uint32 // halves between rows of a matrix; none where shared memory is short
}

// matrixTilings are the variants of forward, data and gather tasks.
var matrixTilings = []matrixTiling{
	{"matrix-16x256", 16, 256, 256, 8},
	{"matrix-32x128", 32, 128, 128, 8},
	{"matrix-32x256", 32, 256, 256, 0},
	{"matrix-64x128", 64, 128, 256, 8},
}

const (
	matrixLanes  = 128 // every tiling has a multiple of them
	matrixInputs = 16  // input channels that a workgroup takes at a time
	matrixRun    = 16  // pixels that lie in one row, unless a row is no multiple of them
)

// A window is where the matrix forms find their pixels (shaders/matrix.glsl).
type window struct {
	Matrix
	size, inputs, pad uint32 // invocations; input channels at a time; halves between rows
	positions         uint32 // of a workgroup or a step
	ks                uint32
	pool              bool
	h, w, images      uint32 // of what the pixels are counted in
}

// window returns that of a geometry over maps of the shape of x.
func (e *Env) window(g Geometry, x *Block, size, inputs, pad, positions uint32) window {
	s := window{Matrix: e.Matrix, size: size, inputs: inputs, pad: pad, positions: positions, ks: g.R, pool: g.Pool, h: x.H, w: x.W, images: x.N}
	if g.Pool {
		s.h, s.w = x.H/2, x.W/2
	}
	return s
}

// flat reports whether positions are places among pixels and zeros.
func (s window) flat() bool { return s.ks == 3 && s.w%matrixRun != 0 }

// patch returns the elements that the patch has for each input channel.
func (s window) patch() uint32 {
	switch {
	case s.ks == 1:
		return s.positions
	case s.flat():
		return s.positions + 2*(s.w+1) + 2
	}
	runs, row := s.positions/matrixRun, s.w/matrixRun
	rows := (row-gcd(runs, row)+runs-1)/row + 1
	return (rows+borders(rows, runs%row == 0, s.h)+2)*(s.w+1) + 1
}

// all returns the positions of all images.
func (s window) all() uint64 {
	if s.flat() {
		return (uint64(s.images)*uint64(s.h+1) - 1) * uint64(s.w+1)
	}
	return uint64(s.images) * uint64(s.h) * uint64(s.w)
}

// bytes returns the shared memory of the patch.
func (s window) bytes() uint32 { return 2 * s.patch() * (s.inputs + s.pad) }

func (s window) spec() []uint32 {
	return []uint32{s.size, s.Lanes, s.M, s.N, s.K, s.inputs, s.pad, s.ks, flag(s.pool), s.h, s.w, s.patch(), flag(s.flat())}
}

// multiplies reports whether the matrix forms take g over x: maps of float16, which
// they need not round, on a device that has such products.
func (e *Env) multiplies(g Geometry, x *Block) bool {
	return e.Matrix.Usable() && x.Precision == FP16 && g.tileable() && (!g.Pool || x.H > 1 && x.W > 1)
}

// A matrixShape is a matrixTiling of one convolution or gather.
type matrixShape struct {
	window
	runs uint32 // of M positions of a subgroup
	made uint32 // runs of N channels
}

// matrix returns how the variant v cuts a task, as tile does.
func (e *Env) matrix(v Variant, role Role, g Geometry, x *Block, k uint32) (s matrixShape, ok bool) {
	for _, t := range matrixTilings {
		if t.name != v || !e.multiplies(g, x) || g.Pool && role == DataRole {
			continue
		}
		if g.Pool && role == GatherRole { // an invocation holds four pixels of the map for one of dy
			t.pixels /= 4
			ok = x.H%2 == 0 && x.W%2 == 0
		} else {
			ok = true
		}
		size := min(t.lanes, t.pixels/e.Matrix.M*e.Matrix.Lanes)
		s.window = e.window(g, x, size, matrixInputs, t.pad, t.pixels)
		s.runs = t.pixels / (size / s.Lanes * s.M)
		s.made = ceilDiv(evenly(k, t.most), s.N)
		lanes, shared := e.limits()
		return s, ok && size <= lanes && s.shared() <= shared && s.loads() <= 32
	}
	return s, false
}

// loads returns how many elements of the patch an invocation loads, of two channels.
func (s matrixShape) loads() uint32 { return ceilDiv(s.patch(), 2*s.size/s.inputs) }

// units returns the units of a part (shaders/matrix_patch.glsl).
func (s matrixShape) units() uint32 { return s.size / s.N }

func (s matrixShape) shared() uint32 {
	made := s.made * s.N
	stage := max(s.N*(s.size/s.Lanes*s.M+4), 2*made*(s.units()+1))
	return s.bytes() + 2*s.ks*s.ks*s.inputs*(made+s.pad) + 4*stage
}

func (s matrixShape) spec() []uint32 { return append(s.window.spec(), s.runs, s.made) }

// groups returns the workgroups for k channels: those over positions along x and z.
func (s matrixShape) groups(k uint32) [3]uint32 {
	n := uint32((s.all() + uint64(s.positions) - 1) / uint64(s.positions))
	z := ceilDiv(n, MaxGroups)
	return [3]uint32{ceilDiv(n, z), ceilDiv(k, s.made*s.N), z}
}

func (s matrixShape) whole() bool    { return !s.flat() }
func (s matrixShape) pixels() uint32 { return s.positions }
func (s matrixShape) taps() uint32   { return s.ks * s.ks }
func (s matrixShape) name() string   { return "matrix" }

func (s matrixShape) forward(p shaders.TileFwdPush, acc bool) (*shaders.Kernel, any) {
	if s.Emulated {
		return s.emulated(p, acc)
	}
	if acc {
		q := shaders.MatrixFwdAccPush(p)
		return &shaders.MatrixFwdAcc, &q
	}
	q := shaders.MatrixFwdPush(p)
	return &shaders.MatrixFwd, &q
}

func (s matrixShape) emulated(p shaders.TileFwdPush, acc bool) (*shaders.Kernel, any) {
	if acc {
		q := shaders.MatrixFwdAccEmulatedPush(p)
		return &shaders.MatrixFwdAccEmulated, &q
	}
	q := shaders.MatrixFwdEmulatedPush(p)
	return &shaders.MatrixFwdEmulated, &q
}

func (s matrixShape) gather(p shaders.TileGatherPush) (*shaders.Kernel, any) {
	if s.Emulated {
		q := shaders.MatrixGatherEmulatedPush(p)
		return &shaders.MatrixGatherEmulated, &q
	}
	q := shaders.MatrixGatherPush(p)
	return &shaders.MatrixGather, &q
}
