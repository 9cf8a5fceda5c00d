package optest

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"sparsevk/ops"
	"sparsevk/ops/ref"
)

func init() {
	for _, c := range quadClasses {
		Register(c.String(), func() []Case { return quadCases(c) })
		Register(c.String()+"_finalise", func() []Case { return quadFinaliseCases(c) })
	}
}

// quadClasses are those with quad forms; each has tables of its own.
var quadClasses = []ops.Class{ops.Quad, ops.Quad16}

// winogradSlack is the constant of the tolerance formula for Winograd's algorithm.
// F(4,3) forms each quad of outputs from sums and differences of its six inputs
// and three taps with weights up to 8, so that the rounding error of an output is
// in proportion to the largest terms of its quad, not to its own.
const winogradSlack = 32

// quadShapes: maps of 32, 16 and 8 pixels; one image, a number of images that
// leaves lanes idle; 2 rows by H that is not a multiple of 4; rows of 4, 12, 20,
// 28 and 64 pixels, whose quads cross subgroups or leave lanes of the weight
// gradient idle; blocks of 4, 8 and 12 outputs met exactly, with idle ones, and
// several of them; one input channel, 8 and 9, several blocks; H≠W. Windows of
// one pixel: planes that no number of lanes divides, inputs that four does not
// divide; pooled ones, from 8 pixels to 40.
var quadShapes = []convShape{
	{2, 8, 32, 32, 12, same3},
	{4, 9, 16, 16, 24, same3},
	{8, 17, 8, 8, 8, same3},
	{1, 1, 2, 4, 1, same3},
	{3, 3, 8, 8, 4, same3},
	{5, 4, 4, 8, 5, same3},
	{3, 5, 6, 12, 16, same3},
	{2, 3, 10, 20, 13, same3},
	{1, 10, 12, 28, 12, same3},
	{2, 4, 4, 64, 40, same3},
	{1, 7, 56, 56, 7, same3},
	{4, 24, 8, 8, 24, point},
	{2, 41, 5, 6, 29, point},
	{1, 3, 2, 2, 8, point},
	{3, 13, 8, 8, 12, pooling},
	{4, 72, 16, 16, 20, pooling},
	{1, 6, 6, 40, 3, pooling},
}

func quadCases(class ops.Class) []Case {
	var cases []Case
	for i, s := range quadShapes {
		o := convOptions{seed: uint64(100 + i), limit: ops.DefaultRange, class: class, act: true, many: i%2 == 0 && s.c > 2}
		cases = append(cases, measured(s, o), quadWeights(s, o), quadData(class, s, uint64(200+i), ops.DefaultRange, i%4 == 1))
		if i%6 == 0 { // every pipeline costs a second to compile
			o.act = false
			cases = append(cases, s.widened(convForward(s, o)), quadWeights(s, o))
		}
	}
	// ranges that cut inputs and gradients into segments of 24 planes
	cut, limit := convShape{2, 30, 16, 16, 26, same3}, uint64(24*4*512+ops.Align)
	var cuts []Case
	for _, act := range []bool{false, true} {
		o := convOptions{seed: 140, limit: limit, class: class, act: act}
		cuts = append(cuts, cut.widened(convForward(cut, o)), quadWeights(cut, o))
	}
	cuts = append(cuts, quadData(class, cut, 141, limit, false), quadData(class, cut, 142, limit, true), measured(cut, convOptions{seed: 145, limit: limit, class: class, act: true}))
	cut.g = point
	o := convOptions{seed: 143, limit: limit, class: class, act: true}
	cuts = append(cuts, convForward(cut, o), convWeights(cut, o), quadData(class, cut, 144, limit, true), measured(cut, o))
	// what a transition stages is cut too: four channels at a time, the last part of two
	cut.c, cut.g = 14, pooling
	o.seed, o.many = 146, true
	cuts = append(cuts, convForward(cut, o), convWeights(cut, o), measured(cut, o))
	for _, c := range cuts {
		mustBeQuad(c)
	}
	return append(cases, cuts...)
}

// mustBeQuad panics if none of the kernels of c is a quad form: a range that is
// too small for them would leave them untested.
func mustBeQuad(c Case) {
	if !slices.ContainsFunc(c.Steps(), func(s ops.Step) bool { return strings.HasPrefix(s.Kernel.Name, "quad_") }) {
		panic("optest: " + c.Name + " runs no quad kernel")
	}
}

// widened gives every output of a 3x3 convolution the largest magnitude of its
// quad, and the tolerance its constant for Winograd's algorithm.
func (s convShape) widened(c Case) Case {
	if s.g.R == 3 {
		for i := range c.Out {
			widen(&c.Out[i])
		}
	}
	return c
}

// widen widens every quad of every row. A quad that the row cuts has terms in pixels
// beyond it too, so its magnitude is no less than that of the quad before, which reads
// the same inputs.
func widen(w *Want) {
	for row := range slices.Chunk(w.Mag, int(w.View.Block.W)) {
		widenBy(4, row)
		if cut := len(row) &^ 3; 0 < cut && cut < len(row) {
			row[cut] = max(row[cut], row[cut-1])
			widenBy(3, row[cut:])
		}
	}
	w.Tolerance = Tolerance{C: winogradSlack}
}

// widenTaps is widen for weight gradients of 3x3 convolutions: of the taps between a
// pair of channels each gets the largest magnitude. It matters where few pixels of
// an input pass the ReLU, and the sums have few terms.
func widenTaps(w *Want) {
	widenBy(9, w.Mag)
	w.Tolerance = Tolerance{C: winogradSlack}
}

func widenBy(n int, mags []float64) {
	for group := range slices.Chunk(mags, n) {
		copy(group, slices.Repeat([]float64{slices.Max(group)}, len(group)))
	}
}

func quadWeights(s convShape, o convOptions) Case {
	c := convWeights(s, o)
	if s.g.R == 3 {
		widenTaps(&c.Out[0])
	}
	return c
}

func quadData(class ops.Class, s convShape, seed, limit uint64, acc bool) Case {
	run := newConv(s, convOptions{seed: seed, limit: limit, class: class})
	dx := NewBlock("dx", s.c, s.n, s.h, s.w)
	want := ref.ConvBackwardData(s.g, run.dy, run.w, s.h, s.w)
	if acc {
		old := NewRand(seed + 1).normal(dx)
		run.input, want = append(run.input, holds(dx.All(), old)), ref.Add(old, want)
	}
	return s.widened(Case{Name: fmt.Sprintf("data_%v_acc%t_r%d", s, acc, limit), Env: run.op.Env, In: run.input,
		Steps: func() []ops.Step { return run.op.BackwardData(dx.All(), acc) },
		Out:   []Want{wants("dx", dx.All(), want)}})
}

// measured runs a convolution that leaves the statistics of its tiles where
// it can, and the merge of them.
func measured(s convShape, o convOptions) Case {
	forward := convForward(s, o)
	if o.class.Quads() {
		forward = s.widened(forward)
	}
	y := forward.Out[0]
	o.measure = true
	run := newConv(s, o)
	y.View = run.op.Y
	words, mean, variance, st := ops.NewStatsBlock("words", uint32(s.k)), vector("running_mean", s.k), vector("running_var", s.k), ops.NewState()
	stats := ops.NewStats(ops.Stats{Env: run.op.Env, Label: "stats", Epsilon: 1e-5, X: run.op.Y, Words: words.All(),
		RunningMean: mean.All(), RunningVar: variance.All(), State: st.All(), Partial: run.op.Tiles, Tile: run.op.Tile})
	zero := make([]float64, s.k)
	return Case{Name: fmt.Sprintf("measured_%v_r%d", s, o.limit), Env: run.op.Env,
		In: append(run.input, Floats(mean.All(), zero), Floats(variance.All(), zero), state(st, nil)),
		Steps: run.steps(func() []ops.Step {
			if run.op.Tiles == nil {
				return append(run.op.Forward(), stats.Forward()...)
			}
			return append(run.op.Forward(), stats.Merge()...)
		}),
		Out: []Want{y, measuredWords(words, y, s.k)}}
}

// measuredWords are the statistics of the planes of y, whose elements err in
// proportion to their magnitudes.
func measuredWords(words *ops.Block, y Want, k int) Want {
	m := len(y.Value) / k
	w := Want{Name: "statistics", View: words.All(), Tolerance: y.Tolerance}
	for c := range k {
		v, mag := y.Value[c*m:(c+1)*m], y.Mag[c*m:(c+1)*m]
		var mean, meanMag, m2, m2Mag float64
		for i := range v {
			mean, meanMag = mean+v[i]/float64(m), meanMag+mag[i]/float64(m)
		}
		for i := range v {
			d := v[i] - mean
			m2, m2Mag = m2+d*d/float64(m), m2Mag+(d*d+2*math.Abs(d)*(mag[i]+meanMag))/float64(m)
		}
		istd := 1 / math.Sqrt(m2+1e-5)
		w.Value = append(w.Value, mean, m2, istd, float64(m))
		w.Mag = append(w.Mag, meanMag, m2Mag, istd*(1+m2Mag/(2*(m2+1e-5))), float64(m))
	}
	return w
}

// quadFinaliseCases: whole workgroups, a tail, several planes, runs cut by a small
// range; planes of other sizes take the plain form.
func quadFinaliseCases(class ops.Class) []Case {
	var cases []Case
	for i, s := range [][4]int{{1, 1, 16, 16}, {3, 2, 6, 6}, {13, 3, 8, 4}, {2, 3, 32, 30}, {2, 1, 3, 5}} {
		for _, plus := range []bool{false, true} {
			c := finaliseCase(uint64(i), s, 16<<10, plus)
			c.Env.Class = class
			cases = append(cases, c)
		}
	}
	return cases
}
