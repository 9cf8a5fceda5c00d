package ops

import (
	"fmt"

	"sparsevk/shaders"
)

// Links gathers, for a reader with batch norm, what it knows of each of its
// input channels: where the plane lies, its mean and 1/deviation, and the
// reader's own gamma and beta (LinkWords words per channel).
type Links struct {
	Env         *Env
	Label       string
	X           Planes // the reader's input, in concat order
	Stats       Planes // for each view of X its statistics, StatWords words per plane
	Gamma, Beta View   // C values each
	Out         *Block // C·LinkWords words, written

	table *Block
}

// NewLinks completes l: it creates its table and, if Out is nil, its block of
// links. It panics if the shapes do not fit each other.
func NewLinks(l Links) *Links {
	o, c := &l, l.X.C()
	if o.Out == nil {
		o.Out = Vector(o.Label+"/links", Other, int(c)*LinkWords)
	}
	if len(o.Stats) != len(o.X) || o.Gamma.C() != c || o.Beta.C() != c || o.Out.All().Elems() != uint64(c)*LinkWords {
		panic(fmt.Sprintf("ops: %s: %d views and %d channels with %d statistics, %d gammas, %d betas and %d words of links",
			o.Label, len(o.X), c, len(o.Stats), o.Gamma.C(), o.Beta.C(), o.Out.All().Elems()))
	}
	for i, v := range o.X {
		if s := o.Stats[i]; s.Elems() != StatWords*uint64(v.C()) {
			panic(fmt.Sprintf("ops: %s: statistics %v of %d words for %v of %d planes", o.Label, s, s.Elems(), v, v.C()))
		}
	}
	o.table = o.Env.Tables.Add(o.Label+"/links_table", 2*int(c))
	return o
}

// Steps reads Stats, Gamma and Beta and writes Out.
func (o *Links) Steps() []Step {
	c := o.X.C()
	words := make([]uint32, 0, 2*c)
	planes, stats := linkPlanes(o.Env, o.X), o.Stats.Bases()
	for i, v := range o.X {
		for j := range v.C() {
			words = append(words, planes[len(words)/2], stats[i]+j*StatWords)
		}
	}
	o.Env.Tables.Set(o.table, words)
	gamma, beta := Planes{o.Gamma}, Planes{o.Beta}
	return []Step{{
		Label: o.Label + "/links", Kernel: &shaders.Links,
		Args:   []Planes{{o.table.All()}, o.Stats, gamma, beta, {o.Out.All()}},
		Push:   &shaders.LinksPush{C: c, Gamma: gamma.Base(o.Gamma), Beta: beta.Base(o.Beta)},
		Groups: Groups1D(uint64(c), 64),
	}}
}

// linkPlanes returns, for each channel of x, the first element of its plane from
// the start of the binding that holds it when x is bound in segments of e.Range.
func linkPlanes(e *Env, x Planes) []uint32 {
	var out []uint32
	for _, seg := range e.split(x) {
		bases := seg.Bases()
		for i, v := range seg {
			base, plane := bases[i], uint32(v.Block.Plane())
			for c := range v.C() {
				out = append(out, base+c*plane)
			}
		}
	}
	return out
}
