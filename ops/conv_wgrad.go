package ops

import "sparsevk/shaders"

// splits says how a weight gradient is cut: the tile of a workgroup (kt output
// channels, ct input channels, rt rows of taps, strips of px pixels), and the
// strips of all images into n parts of per strips.
type splits struct {
	kt, ct, rt, px uint32
	n, per         uint32
}

const (
	wgradSums    = 48      // sums of an invocation, as near as the window allows
	wgradGroups  = 512     // workgroups wanted
	wgradStrips  = 4       // strips that an invocation takes at least
	wgradTerms   = 256     // products that it adds in a row at most, for accuracy, if there may be so many splits
	wgradSplits  = 64      // splits at most
	wgradPartial = 4 << 20 // bytes of partial sums at most
	wgradShared  = 63      // sums of an invocation at most, so that those of 64 fit into 16 KiB of shared memory
)

// splits depends on the extents only, so that a plan is the same everywhere.
func (o *Conv) splits() splits {
	s := splits{rt: o.R, px: 4}
	if o.R > 3 {
		s.rt = 1
	} else if o.Stride > 1 { // a strip reads more of a row: fewer pixels, or the registers of old AMD chips do not do
		s.px = 2
	}
	s.kt = min(tileChannels(o.K()), max(1, wgradShared/(s.rt*o.S)))
	s.ct = min(8, max(1, wgradSums/(s.kt*s.rt*o.S)))
	if o.Pool { // four loads per value: the loop would take long to compile
		s.ct = min(4, s.ct)
	}
	y := o.Y.Block
	strips := uint64(y.N) * uint64(y.H) * uint64(ceilDiv(y.W, s.px))
	g := s.groups(o, o.C(), o.K())
	room := min(wgradPartial, o.Env.Range-Align) / (4 * uint64(o.weights()))
	want := max(uint64(ceilDiv(wgradGroups, g[0]*g[1])), strips*uint64(s.px)/(wgradTerms*tileLanes))
	n := min(want, strips/(wgradStrips*tileLanes), room, wgradSplits)
	n = max(n, 1)
	s.per = uint32((strips + n - 1) / n)
	s.n = uint32((strips + uint64(s.per) - 1) / uint64(s.per))
	return s
}

// groups returns the workgroups for c input and k output channels.
func (s splits) groups(o *Conv, c, k uint32) [3]uint32 {
	return [3]uint32{ceilDiv(c, s.ct) * (o.R / s.rt), ceilDiv(k, s.kt), s.n}
}

// BackwardWeights reads X, Links and DY and writes DW, and DB if there is one.
func (o *Conv) BackwardWeights() []Step {
	o.setLinks()
	dst := o.DW
	if o.partial != nil {
		dst = o.partial.All()
	}
	var steps []Step
	switch o.forms.weights {
	case PlainForm:
		steps = o.weightSteps(dst, o.weightStep)
	case QuadForm:
		steps = o.quadWeights(dst)
	default:
		steps = o.weightSteps(dst, o.formStep)
	}
	if o.partial != nil {
		steps = append(steps, o.reduceStep())
	}
	return append(o.Part(WeightsRole, steps), o.biasSteps()...)
}

// weightSteps returns a step of the weight gradient for every part of X and of DY that can be bound.
func (o *Conv) weightSteps(dst View, step func(x Planes, c0 uint32, dy View, k0 uint32, dst View) Step) []Step {
	var steps []Step
	for k0, dy := range starts(o.Env.runs(o.DY)) {
		c0 := uint32(0)
		for _, x := range o.Env.split(o.X) {
			steps = append(steps, step(x, c0, dy, k0, dst))
			c0 += x.C()
		}
	}
	return steps
}

// formStep is the step of a tile or matrix form.
func (o *Conv) formStep(x Planes, c0 uint32, dy View, k0 uint32, dst View) Step {
	return o.tiles.step(o, x, c0, dy, k0, dst)
}

// weightStep returns the gradients between input channels x, from c0 on, and
// output channels dy, from k0 on.
func (o *Conv) weightStep(x Planes, c0 uint32, dy View, k0 uint32, dst View) Step {
	in, out, s := x[0].Block, dy.Block, o.split
	dyp, dw := Planes{dy}, Planes{dst}
	return Step{
		Label: o.Label + "/conv_bwd_weights", Kernel: &shaders.ConvBwdWeights,
		Spec: []uint32{s.kt, s.ct, s.rt, s.px, o.R, o.S, o.Stride, o.Pad, flag(o.Pool), flag(o.Act)},
		Args: []Planes{x, {o.Links.All()}, dyp, dw},
		Push: &shaders.ConvBwdWeightsPush{
			DYBase: dyp.Base(dy), K: dy.C(), CLo: c0, CHi: c0 + x.C(), C: o.C(),
			Dst: dw.Base(dst) + k0*o.C()*o.taps(), Split: o.weights(), Strips: s.per,
			N: in.N, H: in.H, W: in.W, P: out.H, Q: out.W,
		},
		Groups: s.groups(o, x.C(), dy.C()),
		MACs:   out.Plane() * uint64(dy.C()) * uint64(x.C()) * uint64(o.taps()),
	}
}

// splitStride returns the elements from a split's sums to the next one's: in the quad
// form whole texels.
func (o *Conv) splitStride() uint32 {
	if o.forms.weights == QuadForm {
		return uint32(ceil4(int(o.weights())))
	}
	return o.weights()
}

// reduceStep adds the splits.
func (o *Conv) reduceStep() Step {
	partial, dw := Planes{o.partial.All()}, Planes{o.DW}
	if o.forms.weights == QuadForm {
		lanes, stride := o.Env.Class.lanes(), o.splitStride()/4
		return Step{
			Label: o.Label + "/quad_reduce", Kernel: &shaders.QuadReduce, Args: []Planes{partial, dw}, Spec: []uint32{lanes},
			Push:   &shaders.QuadReducePush{N: o.weights(), Splits: o.split.n, Partial: partial.Base(partial[0]) / 4, Stride: stride, DW: push(dw, o.DW)},
			Groups: [3]uint32{ceilDiv(stride, lanes), 1, 1},
		}
	}
	return Step{
		Label: o.Label + "/conv_reduce", Kernel: &shaders.ConvReduce, Args: []Planes{partial, dw},
		Push: &shaders.ConvReducePush{
			N: o.weights(), Splits: o.split.n, Partial: partial.Base(partial[0]), DW: push(dw, o.DW),
		},
		Groups: Groups1D(uint64(o.weights()), tileLanes),
	}
}

// biasSteps sums the planes of DY.
func (o *Conv) biasSteps() []Step {
	if o.DB.Block == nil {
		return nil
	}
	var steps []Step
	for k0, dy := range starts(o.Env.runs(o.DY)) {
		view := o.DB.Slice(k0, k0+dy.C())
		dyp, db := Planes{dy}, Planes{view}
		steps = append(steps, Step{
			Label: o.Label + "/conv_bwd_bias", Kernel: &shaders.ConvBwdBias, Args: []Planes{dyp, db},
			Push:   &shaders.ConvBwdBiasPush{DY: push(dyp, dy), DB: push(db, view)},
			Groups: [3]uint32{dy.C(), 1, 1},
		})
	}
	return steps
}
