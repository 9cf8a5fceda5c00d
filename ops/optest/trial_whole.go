package optest

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"sparsevk/gpu"
	"sparsevk/ops"
	"sparsevk/ops/record"
)

// A wholeOp is a task in one variant at the task's own shape, with what it reads
// and writes. All readers have mean 0, istd 1, gamma 1 and beta 0, so that every
// form makes the same of an input to the bit, and knows the same masks.
type wholeOp struct {
	env   *ops.Env
	steps func() []ops.Step
	in    []wholeInput
	out   []ops.View
}

// A wholeInput is random, or has a pattern of words that it repeats.
type wholeInput struct {
	view    ops.View
	pattern []float32 // nil: random
	factor  bool      // of the terms: magnitudes are made of its absolute value
}

// misfits reports whether o has no form v of a role.
func (o *wholeOp) misfits(r ops.Role, v ops.Variant) bool {
	o.steps()
	for _, c := range o.env.Choices() {
		if c.Role == r && c.Variant == v {
			return false
		}
	}
	return true
}

// build returns the op in variant v over a share of the images, at least one.
func (t *Trial) build(v ops.Variant, share uint32) *wholeOp {
	task := t.Task
	task.N = max(1, task.N/share)
	o := &wholeOp{env: forced(classOf(t.Class, ops.DefaultRange), v)}
	o.env.Matrix = t.Matrix
	if t.Role == ops.GatherRole {
		t.gather(o, task)
	} else {
		t.conv(o, task)
	}
	return o
}

// random adds an input to o; factors are those that products are made of.
func (o *wholeOp) random(v ops.View, factor bool) ops.View {
	o.in = append(o.in, wholeInput{view: v, factor: factor})
	return v
}

func (o *wholeOp) constant(v ops.View, pattern ...float32) ops.View {
	o.in = append(o.in, wholeInput{view: v, pattern: pattern})
	return v
}

// conv completes o for a forward, data or weights task.
func (t *Trial) conv(o *wholeOp, task ops.Task) {
	s := convShape{n: int(task.N), c: int(task.C), h: int(task.H), w: int(task.W)}
	views, blocks := s.views(t.Views && task.C > 2)
	for _, b := range blocks {
		b.Precision = t.Precision
		o.random(b.All(), !t.Act)
	}
	p, q := task.Out(task.H, task.W)
	y, dy := t.maps("y", task.K, task.N, p, q), t.maps("dy", task.K, task.N, p, q)
	w := vector("w", int(task.K*task.C*task.R*task.S))
	dw := like("dw", w)
	c := ops.Conv{Env: o.env, Label: "trial", Geometry: task.Geometry, Act: t.Act, X: views, W: o.random(w.All(), true), Y: y.All(), DY: dy.All(), DW: dw.All()}
	var before func() []ops.Step
	if t.Act {
		gamma, beta := vector("gamma", int(task.C)), vector("beta", int(task.C))
		l := ops.NewLinks(ops.Links{Env: o.env, Label: "trial", X: views, Stats: o.trivial(views), Gamma: o.constant(gamma.All(), 1), Beta: o.constant(beta.All(), 0)})
		c.Links, before = l.Out, l.Steps
	}
	conv := ops.NewConv(c)
	o.steps, o.out = conv.Forward, []ops.View{y.All()}
	switch t.Role {
	case ops.WeightsRole:
		o.random(dy.All(), true)
		o.steps, o.out = conv.BackwardWeights, []ops.View{dw.All()}
	case ops.DataRole:
		o.random(dy.All(), true)
		dx := t.maps("dx", task.C, task.N, task.H, task.W)
		o.steps, o.out = func() []ops.Step { return conv.BackwardData(dx.All(), false) }, []ops.View{dx.All()}
	}
	if before != nil {
		steps := o.steps
		o.steps = func() []ops.Step { return append(before(), steps()...) }
	}
}

// maps returns a block in the trial's precision.
func (t *Trial) maps(name string, c, n, h, w uint32) *ops.Block {
	b := NewBlock(name, int(c), int(n), int(h), int(w))
	b.Precision = t.Precision
	return b
}

// trivial are statistics of the planes of x that change nothing.
func (o *wholeOp) trivial(x ops.Planes) (stats ops.Planes) {
	b, at := ops.NewStatsBlock("stats", x.C()), uint32(0)
	b.Keep = true
	o.constant(b.All(), 0, 1, 1, 1)
	for _, v := range x {
		stats = append(stats, b.View(at, at+v.C()))
		at += v.C()
	}
	return stats
}

// gather completes o for a gather, with one reader, or two of which one reads other
// maps too.
func (t *Trial) gather(o *wholeOp, task ops.Task) {
	x, g := t.maps("x", task.C, task.N, task.H, task.W), NewBlock("g", int(task.C), int(task.N), int(task.H), int(task.W))
	coef := vector("coef", 4*int(task.C))
	op := ops.Gather{Env: o.env, Label: "trial", X: o.random(x.All(), false), G: g.All(), Coef: coef, Stats: o.trivial(ops.Planes{x.All()})[0]}
	o.out = []ops.View{g.All(), coef.All()}
	readers := [][3]uint32{{task.K, task.C, 0}} // outputs, inputs, the first of which is the map's
	if task.K > 3 {
		readers = [][3]uint32{{task.K - task.K/2, task.C + 2, 1}, {task.K / 2, task.C, 0}}
	}
	p, q := task.Out(task.H, task.W)
	for i, r := range readers {
		dy, w := t.maps(fmt.Sprint("dy", i), r[0], task.N, p, q), vector(fmt.Sprint("w", i), int(r[0]*r[1]*task.R*task.S))
		links := vector(fmt.Sprint("links", i), int(r[1])*ops.LinkWords)
		rd := ops.Reader{Label: fmt.Sprint("reader", i), Geometry: task.Geometry, Act: true, DY: o.random(dy.All(), true), W: o.random(w.All(), true),
			Cj: r[1], C0: r[2], Links: links, DGamma: vector(fmt.Sprint("dgamma", i), int(task.C)).All(), DBeta: vector(fmt.Sprint("dbeta", i), int(task.C)).All()}
		o.constant(links.All(), 0, 0, 1, 1, 0, 0, 0, 0)
		o.out = append(o.out, rd.DGamma, rd.DBeta)
		op.Readers = append(op.Readers, rd)
	}
	o.steps = ops.NewGather(op).Steps
}

// whole is step 2.
func (t *Trial) whole(dev *gpu.Device, v ops.Variant) (err error) {
	share := uint32(1)
	for bytes := 4 * uint64(max(t.C, t.K)) * uint64(t.N) * uint64(t.H) * uint64(t.W); bytes/uint64(share) > trialBytes && share < t.N; {
		share *= 2
	}
	if t.plain == nil {
		if t.plain, err = t.outputs(dev, ops.PlainForm, share, false); err == nil {
			t.mags, err = t.outputs(dev, ops.PlainForm, share, true)
		}
		if err != nil {
			t.plain = nil
			return fmt.Errorf("the plain form: %w", err)
		}
	}
	got, err := t.outputs(dev, v, share, false)
	if err != nil {
		return err
	}
	for i, o := range t.build(v, share).out {
		if err := t.agree(v, o, got[i], t.plain[i], t.mags[i]); err != nil {
			return fmt.Errorf("%w at %v: %s %w", ErrWrong, t.Task, o.Block.Name, err)
		}
	}
	return nil
}

// agree compares an output of v with the plain form's. Both may err.
func (t *Trial) agree(v ops.Variant, o ops.View, got, plain, mags []float32) error {
	want, mag := make([]float64, len(plain)), make([]float64, len(mags))
	for i := range plain {
		want[i], mag[i] = float64(plain[i]), math.Abs(float64(mags[i]))
	}
	w := Want{View: o, Mag: mag, Tolerance: Tolerance{C: 2 * Slack}}
	if v.Winograd() {
		if t.Role == ops.WeightsRole && t.R == 3 {
			widenTaps(&w)
		} else {
			widen(&w)
		}
		w.Tolerance = Tolerance{C: Slack + winogradSlack}
	}
	if t.Precision != ops.FP32 {
		w.Stored, w.Before, w.Through = o.Block.Precision, 2, t.Precision
	}
	if v.Rounds() {
		narrowed(&w)
	}
	d, err := Compare(got, want, mag, w.Tolerance)
	if err != nil {
		return fmt.Errorf("%s: %w", place(o, d.Index), err)
	}
	return nil
}

// outputs runs v once and returns what it leaves; with absolute the factors are
// taken without their signs.
func (t *Trial) outputs(dev *gpu.Device, v ops.Variant, share uint32, absolute bool) (out [][]float32, err error) {
	o := t.build(v, share)
	var blocks []*ops.Block
	for _, in := range o.in {
		blocks = append(blocks, in.view.Block)
	}
	plan, err := ops.Place(o.steps(), ops.DefaultChunk, blocks...)
	if err != nil {
		return nil, err
	}
	mem, err := record.NewMemory(dev, plan)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, mem.Close()) }()
	steps := o.steps() // now that there are offsets
	if t.Alter != nil && !absolute {
		steps = t.Alter(v, steps)
	}
	if err := o.upload(mem, absolute); err != nil {
		return nil, err
	}
	r, err := record.New(dev, mem, steps, record.Options{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if err := r.Run(); err != nil {
		return nil, err
	}
	for _, view := range o.out {
		f, err := mem.DownloadFloats(view)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

// normalCount is a prime, so that no plane of a map repeats another.
const normalCount = 1_000_003

// manyNormals are normally distributed.
var manyNormals = sync.OnceValue(func() []float32 {
	r, values := NewRand(601), make([]float32, normalCount)
	for i := range values {
		values[i] = float32(r.NormFloat64())
	}
	return values
})

// normals returns the random values of input n, which repeats them.
func normals(n int) []float32 {
	at := (n + 1) * 7919 % normalCount
	return slices.Concat(manyNormals()[at:], manyNormals()[:at])
}

// upload fills what the steps read, and what they shall write with NaN.
func (o *wholeOp) upload(mem *record.Memory, absolute bool) error {
	for i, b := range o.env.Tables.Blocks {
		if err := mem.Upload(b.All(), o.env.Tables.Words[i]); err != nil {
			return err
		}
	}
	for n, in := range o.in {
		pattern := in.pattern
		if pattern == nil {
			pattern = normals(n)
		}
		values := make([]float32, in.view.Elems())
		for at := 0; at < len(values); {
			at += copy(values[at:], pattern)
		}
		if absolute && in.factor {
			for i, x := range values {
				values[i] = float32(math.Abs(float64(x)))
			}
		}
		if err := mem.UploadFloats(in.view, values); err != nil {
			return err
		}
	}
	for _, v := range o.out {
		values := make([]float32, v.Elems())
		for i := range values {
			values[i] = float32(math.NaN())
		}
		if err := mem.UploadFloats(v, values); err != nil {
			return err
		}
	}
	return nil
}
