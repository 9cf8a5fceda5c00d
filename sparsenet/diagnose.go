package sparsenet

import (
	"encoding/binary"
	"errors"
	"iter"
	"math"

	"sparsevk/ops"
	"sparsevk/ops/record"
	"sparsevk/shaders"
)

// Diagnose looks for the first value that is NaN or infinite in the training step
// that h describes, on the batch that lane k was fed; the lane must not be in
// flight. It looks at the parameters, then runs the step again up to the gradients,
// one dispatch after the other, and at the feature maps, statistics, gradients and
// the loss that each has written. Partial results of a reduction are seen in what
// they come to.
//
// It takes no memory on the device, and as long as reading everything back does.
// Parameters, optimizer state, accumulated gradients, running statistics, logits
// and gradients stay as they were, to the bit.
func (m *Model) Diagnose(k int, h Hyper) (Finding, error) {
	s := &m.lanes[k]
	switch {
	case m.Train == nil:
		return Finding{}, errors.New("sparsenet: a network for inference has no training step to diagnose")
	case m.averaged:
		return Finding{}, errors.New("sparsenet: the averages are in the parameters' place: call UseAverage(false) before Diagnose")
	case s.flight != nil:
		return Finding{}, errors.New("sparsenet: a lane is diagnosed before Wait")
	}
	for _, p := range m.Graph.Params.Trained {
		if f, err := m.scan(m.regions.weight(p.Name)); err != nil || f.Found() {
			f.Tensor = "parameter " + p.Name
			return f, err
		}
	}
	if m.Floats {
		if f, err := m.scan(m.input.All()); err != nil || f.Found() {
			f.Tensor = "normalised images"
			return f, err
		}
	}
	s.setState(h, true)
	return m.diagnose(k, h)
}

// A diagnosis runs a training step by single dispatches.
type diagnosis struct {
	*Model
	lane *Lane
	seen map[*ops.Block]bool // blocks that were cleared when they were first written
}

// diagnose runs the step again, and gives back what it wrote to.
func (m *Model) diagnose(k int, h Hyper) (f Finding, err error) {
	restore, err := m.keepWritten()
	if err != nil {
		return Finding{}, err
	}
	defer func() { err = errors.Join(err, restore()) }()
	d := diagnosis{m, &m.lanes[k], map[*ops.Block]bool{}}
	for _, p := range m.Train.parts {
		for _, step := range m.onLane(diagnosed(p), k) {
			if f, err = d.run(&step); err != nil || f.Found() {
				f.Phase = p.phase
				return f, err
			}
		}
	}
	if h.Parts > 1 { // the norm is not of this batch alone
		return Finding{}, nil
	}
	return m.norm()
}

// diagnosed returns the steps of p that Diagnose runs: all up to the gradients of
// the batch.
func diagnosed(p part) (steps []ops.Step) {
	if p.phase == Update {
		return nil
	}
	for _, s := range p.steps() {
		if s.Kernel != &shaders.Accumulate {
			steps = append(steps, s)
		}
	}
	return steps
}

// keepWritten copies what lives on after a step and is written by it, parameters
// and optimizer state excepted, which Diagnose does not reach. It returns what puts
// it back.
func (m *Model) keepWritten() (restore func() error, err error) {
	kept := map[*ops.Block][]byte{}
	for _, p := range m.Train.parts {
		for _, s := range diagnosed(p) {
			for _, u := range s.Uses() {
				b := u.View.Block
				if u.Access&shaders.Write == 0 || !b.Keep || b.Host() || kept[b] != nil {
					continue
				}
				if kept[b], err = m.mem.DownloadBytes(b.All()); err != nil {
					return nil, err
				}
			}
		}
	}
	return func() error {
		var errs []error
		for b, bytes := range kept {
			errs = append(errs, m.mem.UploadBytes(b.All(), bytes))
		}
		return errors.Join(errs...)
	}, nil
}

// run runs one dispatch and looks at what it has written.
func (d *diagnosis) run(s *ops.Step) (f Finding, err error) {
	if err := d.clear(s); err != nil {
		return f, err
	}
	r, err := record.New(d.Device, d.mem, []ops.Step{*s}, record.Options{})
	if err != nil {
		return f, err
	}
	if err := errors.Join(r.Run(), r.Close()); err != nil {
		return f, err
	}
	for _, v := range written(s) {
		if f, err = d.scan(v); err != nil || f.Found() {
			f.Step, f.Tensor = s.Label, d.tensor(s, v)
			return f, err
		}
	}
	if s.Kernel == &shaders.SoftmaxReduce {
		word := func(i int) uint32 { return binary.LittleEndian.Uint32(d.lane.results[4*i:]) }
		f = Finding{Step: s.Label, Tensor: "loss", Of: 1}
		f.count(0, math.Float32frombits(word(ops.ResultLoss)))
	}
	return f, nil
}

// written returns what s writes of maps, statistics and gradients. Of the running
// statistics NaN is no reason: training does not read them.
func written(s *ops.Step) (views []ops.View) {
	for _, u := range s.Uses() {
		if u.Access&shaders.Write == 0 {
			continue
		}
		switch u.View.Block.Purpose {
		case ops.Map, ops.Scratch, ops.Gradient:
			views = append(views, u.View)
		case ops.Other:
			if s.Kernel == &shaders.StatsMerge && u.Access == shaders.Write {
				views = append(views, u.View)
			}
		}
	}
	return views
}

// clear zeroes a block before it is written for the first time: what lay there
// before must not be taken for a result.
func (d *diagnosis) clear(s *ops.Step) error {
	for _, v := range written(s) {
		b := v.Block
		if d.seen[b] {
			continue
		}
		d.seen[b] = true
		for p := range pieces(b.All()) {
			lo, hi := p.Bytes()
			if err := d.mem.UploadBytes(p, make([]byte, hi-lo)); err != nil {
				return err
			}
		}
	}
	return nil
}

// tensor names what v, which s has written, holds.
func (d *diagnosis) tensor(s *ops.Step, v ops.View) string {
	switch b := v.Block; b.Purpose {
	case ops.Gradient:
		for _, p := range d.Graph.Params.Trained {
			if g := d.regions.grad(p.Name); g.Block == b && v.Lo >= g.Lo && v.Lo < g.Hi {
				return "gradient of " + p.Name
			}
		}
		return "gradients " + b.Name
	case ops.Other:
		return "statistics of its map"
	case ops.Scratch:
		return "scratch " + b.Name
	default:
		if b == d.input {
			return "normalised images"
		}
		return "map " + b.Name
	}
}

// norm looks at the sum of squares of gradients that are all finite.
func (m *Model) norm() (Finding, error) {
	sum := 0.0
	for _, b := range m.regions.grads {
		for p := range pieces(b.All()) {
			g, err := m.mem.DownloadFloats(p)
			if err != nil {
				return Finding{}, err
			}
			for _, x := range g {
				sum += float64(x) * float64(x)
			}
		}
	}
	f := Finding{Phase: Update, Step: "gradient/norm_tile", Tensor: "sum of the gradient's squares", Of: 1}
	f.count(0, float32(sum))
	if !f.Found() {
		return Finding{}, nil
	}
	return f, nil
}

// scan counts the values of v that are not finite.
func (m *Model) scan(v ops.View) (Finding, error) {
	f, at := Finding{Of: v.Elems()}, uint64(0)
	for p := range pieces(v) {
		x, err := m.mem.DownloadFloats(p)
		if err != nil {
			return Finding{}, err
		}
		for i := range x {
			f.count(at+uint64(i), x[i])
		}
		at += p.Elems()
	}
	return f, nil
}

// pieceBytes is about as much as is copied between host and device at a time.
const pieceBytes = 16 << 20

// pieces cuts v into consecutive views, of pieceBytes or of one plane.
func pieces(v ops.View) iter.Seq[ops.View] {
	planes := uint32(max(1, pieceBytes/max(1, v.Block.PlaneBytes())))
	return func(yield func(ops.View) bool) {
		for lo := uint32(0); lo < v.C(); lo += planes {
			if !yield(v.Slice(lo, min(lo+planes, v.C()))) {
				return
			}
		}
	}
}
