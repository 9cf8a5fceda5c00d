package ops

import "sparsevk/shaders"

// A weightTiling is how the tile form of the weight gradient may cut the work.
type weightTiling struct {
	name          Variant
	lanes, shared uint32 // invocations and bytes of shared memory of a workgroup at most
}

// weightTilings are the variants of weight gradients: by what a workgroup takes.
var weightTilings = []weightTiling{
	{"tile-16k", 128, 16 << 10},
	{"tile-32k", 256, 32 << 10},
}

// A weightForm is a tile or matrix form of a weight gradient, cut for a convolution.
type weightForm interface {
	// step returns the gradients between input channels x, from c0 on, and output
	// channels dy, from k0 on.
	step(o *Conv, x Planes, c0 uint32, dy View, k0 uint32, dst View) Step
	count() uint32 // splits
}

// cuts is how the steps of a weight gradient are cut into splits.
type cuts struct{ steps, splits uint32 } // steps of a split; splits

func (c cuts) count() uint32 { return c.splits }

// weightForm returns how the variant v cuts the weight gradient of o.
func (o *Conv) weightForm(v Variant) (weightForm, bool) {
	if q, ok := o.matrixWgrad(v); ok {
		return &q, true
	}
	q, ok := o.tileWgrad(v)
	return &q, ok
}

// tileWgrad is the tile form of a weight gradient (shaders/tile_wgrad.comp).
type tileWgrad struct {
	tk, tc, gk, gc uint32
	ks             uint32
	pool           bool
	h, w           uint32 // of dy
	pixels, rows   uint32 // of a step
	cuts
}

const (
	tileWgradPixels = 128  // of a step at most
	tileWgradTerms  = 4096 // pixels that an invocation adds in a row at most, for accuracy, if there may be so many splits
)

// tileWgrad returns how the variant v cuts the weight gradient of o. It is false for
// what it does not take: other windows, rows that are too long for its memory.
func (o *Conv) tileWgrad(v Variant) (q tileWgrad, ok bool) {
	for _, t := range weightTilings {
		lanes, shared := o.Env.limits()
		if t.name != v || !o.tileable() || t.lanes > lanes || t.shared > shared {
			continue
		}
		y := o.Y.Block
		q = tileWgrad{tk: 4, tc: 4, ks: o.R, pool: o.Pool, h: y.H, w: y.W}
		most := uint32(32)
		if q.ks == 1 {
			q.tk, most = 8, 64
		}
		q.gk = ceilDiv(evenly(o.K(), most), q.tk)
		for q.gc = min(t.lanes/(q.gk*q.ks), ceilDiv(o.C(), q.tc)); q.gc > 0; q.gc-- {
			q.gc = ceilDiv(evenly(o.C(), q.gc*q.tc), q.tc)
			if q.fit(t.shared) {
				q.cuts = o.cuts(o.Y.Block.Plane(), q.pixels, q.gc*q.tc, q.gk*q.tk)
				return q, true
			}
		}
	}
	return q, false
}

// fit finds the most pixels of a step that a workgroup has memory for. Of rows with
// the zeros around them two are wanted, unless only one group of inputs is left.
func (q *tileWgrad) fit(bytes uint32) bool {
	if q.ks == 1 {
		q.pixels, q.rows = tileWgradPixels, 1
		for q.pixels > 0 && q.shared() > bytes {
			q.pixels -= 4
		}
		return q.pixels > 0
	}
	for rows := max(1, tileWgradPixels/q.w); rows > 0; rows-- {
		q.pixels, q.rows = rows*q.w, rows+borders(rows, true, q.h)+2
		if q.shared() <= bytes {
			return rows > 1 || q.gc == 1 || q.h == 1
		}
	}
	return false
}

// cuts cuts the work of workgroups that make k output by c input channels, in steps of
// so many of all pixels, by the extents only.
func (o *Conv) cuts(plane uint64, pixels, c, k uint32) (q cuts) {
	steps := (plane + uint64(pixels) - 1) / uint64(pixels)
	base := uint64(ceilDiv(o.C(), c)) * uint64(ceilDiv(o.K(), k))
	room := min(wgradPartial, o.Env.Range-Align) / (4 * uint64(o.weights()))
	n := max((wgradGroups+base-1)/base, plane/tileWgradTerms)
	n = max(1, min(n, steps, room, wgradSplits))
	q.steps = uint32((steps + n - 1) / n)
	q.splits = uint32((steps + uint64(q.steps) - 1) / uint64(q.steps))
	return q
}

// shared returns the bytes of shared memory of a workgroup.
func (q *tileWgrad) shared() uint32 {
	patch := q.pixels
	if q.ks == 3 {
		patch = q.rows*(q.w+1) + 1
	}
	bk, bc := q.gk*q.tk, q.gc*q.tc
	return 16 * (q.pixels*(bk/4+1) + patch*(bc/4+1) + 2*bc)
}

// atOnce returns the pixels that are unrolled: they divide a row.
func (q *tileWgrad) atOnce() uint32 {
	if q.ks == 3 {
		return gcd(4, q.w)
	}
	return gcd(4, q.pixels)
}

func (q *tileWgrad) step(o *Conv, x Planes, c0 uint32, dy View, k0 uint32, dst View) Step {
	push := o.wgradPush(x, c0, dy, k0, dst, q.steps)
	s := o.wgradStep("/tile_wgrad", x, dy, dst)
	s.Kernel, s.Push, s.Shared = &shaders.TileWgrad, &push, q.shared()
	s.Spec = []uint32{q.gk * q.gc * q.ks, q.tk, q.tc, q.gk, q.gc, q.ks, flag(q.pool), q.h, q.w, q.pixels, q.rows, q.atOnce(), flag(o.Act)}
	s.Groups = [3]uint32{ceilDiv(x.C(), q.gc*q.tc), ceilDiv(dy.C(), q.gk*q.tk), q.splits}
	return s
}

// wgradPush returns the push constants of a step of a weightForm.
func (o *Conv) wgradPush(x Planes, c0 uint32, dy View, k0 uint32, dst View, steps uint32) shaders.TileWgradPush {
	dyp, dw, links, row, in := Planes{dy}, Planes{dst}, Planes{o.Links.All()}, o.C()*o.taps(), x[0].Block
	return shaders.TileWgradPush{DY: push(dyp, dy), K: dy.C(), C: x.C(), Link: links.Base(links[0])/LinkWords + c0, Steps: steps,
		Row: row, Dst: dw.Base(dst) + k0*row + c0*o.taps(), Split: o.weights(), N: in.N, H: in.H, W: in.W}
}

// wgradStep returns what the steps of all weightForms have.
func (o *Conv) wgradStep(name string, x Planes, dy, dst View) Step {
	return Step{
		Label: o.Label + name, Form: o.forms.weights, Args: []Planes{x, {o.Links.All()}, {dy}, {dst}},
		MACs: dy.Elems() * uint64(x.C()) * uint64(o.taps()),
	}
}
