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

// steps reads the master weights and writes the packed ones, unless the packs of e
// do it. The table is filled anyway: the steps of one op may be run by themselves.
func (p *quadPack) steps(e *Env) []Step {
	own := packSteps(e, p.label, p.table, p.placed(nil))
	if e.packs != nil && e.packs.take(p) {
		return nil
	}
	return own
}

// A placedJob is job i of a pack.
type placedJob struct {
	*quadPack
	i int
}

// placed appends the jobs of p to list.
func (p *quadPack) placed(list []placedJob) []placedJob {
	for i := range p.jobs {
		list = append(list, placedJob{p, i})
	}
	return list
}

func (j placedJob) weights() View { return j.jobs[j.i].w }
func (j placedJob) packed() View  { return j.view(j.i, j.i+1) }

// packSteps does jobs, all of one kind of window, by way of a table: one dispatch for
// as many as can be bound together.
func packSteps(e *Env, label string, table *Block, jobs []placedJob) []Step {
	var steps []Step
	var words []uint32
	for lo := 0; lo < len(jobs); {
		hi, w, dst := lo, nothing, nothing
		for hi < len(jobs) && (hi == lo || e.binds(w.with(jobs[hi].weights())) && e.binds(dst.with(jobs[hi].packed()))) {
			w, dst = w.with(jobs[hi].weights()), dst.with(jobs[hi].packed())
			hi++
		}
		steps = append(steps, packStep(label, table.View(uint32(lo)*packWords, uint32(hi)*packWords), jobs[lo:hi]))
		words = append(words, packTable(jobs[lo:hi])...)
		lo = hi
	}
	e.Tables.Set(table, words)
	return steps
}

// packBound returns what a dispatch of jobs reads and writes.
func packBound(jobs []placedJob) (w, dst Planes) {
	for _, j := range jobs {
		w, dst = append(w, j.weights()), append(dst, j.packed())
	}
	return w, dst
}

func packStep(label string, words View, jobs []placedJob) Step {
	table, most := Planes{words}, uint32(0)
	w, dst := packBound(jobs)
	for _, j := range jobs {
		most = max(most, j.first[j.i+1]-j.first[j.i])
	}
	return Step{
		Label: label + "/quad_pack", Kernel: &shaders.QuadPack, Spec: []uint32{flag(jobs[0].shape.point)},
		Args:   []Planes{table, w, dst},
		Push:   &shaders.QuadPackPush{Table: table.Base(table[0]) / 4},
		Groups: [3]uint32{ceilDiv(most, 4*tileLanes), uint32(len(jobs)), 1},
	}
}

// packTable returns the table of a step; shaders/quad_pack.comp names its words.
func packTable(jobs []placedJob) []uint32 {
	var words []uint32
	w, dst := packBound(jobs)
	from, to := w.Bases(), dst.Bases()
	for k, j := range jobs {
		q := j.jobs[j.i]
		words = append(words, from[k], q.in, q.out, q.inputs, q.outputs, j.row(), flag(q.flip), to[k]/4)
	}
	return words
}
