package ops

import "sparsevk/shaders"

// A packJob is weights that quad_pack copies: those of inputs channels to outputs
// channels. The steps in and out are in elements of w.
type packJob struct {
	w               View
	in, out         uint32
	inputs, outputs uint32
	flip            bool // turn 3x3 taps round, for data gradients
}

const packWords = 8 // words of a job in the table of quad_pack

// quadPack is weights in the order of the quad kernels. They are packed anew in
// every training step, since the update writes the master weights only.
type quadPack struct {
	label string
	shape quadShape
	outs  uint32 // channels that an invocation makes
	jobs  []packJob
	first []uint32 // texel where each job begins, and one more: where the last ends
	dst   *Block
	table *Block
}

// newQuadPack returns room for the packed weights of inputs channels in at most
// jobs jobs, each for invocations that make outs channels.
func newQuadPack(e *Env, label string, s quadShape, outs, inputs uint32, jobs int) *quadPack {
	p := &quadPack{label: label, shape: s, outs: outs}
	rows := inputs
	if s.point { // a job may leave a part of its last row empty
		rows = min(inputs, ceilDiv(inputs, 4)+uint32(jobs))
	}
	p.dst = Vector(label+"/packed", Other, 4*int(rows*p.row()))
	p.table = e.Tables.Add(label+"/pack", packWords*jobs)
	return p
}

// row returns the texels of one input channel, or of four with point: in whole
// fetches of a subgroup.
func (p *quadPack) row() uint32 {
	lanes := p.shape.lanes
	if p.shape.point {
		return ceilDiv(p.outs, lanes) * lanes
	}
	return ceilDiv(3*p.outs, lanes) * lanes
}

// pack sets the jobs, in the order in which they lie.
func (p *quadPack) pack(jobs []packJob) {
	p.jobs, p.first = jobs, []uint32{0}
	for i, j := range jobs {
		rows := j.inputs
		if p.shape.point {
			rows = ceilDiv(rows, 4)
		}
		p.first = append(p.first, p.first[i]+rows*p.row())
	}
}

// view returns the packed weights of jobs [lo, hi).
func (p *quadPack) view(lo, hi int) View { return p.dst.View(4*p.first[lo], 4*p.first[hi]) }

// steps reads the master weights and writes the packed ones: one dispatch for as
// many jobs as can be bound together.
func (p *quadPack) steps(e *Env) []Step {
	var steps []Step
	var words []uint32
	for lo := 0; lo < len(p.jobs); {
		hi, w, all := lo, Planes(nil), nothing
		for hi < len(p.jobs) && (hi == lo || e.binds(all.with(p.jobs[hi].w))) {
			w, all = append(w, p.jobs[hi].w), all.with(p.jobs[hi].w)
			hi++
		}
		steps = append(steps, p.step(lo, hi, w))
		words = append(words, p.words(lo, hi, w)...)
		lo = hi
	}
	e.Tables.Set(p.table, words)
	return steps
}

func (p *quadPack) step(lo, hi int, w Planes) Step {
	table, most := Planes{p.table.View(uint32(lo)*packWords, uint32(hi)*packWords)}, uint32(0)
	for i := lo; i < hi; i++ {
		most = max(most, p.first[i+1]-p.first[i])
	}
	return Step{
		Label: p.label + "/quad_pack", Kernel: &shaders.QuadPack, Spec: []uint32{flag(p.shape.point)},
		Args:   []Planes{table, w, {p.view(lo, hi)}},
		Push:   &shaders.QuadPackPush{Table: table.Base(table[0])},
		Groups: [3]uint32{ceilDiv(most, 4*tileLanes), uint32(hi - lo), 1},
	}
}

// words returns the table of a step; shaders/quad_pack.comp names its words.
func (p *quadPack) words(lo, hi int, w Planes) []uint32 {
	var words []uint32
	dst, bases := Planes{p.view(lo, hi)}, w.Bases()
	for i, j := range p.jobs[lo:hi] {
		words = append(words, bases[i], j.in, j.out, j.inputs, j.outputs, p.row(), flag(j.flip),
			dst.Base(p.view(lo+i, lo+i+1))/4)
	}
	return words
}
