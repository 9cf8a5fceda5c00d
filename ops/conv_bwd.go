package ops

import "sparsevk/shaders"

// faceTile is the tile for c channels of a map that a convolution with g reads.
// For a pooled reader its rows and columns are pooled pixels, so that it covers
// the same 2 by 4 pixels of the map.
func faceTile(g Geometry, c uint32) tile {
	t := tileOf(c)
	if g.Pool {
		t.py, t.px = t.py/2, t.px/2
	}
	return t
}

// faces returns the tiles of n images of h by w pixels of a map; with Pool a
// tile covers twice its rows and columns.
func (t tile) faces(g Geometry, n, h, w uint32) uint64 {
	if g.Pool {
		h, w = ceilDiv(h, 2), ceilDiv(w, 2)
	}
	return t.count(n, h, w)
}

// dataMACs returns the multiply-accumulates of a data gradient from k output
// channels to c channels of a map: it visits every pixel of the map, or with
// Pool of the output, even where a stride leaves holes.
func (g Geometry) dataMACs(x, dy *Block, c, k uint32) uint64 {
	plane := x.Plane()
	if g.Pool {
		plane = dy.Plane()
	}
	return plane * uint64(c) * uint64(k) * uint64(g.taps())
}

// BackwardData returns the steps of a plain convolution's data gradient: they
// read DY and W and write dx, C planes of the shape of X; with acc they add to it.
func (o *Conv) BackwardData(dx View, acc bool) []Step {
	r := Reader{Label: o.Label, Geometry: o.Geometry, DY: o.DY, W: o.W, Cj: o.C()}
	if o.data == nil {
		o.data = newData(o.Env, o.Label, r, dx)
	}
	return o.data.steps(o.Env, o.Label, r, dx, acc)
}

// dataSteps returns the steps that write, or add, the data gradient of r to dx,
// which are the reader's channels from C0 on.
func dataSteps(e *Env, label string, r Reader, dx View, acc bool) []Step {
	var steps []Step
	for c0, c := range starts(e.runs(dx)) {
		for k0, dy := range starts(e.runs(r.DY)) {
			steps = append(steps, dataStep(label, r, c, r.C0+c0, dy, k0, acc || k0 > 0))
		}
	}
	return steps
}

// starts yields the single views of runs with the number of planes before each.
func starts(runs [][]View) func(yield func(uint32, View) bool) {
	return func(yield func(uint32, View) bool) {
		at := uint32(0)
		for _, run := range runs {
			if !yield(at, run[0]) {
				return
			}
			at += run[0].C()
		}
	}
}

// weightsOf returns the weights of r that output channels [k0, k0+k) apply to
// input channels [c, c+n), as one range, and their rows' distance.
func (r Reader) weightsOf(k0, k, c, n uint32) (w View, row uint32) {
	row = r.Cj * r.taps()
	return r.W.Slice(k0*row+c*r.taps(), (k0+k-1)*row+(c+n)*r.taps()), row
}

// dataStep returns one dispatch of dataSteps: dx are the reader's channels from
// c0 on, dy its output channels from k0 on.
func dataStep(label string, r Reader, dx View, c0 uint32, dy View, k0 uint32, acc bool) Step {
	x, out := dx.Block, dy.Block
	weights, row := r.weightsOf(k0, dy.C(), c0, dx.C())
	t := faceTile(r.Geometry, dx.C())
	dyp, w, dxp := Planes{dy}, Planes{weights}, Planes{dx}
	push := shaders.ConvBwdDataPush{
		DX: push(dxp, dx), C: dx.C(), DYBase: dyp.Base(dy), K: dy.C(), WBase: w.Base(weights), WRow: row,
		N: x.N, H: x.H, W: x.W, P: out.H, Q: out.W,
	}
	s := Step{
		Label: label + "/conv_bwd_data", Kernel: &shaders.ConvBwdData, Spec: t.spec(r.Geometry),
		Args: []Planes{dyp, w, dxp}, Push: &push,
		Groups: t.groups(t.faces(r.Geometry, x.N, x.H, x.W), dx.C()),
		MACs:   r.dataMACs(x, out, dx.C(), dy.C()),
	}
	if acc {
		a := shaders.ConvBwdDataAccPush(push)
		s.Kernel, s.Push = &shaders.ConvBwdDataAcc, &a
	}
	return s
}
