package ops

import "slices"

// packsBytes is how many bytes of packed weights lie ahead of the steps that read
// them at most.
const packsBytes = 2 << 20

// Packs packs the weights of many ops before any of them runs, in a dispatch or two:
// those of small networks take longer to start than to run. Weights beyond
// packsBytes are packed by the ops themselves, so that large networks need no
// memory for it.
type Packs struct {
	label string
	packs []*quadPack
	bytes uint64
	table *[2]*Block // by kind of window
}

// NewPacks returns packs whose steps bear a label.
func NewPacks(label string) *Packs { return &Packs{label: label} }

// Before returns the steps that body returns and before them what packs weights for
// them. The parameters must not change between.
func (c *Packs) Before(e *Env, body func() []Step) []Step {
	c.packs, c.bytes, e.packs = nil, 0, c
	steps := body()
	e.packs = nil
	return append(c.steps(e), steps...)
}

// take reports whether c packs p; if so, p need not.
func (c *Packs) take(p *quadPack) bool {
	if slices.Contains(c.packs, p) {
		return true
	}
	if c.bytes+p.dst.Bytes() > packsBytes {
		return false
	}
	c.packs, c.bytes = append(c.packs, p), c.bytes+p.dst.Bytes()
	return true
}

func (c *Packs) steps(e *Env) []Step {
	var kinds [2][]placedJob
	room := 0
	for _, p := range c.packs {
		kind := &kinds[flag(p.shape.point)]
		*kind = p.placed(*kind)
		room += int(p.table.All().Elems()) // all jobs that p may have, wherever its blocks come to lie
	}
	if room == 0 {
		return nil
	}
	if c.table == nil {
		c.table = &[2]*Block{e.Tables.Add(c.label+"/pack", room), e.Tables.Add(c.label+"/pack_points", room)}
	}
	var steps []Step
	for kind, jobs := range kinds {
		if len(jobs) > 0 {
			steps = append(steps, packSteps(e, c.label, c.table[kind], jobs)...)
		}
	}
	return steps
}
