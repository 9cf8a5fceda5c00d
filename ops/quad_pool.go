package ops

import "sparsevk/shaders"

// What a transition stages at once at most: no more than the gradients of a few
// maps, which lie in the same scratch memory at other times, and a share of a
// range, so that small ranges cut what is staged, too.
const (
	quadStageBytes = 6 << 20
	quadStageShare = 16
)

// quadStage is where the quad form of a transition puts its input, activated and
// pooled 2x2, as many channels at a time as have room: pooling costs more than the
// products of the few outputs that an invocation makes of it.
type quadStage struct {
	z     *Block // the channels
	links *Block // of a convolution that reads them as they are
}

// newQuadStage returns the stage of o, or nil if o does not pool.
func newQuadStage(o *Conv, label string) *quadStage {
	if !o.Pool {
		return nil
	}
	b := o.Y.Block
	room := min(quadStageBytes, o.Env.Range/quadStageShare) / (4 * b.Plane())
	c := min(o.C(), uint32(max(4, room&^3)))
	return &quadStage{
		z:     &Block{Name: o.Label + label, Purpose: Scratch, C: c, N: b.N, H: b.H, W: b.W},
		links: o.Env.Tables.Add(o.Label+label+"_links", int(c)*LinkWords),
	}
}

// A quadPart is some input channels of a convolution, as the quad kernels read them.
type quadPart struct {
	before []Step // stages them
	holds  Planes // what those of other parts read
	x      Planes
	c0     uint32 // the first of them
	links  *Block
	link   uint32 // the first of their links
	act    bool   // whether batch norm and ReLU are still to be applied
}

// quadParts returns the input of o in the order in which it is read, by way of
// stage if there is one.
func (o *Conv) quadParts(stage *quadStage) []quadPart {
	var parts []quadPart
	c0 := uint32(0)
	for _, seg := range o.Env.split(o.X) {
		if stage == nil {
			parts = append(parts, quadPart{x: seg, c0: c0, links: o.Links, link: c0, act: o.Act})
			c0 += seg.C()
			continue
		}
		o.Env.Tables.Set(stage.links, plainLinks(o.Env, Planes{stage.z.All()}))
		for _, x := range seg.cut(stage.z.C) {
			z := stage.z.View(0, x.C())
			parts = append(parts, quadPart{before: []Step{o.quadPoolStep(seg, x, c0, z)}, holds: o.X, x: Planes{z}, c0: c0, links: stage.links})
			c0 += x.C()
		}
	}
	return parts
}

// cut cuts p into consecutive groups of n planes, the last of which may have fewer.
func (p Planes) cut(n uint32) []Planes {
	var out []Planes
	room := uint32(0)
	for _, v := range p {
		for v.C() > 0 {
			if room == 0 {
				out, room = append(out, nil), n
			}
			k := min(room, v.C())
			last := &out[len(out)-1]
			*last = append(*last, v.Slice(0, k))
			v, room = v.Slice(k, v.C()), room-k
		}
	}
	return out
}

// quadPoolStep stages the channels x, a part of segment seg and c0 on, in z.
func (o *Conv) quadPoolStep(seg, x Planes, c0 uint32, z View) Step {
	const quads = 4 // of an invocation
	links, zs, units := Planes{o.Links.All()}, Planes{z}, z.Block.Plane()/4
	from, _ := seg.Range()
	at, _ := x.Range()
	lanes := o.Env.Class.lanes()
	share := uint64(quads * lanes)
	return Step{
		Label: o.Label + "/quad_pool", Kernel: &shaders.QuadPool,
		Spec: []uint32{lanes, 1, quads, 1, flag(units%share != 0), flag(o.Act)}, // it makes no outputs, but there are no arrays of 0
		Args: []Planes{x, links, zs},
		Push: &shaders.QuadPoolPush{Quads: uint32(units), Row: z.Block.W / 4, Link: (links.Base(links[0]) + c0*LinkWords) / 4,
			Skip: uint32((at - from) / 16), Z: push(zs, z)},
		Groups: [3]uint32{uint32((units + share - 1) / share), x.C(), 1},
	}
}
