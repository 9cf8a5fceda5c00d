package ops

import "fmt"

// A Reader is one convolution (or head) that reads a map, seen from the map.
type Reader struct {
	Label string
	Geometry
	Act bool
	// GlobalPool marks a head, batch norm - ReLU - global average pooling: DY is
	// then the gradient of the pooled features, Cj planes of N values, and Geometry
	// and W are unused. A head has Act.
	GlobalPool bool
	// Direct marks a reader whose DY is the gradient of the activated map itself, in
	// its shape, as ActMaxPool.BackwardData leaves it. Geometry and W are unused. Such
	// a reader has Act.
	Direct bool
	DY     View   // Kj planes: gradient of the reader's output, in the precision of the map
	W      View   // the reader's master weights [Kj][Cj][R][S]
	Cj     uint32 // input channels of the reader
	C0     uint32 // the map's first channel among the reader's input channels
	Links  *Block // the reader's links (all Cj channels)
	// DGamma and DBeta are the reader's gradients for this map's channels, written.
	// Unused without Act.
	DGamma, DBeta View
}

// Gather computes, for one map x of K planes and all its readers j, in fixed
// order (KERNELS.md section 1):
//
//	D_j      = W_jᵀ · dY_j                          (transposed convolution, unpooled for a transition)
//	G        = Σ_j gamma_j · [z_j > 0] · D_j        over readers with Act
//	plus     = Σ_j D_j                              over readers without
//	dbeta_j  = Σ_p [z_j > 0] · D_j      dgamma_j = Σ_p [z_j > 0] · D_j · xhat
//	m1 = Σ_j gamma_j·dbeta_j / M        m2 = Σ_j gamma_j·dgamma_j / M       M = N·H·W
//	coef = (A, B, K, 0) per plane:  A = istd, B = -istd²·m2, K = istd·(mean·istd·m2 - m1)
//
// so that dx = A·G + B·x + K + plus (Finalise). Readers of one geometry share a
// dispatch; later geometries add to G.
type Gather struct {
	Env     *Env
	Label   string
	X       View
	Readers []Reader
	G       View   // scratch, shape of X, float32, written
	Plus    View   // shape and precision of X, written; the zero View if every reader has Act
	Coef    *Block // 4 words per plane, written
	Stats   View   // StatWords words per plane of X
	// The readers of X may be gathered in turn. Begun says that G and Coef hold what
	// those before have left, to be added to; Open that others follow, for which Coef
	// keeps sums. Readers in one gather or in several, in one order, give one result.
	Begun, Open bool

	batches []*batch   // readers of one geometry each
	partial *Block     // (dbeta, dgamma) of every reader, channel and workgroup
	table   *Block     // entries of the gather, then of the merge
	data    []dataForm // of the readers without Act
}

// source says how the gradient of what a reader reads comes from its DY.
type source uint32

// The sources, as shaders/conv_gather.comp has them.
const (
	fromConv   source = iota // the transposed convolution
	fromHead                 // global average pooling
	fromDirect               // as it is
)

// source returns the reader's.
func (r Reader) source() source {
	switch {
	case r.GlobalPool:
		return fromHead
	case r.Direct:
		return fromDirect
	}
	return fromConv
}

// batch is the readers of one geometry, in order.
type batch struct {
	Geometry
	source
	p, q    uint32
	tile    tile
	groups  [3]uint32 // over all channels; y is that of a run
	entries []entry
	form    Variant
	task    Task        // that the form was chosen for
	quad    *quadGather // of the quad form
	shape   cutting     // of the tile and matrix forms
}

// entry is one reader's part of DY that can be bound: output channels [k0, k0+DY.C()).
type entry struct {
	reader  int
	index   int // in the batch
	dy      View
	k0      uint32
	partial uint32 // pair of sums of channel 0 in the first workgroup
}

const (
	gatherWords = 6 // words of a table entry of conv_gather
	mergeWords  = 8 // and of gather_merge
)

// NewGather completes g: it orders the readers by geometry and creates the
// workspace and the tables. It panics if no reader has Act, or if the shapes do
// not fit each other.
func NewGather(g Gather) *Gather {
	o := &g
	act, pairs, entries := 0, uint32(0), 0
	for i, r := range o.Readers {
		o.check(r)
		if !r.Act {
			continue
		}
		act++
		b := o.batchOf(r)
		views := [][]View{{r.DY}}
		switch r.source() {
		case fromHead:
			views = [][]View{{r.DY.Slice(r.C0, r.C0+o.X.C())}}
		case fromConv:
			views = o.Env.runs(r.DY)
		}
		for k0, dy := range starts(views) {
			b.entries = append(b.entries, entry{i, len(b.entries), dy, k0, pairs})
			pairs += o.X.C() * b.groups[0] * b.groups[2]
			entries++
		}
	}
	if act == 0 {
		panic(fmt.Sprintf("ops: %s: no reader of %v has batch norm", o.Label, o.X))
	}
	for _, b := range o.batches {
		if b.quad != nil {
			b.quad.complete(o, b)
		}
	}
	o.data = make([]dataForm, len(o.Readers))
	o.partial = Vector(o.Label+"/partial", Workspace, 2*int(pairs))
	o.table = o.Env.Tables.Add(o.Label+"/readers", ceil4(len(o.runs())*entries*gatherWords)+act*mergeWords)
	return o
}

// check panics on a reader that does not fit the map.
func (o *Gather) check(r Reader) {
	x, y := o.X.Block, r.DY.Block
	p, q, k := uint32(1), uint32(1), r.Cj
	switch r.source() {
	case fromConv:
		p, q = r.Out(x.H, x.W)
		k = r.DY.C()
	case fromDirect:
		p, q, k = x.H, x.W, o.X.C()
	}
	if y.N != x.N || y.H != p || y.W != q || r.DY.C() != k {
		panic(fmt.Sprintf("ops: %s: reader %s has a gradient %v of %d images of %dx%d, want %d planes of %d of %dx%d", o.Label, r.Label, r.DY, y.N, y.H, y.W, k, x.N, p, q))
	}
	if r.C0+o.X.C() > r.Cj || r.source() == fromConv && r.W.Elems() != uint64(k)*uint64(r.Cj)*uint64(r.taps()) {
		panic(fmt.Sprintf("ops: %s: reader %s has %d weights for channels [%d,%d) of %d and %d outputs", o.Label, r.Label, r.W.Elems(), r.C0, r.C0+o.X.C(), r.Cj, k))
	}
	if r.Act && (r.Links == nil || r.DGamma.C() != o.X.C() || r.DBeta.C() != o.X.C()) {
		panic(fmt.Sprintf("ops: %s: reader %s has gradients of %d gammas and %d betas for %d planes, or no links", o.Label, r.Label, r.DGamma.C(), r.DBeta.C(), o.X.C()))
	}
	if !r.Act && (r.source() != fromConv || o.Plus.Block == nil) {
		panic(fmt.Sprintf("ops: %s: reader %s without batch norm is no convolution, or has no place for its gradient", o.Label, r.Label))
	}
}

// batchOf returns the batch of readers like r.
func (o *Gather) batchOf(r Reader) *batch {
	b := &batch{Geometry: r.Geometry, source: r.source(), p: r.DY.Block.H, q: r.DY.Block.W, form: PlainForm}
	if b.source != fromConv {
		b.Geometry = Geometry{R: 1, S: 1, Stride: 1}
	}
	for _, old := range o.batches {
		if old.Geometry == b.Geometry && old.source == b.source {
			return old
		}
	}
	x := o.X.Block
	b.tile = faceTile(b.Geometry, o.X.C())
	if b.source != fromConv { // no weights, so nothing that more channels would share, and less to compile
		b.tile.kt = 2
	}
	b.groups = b.tile.groups(b.tile.faces(b.Geometry, x.N, x.H, x.W), o.X.C())
	if b.source == fromConv {
		o.choose(b)
	} else if shape, ok := o.Env.quads(b.Geometry, x); ok && o.Env.Class.Quads() && x.H*x.W%4 == 0 {
		b.setQuads(shape, maxTile)
	}
	o.batches = append(o.batches, b)
	return b
}

// choose chooses the form of a batch of convolutions.
func (o *Gather) choose(b *batch) {
	x := o.X.Block
	t := Task{Role: GatherRole, Geometry: b.Geometry, N: x.N, H: x.H, W: x.W, C: o.X.C()}
	for _, r := range o.Readers {
		if r.Act && r.source() == fromConv && r.Geometry == b.Geometry {
			t.K += r.DY.C()
		}
	}
	b.task = t
	shape, quads := o.Env.quads(b.Geometry, x)
	b.form = o.Env.choose(t, func(v Variant) bool {
		_, tiles := o.Env.cut(v, GatherRole, b.Geometry, x, o.X.C())
		return v == QuadForm && quads || tiles
	})
	switch b.form {
	case PlainForm:
	case QuadForm:
		b.setQuads(shape.tile(o.Env, o.X.C(), true))
	default:
		b.shape, _ = o.Env.cut(b.form, GatherRole, b.Geometry, x, o.X.C())
		b.groups = b.shape.groups(o.X.C())
	}
}

// setQuads gives b the quad form.
func (b *batch) setQuads(shape quadShape, outs uint32) {
	b.quad = &quadGather{shape: shape, outs: outs}
	b.groups = [3]uint32{shape.groups(), 1, 1}
}

// runs cuts the map into planes that can be bound.
func (o *Gather) runs() [][]View { return o.Env.runs(o.X, o.G) }

// Steps reads X, Stats and every reader's DY, W and Links, and writes G, Plus,
// Coef and every DGamma and DBeta.
func (o *Gather) Steps() []Step {
	var words []uint32
	steps := o.packSteps()
	c0 := uint32(0)
	for _, run := range o.runs() {
		first := !o.Begun
		for _, b := range o.batches {
			for _, part := range o.parts(len(b.entries), func(i int) []Planes { return o.bound(b, b.entries[i:i+1], c0, run[0]) }) {
				es := b.entries[part[0]:part[1]]
				if b.quad != nil {
					steps = append(steps, b.part(o.quadSteps(b, es, c0, run, first))...)
				} else {
					steps = append(steps, b.part([]Step{o.gatherStep(b, es, c0, run, first, uint32(len(words)))})...)
					words = append(words, o.gatherEntries(b, es, c0, run[0])...)
				}
				first = false
			}
		}
		c0 += run[0].C()
	}
	merge, words := o.mergeSteps(words)
	o.Env.Tables.Set(o.table, words)
	o.setQuadTables()
	return append(append(steps, o.batches[0].part(merge)...), o.plusSteps()...)
}

// part marks steps as of the task of b. What is no convolution has none.
func (b *batch) part(steps []Step) []Step {
	if b.source != fromConv {
		return steps
	}
	return Choice{b.task, b.form}.of(steps)
}

// plusSteps adds the data gradients of the readers without Act up in Plus.
func (o *Gather) plusSteps() []Step {
	var steps []Step
	written := false
	for i, r := range o.Readers {
		if r.Act {
			continue
		}
		if o.data[i] == nil {
			o.data[i] = newData(o.Env, fmt.Sprintf("%s/%d", o.Label, i), r, o.Plus)
		}
		steps = append(steps, o.data[i].steps(o.Env, o.Label, r, o.Plus, written)...)
		written = true
	}
	return steps
}

// parts cuts n things into the fewest consecutive runs [lo, hi) whose bindings
// can each be bound; bound(i) is what thing i binds.
func (o *Gather) parts(n int, bound func(i int) []Planes) [][2]int {
	var out [][2]int
	var all []extent // of the bindings of the last run
	for i := range n {
		one := bound(i)
		if len(out) > 0 && o.Env.joins(all, one) {
			out[len(out)-1][1] = i + 1
		} else {
			out, all = append(out, [2]int{i, i + 1}), make([]extent, len(one))
			for j := range all {
				all[j] = nothing
			}
		}
		for j, p := range one {
			all[j] = all[j].and(p.extent())
		}
	}
	return out
}

// joins reports whether all and what one adds to each can be bound.
func (e *Env) joins(all []extent, one []Planes) bool {
	for j, p := range one {
		if !e.binds(all[j].and(p.extent())) {
			return false
		}
	}
	return true
}
