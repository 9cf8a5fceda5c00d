package ops

import "sparsevk/shaders"

// measureTiles makes the block for the statistics of the tile form, if they are
// wanted and if workgroups make whole tiles.
func (o *Conv) measureTiles(s cutting) {
	if g := s.groups(o.K()); o.Measure && s.whole() {
		o.Tiles = &Block{Name: o.Label + "/tiles", Purpose: Workspace, C: o.K(), N: 1, H: g[0] * g[2], W: 2}
		o.Tile = s.pixels()
	}
}

// tileStep is one dispatch of a tile or matrix form: input channels x to the channels of y.
type tileStep struct {
	shape  cutting
	form   Variant
	x      Planes
	links  *Block
	link   uint32 // index of the first link of x
	w      View   // weights from the first of x to the first of y on
	out    uint32 // elements from those of an output channel to the next
	in     uint32 // and of an input channel
	turned bool   // a data gradient
	y      View
	act    bool
	acc    bool
	tiles  View // where to leave the statistics, a pair for each workgroup
	leave  bool // false: tiles is bound, for something must be, and not written
}

// noTiles returns what the tile form binds where it leaves no statistics.
func noTiles(label string) *Block { return Vector(label+"/no_tiles", Workspace, 2) }

func (t tileStep) step(label string) Step {
	s, x, y := t.shape, t.x[0].Block, t.y
	w, links, tiles := Planes{t.w}, Planes{t.links.All()}, Planes{t.tiles}
	kernel, push := s.forward(shaders.TileFwdPush{
		Y: push(Planes{y}, y), K: y.C(), C: t.x.C(), Link: links.Base(links[0])/LinkWords + t.link, WBase: w.Base(t.w), WOut: t.out, WIn: t.in,
		N: x.N, H: x.H, W: x.W, Tiles: tiles.Base(t.tiles) / 2,
	}, t.acc)
	return Step{
		Label: label, Kernel: kernel, Form: t.form, Push: push, Args: []Planes{t.x, links, w, {y}, tiles},
		Spec: append(s.spec(), flag(t.act), flag(t.leave), flag(t.turned)), Shared: s.shared(), Lanes: s.subgroup(), Groups: s.groups(y.C()),
		MACs: y.Elems() * uint64(t.x.C()) * uint64(s.taps()),
	}
}

// tileForward, of the tile and matrix forms, reads X, Links and W and writes Y and, if
// it measures, Tiles.
func (o *Conv) tileForward() []Step {
	shape, _ := o.Env.cut(o.forms.forward, ForwardRole, o.Geometry, o.X[0].Block, o.K())
	row, taps, segments := o.C()*o.taps(), o.taps(), o.Env.split(o.X)
	var steps []Step
	for k0, y := range starts(o.Env.runs(o.Y)) {
		c0, k1 := uint32(0), k0+y.C()
		for i, x := range segments {
			s := tileStep{shape: shape, form: o.forms.forward, x: x, links: o.Links, link: c0, w: o.W.Slice(k0*row+c0*taps, (k1-1)*row+(c0+x.C())*taps),
				out: row, in: taps, y: y, act: o.Act, acc: i > 0, tiles: o.noTiles.All()}
			if o.Tiles != nil && i == len(segments)-1 {
				s.tiles, s.leave = o.Tiles.View(k0, k1), true
			}
			steps = append(steps, s.step(o.Label+"/"+shape.name()+"_fwd"))
			c0 += x.C()
		}
	}
	return steps
}

// tileData is a tile or matrix form of a data gradient: a convolution of dy with the
// weights turned round.
type tileData struct {
	form    Variant
	shape   cutting
	links   *Block
	noTiles *Block
}

// steps reads dy and writes dx, or with acc adds to it.
func (d *tileData) steps(e *Env, label string, r Reader, dx View, acc bool) []Step {
	dy := Planes{r.DY}
	e.Tables.Set(d.links, plainLinks(e, dy))
	var steps []Step
	for c0, run := range starts(e.runs(dx)) {
		k0 := uint32(0)
		for i, seg := range e.split(dy) {
			w, row := r.weightsOf(k0, seg.C(), r.C0+c0, run.C())
			s := tileStep{shape: d.shape, form: d.form, x: seg, links: d.links, link: k0, w: w, out: r.taps(), in: row, turned: true, y: run, acc: acc || i > 0, tiles: d.noTiles.All()}
			steps = append(steps, s.step(label+"/"+d.shape.name()+"_bwd_data"))
			k0 += seg.C()
		}
	}
	return steps
}
