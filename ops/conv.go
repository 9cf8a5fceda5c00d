package ops

import "fmt"

// Link words: what a reader knows of one input channel. The links of a reader
// are 8 words per channel, in concat order; plain convolutions have mean 0,
// istd 1, gamma 1, beta 0 and no activation.
const (
	LinkPlane = iota // uint: first element of the channel's plane, from the start of the binding that holds it
	LinkMean         // float: batch (or running) mean of the plane
	LinkIstd         // float: 1/sqrt(variance + epsilon)
	LinkGamma        // float: this reader's scale
	LinkBeta         // float: this reader's shift
	_                // three words of padding: two vec4 texels per channel
	_
	_
	LinkWords // words per channel
)

// Geometry is the window of a convolution.
type Geometry struct {
	R, S   uint32 // kernel height and width
	Stride uint32
	Pad    uint32 // zeros around the *activated* input
	Pool   bool   // average the activated input 2x2 (stride 2) before a 1x1 convolution: a transition, pooled first
}

// Out returns the output height and width for an input of h by w pixels. It
// panics if the window does not fit.
func (g Geometry) Out(h, w uint32) (p, q uint32) {
	if g.Pool {
		h, w = h/2, w/2
	}
	if g.R == 0 || g.S == 0 || g.Stride == 0 || h+2*g.Pad < g.R || w+2*g.Pad < g.S {
		panic(fmt.Sprintf("ops: conv: window of %d by %d, stride %d, padding %d over %d by %d pixels", g.R, g.S, g.Stride, g.Pad, h, w))
	}
	return (h+2*g.Pad-g.R)/g.Stride + 1, (w+2*g.Pad-g.S)/g.Stride + 1
}

// taps returns the weights per pair of channels.
func (g Geometry) taps() uint32 { return g.R * g.S }

// Conv computes y[k] = b[k] + Σ_{c,r,s} w[k,c,r,s] · z[c, p·stride+r-pad, q·stride+s-pad]
// where z is x itself or, with Act, z[c] = max(gamma[c]·(x[c]-mean[c])·istd[c] + beta[c], 0),
// applied while loading. Outside the image z is 0.
//
// X is a list of views, read in place in concat order. Where X spans more than
// Env.Range bytes, it is read in several dispatches that accumulate into Y.
type Conv struct {
	Env   *Env
	Label string
	Geometry
	Act   bool
	X     Planes // C planes in all, each N·H·W
	Links *Block // C·LinkWords words, filled by a Links step (Act) or from a table (plain)
	W     View   // master weights [K][C][R][S], K·C·R·S planes of one element
	B     View   // bias, K elements; the zero View: none
	Y     View   // K planes, each N·P·Q
	DY    View   // gradient of Y; in the arena engine it lies where Y lay
	DW    View   // gradient of W, written (not accumulated)
	DB    View   // gradient of B, written; the zero View: none

	// Measure asks Forward to leave the statistics of Y too. The forms that can do
	// so leave them in Tiles, [K][tiles] pairs (mean, M2) of Tile elements each, as
	// Stats wants them; Tiles stays nil in those that cannot.
	Measure bool
	Tiles   *Block
	Tile    uint32

	partial *Block // sums of the weight gradient per split; nil if there is one split
	split   splits
	forms   struct{ forward, weights Variant }
	quad    *quadConv  // of the quad form of Forward
	wgrad   quadWgrad  // of the quad form of BackwardWeights
	tiles   weightForm // of the tile and matrix forms of BackwardWeights
	noTiles *Block     // of the tile and matrix forms of Forward
	data    dataForm   // chosen when the data gradient is first asked for
}

// NewConv completes a convolution: it creates the workspace of the weight
// gradient and, without Act, the table of links. It panics if the shapes do not
// fit each other.
func NewConv(c Conv) *Conv {
	o := &c
	o.check()
	if !o.Act && o.Links == nil {
		o.Links = o.Env.Tables.Add(o.Label+"/links", int(o.C())*LinkWords)
	}
	o.choose()
	if o.split.n > 1 {
		o.partial = Vector(o.Label+"/partial", Workspace, int(o.split.n)*int(o.splitStride()))
	}
	return o
}

// check panics on shapes that disagree.
func (o *Conv) check() {
	x, y := o.X[0].Block, o.Y.Block
	for _, v := range o.X {
		if b := v.Block; b.N != x.N || b.H != x.H || b.W != x.W {
			panic(fmt.Sprintf("ops: %s: reads %v of %d images of %dx%d with %v of %d of %dx%d", o.Label, o.X[0], x.N, x.H, x.W, v, b.N, b.H, b.W))
		}
	}
	if p, q := o.Out(x.H, x.W); y.N != x.N || y.H != p || y.W != q {
		panic(fmt.Sprintf("ops: %s: output %v of %d images of %dx%d, want %d of %dx%d", o.Label, o.Y, y.N, y.H, y.W, x.N, p, q))
	}
	if n := o.W.Elems(); n != uint64(o.weights()) {
		panic(fmt.Sprintf("ops: %s: %d weights for %d outputs, %d inputs and a window of %dx%d", o.Label, n, o.K(), o.C(), o.R, o.S))
	}
	if o.Act && o.Links == nil {
		panic(fmt.Sprintf("ops: %s: activates its input, but has no links", o.Label))
	}
	if b := o.B; b.Block != nil && b.C() != o.K() {
		panic(fmt.Sprintf("ops: %s: bias of %d values for %d outputs", o.Label, b.C(), o.K()))
	}
}

// Part marks steps as of o's task of a role, forward or weights: what one variant
// needs and another does not, as statistics of an output are, counts with it.
func (o *Conv) Part(r Role, steps []Step) []Step {
	v := o.forms.forward
	if r == WeightsRole {
		v = o.forms.weights
	}
	return Choice{o.task(r), v}.of(steps)
}

// task returns what o's kernels of a role do.
func (o *Conv) task(r Role) Task {
	x := o.X[0].Block
	return Task{Role: r, Geometry: o.Geometry, N: x.N, H: x.H, W: x.W, C: o.C(), K: o.K()}
}

// choose chooses the forms of o and completes them.
func (o *Conv) choose() {
	shape, quads := o.Env.quads(o.Geometry, o.X[0].Block)
	quads = quads && o.B.Block == nil && o.DB.Block == nil
	bias := o.B.Block != nil || o.DB.Block != nil
	o.forms.forward = o.Env.choose(o.task(ForwardRole), func(v Variant) bool {
		_, tiles := o.Env.cut(v, ForwardRole, o.Geometry, o.X[0].Block, o.K())
		return v == QuadForm && quads || tiles && !bias
	})
	switch o.forms.forward {
	case PlainForm:
	case QuadForm:
		o.quad = newQuadConv(o, shape)
		o.measure()
	default:
		tile, _ := o.Env.cut(o.forms.forward, ForwardRole, o.Geometry, o.X[0].Block, o.K())
		o.noTiles = noTiles(o.Label)
		o.measureTiles(tile)
	}
	o.split = o.splits()
	if o.DW.Block == nil { // nothing is trained
		return
	}
	o.forms.weights = o.Env.choose(o.task(WeightsRole), func(v Variant) bool {
		_, tiles := o.weightForm(v)
		return v == QuadForm && quads || tiles && !bias
	})
	switch o.forms.weights {
	case PlainForm:
	case QuadForm:
		o.wgrad = newQuadWgrad(o)
		o.split = splits{n: o.wgrad.splits}
	default:
		o.tiles, _ = o.weightForm(o.forms.weights)
		o.split = splits{n: o.tiles.count()}
	}
}

// weights returns the number of weights, K·C·R·S.
func (o *Conv) weights() uint32 { return o.K() * o.C() * o.taps() }

// setLinks fills the constant table of a convolution without Act.
func (o *Conv) setLinks() {
	if o.Act {
		return
	}
	o.Env.Tables.Set(o.Links, plainLinks(o.Env, o.X))
}

// C returns the number of input channels.
func (o *Conv) C() uint32 { return o.X.C() }

// K returns the number of output channels.
func (o *Conv) K() uint32 { return o.Y.C() }

// Statistics of a plane: StatWords words.
const (
	StatMean  = iota
	StatVar   // biased: divided by M = N·H·W
	StatIstd  // 1/sqrt(var + epsilon)
	StatCount // float: M
	StatWords
)
