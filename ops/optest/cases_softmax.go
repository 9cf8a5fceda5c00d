package optest

import (
	"fmt"
	"math"

	"sparsevk/ops"
	"sparsevk/ops/ref"
)

func init() { Register("softmax", softmaxCases) }

// A softmaxed is a case of the loss.
type softmaxed struct {
	classes, images, valid int
	scale, smoothing       float32
	spread                 float64 // deviation of the logits
	ties                   bool    // many equal logits
}

// softmaxCases: two classes and one image; a short last batch; a workgroup's
// width of images and one more; large logits, which overflow without the maximum
// taken off; equal logits; a loss scale; label smoothing.
func softmaxCases() []Case {
	var cases []Case
	for i, s := range []softmaxed{
		{2, 1, 1, 1, 0, 1, false},
		{10, 64, 64, 1, 0, 1, false},
		{10, 64, 17, 1, 0, 3, false},
		{10, 128, 128, 1, 0, 40, false},
		{100, 129, 128, 1024, 0, 2, false},
		{7, 257, 250, 1, 0.1, 2, false},
		{10, 50, 50, 1, 0, 1, true},
		{3, 20, 11, 2, 0.25, 1, true},
		{1000, 5, 5, 1, 0.1, 2, false},
	} {
		cases = append(cases, softmaxCase(uint64(i), s))
	}
	return append(cases, softmaxBad("infinite_logit", float32(math.Inf(1)), 0), softmaxBad("nan_logit", float32(math.NaN()), 0),
		softmaxBad("label_out_of_range", 0, 3))
}

// A lossRun is the op with its blocks.
type lossRun struct {
	op                            *ops.SoftmaxLoss
	x, dx, labels, state, results *ops.Block
}

func newLossRun(s softmaxed) lossRun {
	l := lossRun{x: NewBlock("x", s.classes, s.images, 1, 1), dx: NewBlock("dx", s.classes, s.images, 1, 1),
		labels: ops.Vector("labels", ops.Staging, s.images), state: ops.NewState(), results: ops.NewResults()}
	l.op = ops.NewSoftmaxLoss(ops.SoftmaxLoss{Env: ops.NewEnv(), Label: "loss", Smoothing: s.smoothing, X: l.x.All(), DX: l.dx.All(),
		Labels: l.labels.All(), State: l.state.All(), Results: l.results.All()})
	return l
}

func softmaxCase(seed uint64, s softmaxed) Case {
	l, r := newLossRun(s), NewRand(seed)
	x := r.scaled(l.x, s.spread, 10)
	if s.ties {
		for i, v := range x.Data {
			x.Data[i] = math.Round(v)
		}
	}
	labels, words := make([]int, s.images), make([]uint32, s.images)
	for i := range labels {
		labels[i] = r.IntN(s.classes)
		words[i] = uint32(labels[i])
	}
	want := ref.SoftmaxCrossEntropy(x, labels, s.valid, float64(s.scale), float64(s.smoothing))
	rank := make([]uint32, s.images)
	for i, k := range want.Rank {
		rank[i] = uint32(k)
	}
	word := func(i int) ops.View { return l.results.View(uint32(i), uint32(i)+1) }
	return Case{
		Name: fmt.Sprintf("k%d_n%d_valid%d_scale%g_smooth%g_spread%g_ties%t", s.classes, s.images, s.valid, s.scale, s.smoothing, s.spread, s.ties),
		Env:  l.op.Env, Steps: l.op.Forward,
		In: []Input{holds(l.x.All(), x), Words(l.labels.All(), words),
			state(l.state, map[int]any{ops.StateValid: s.valid, ops.StateLossScale: s.scale})},
		Out: []Want{wants("loss", l.op.Loss.All(), want.PerImage), wants("dx", l.dx.All(), want.DLogits),
			wants("mean", word(ops.ResultLoss), want.Mean), wants("sum", word(ops.ResultLossSum), want.Sum),
			Exactly("rank", l.op.Rank.All(), rank), Exactly("finite", word(ops.ResultNonFinite), []uint32{0}),
			Exactly("hits", word(ops.ResultHits), []uint32{uint32(want.Correct(1))}),
			Exactly("hits5", word(ops.ResultHits5), []uint32{uint32(want.Correct(5))})},
	}
}

// softmaxBad has one image that must raise the flag and count as no hit.
func softmaxBad(name string, logit float32, label uint32) Case {
	s := softmaxed{classes: 3, images: 5, valid: 5, scale: 1}
	l, r := newLossRun(s), NewRand(7)
	x := r.normal(l.x)
	for n := range s.images {
		x.Data[n] = 5 // class 0, the label of all others, wins
	}
	if logit != 0 {
		x.Data[2] = float64(logit)
	}
	return Case{Name: name, Env: l.op.Env, Steps: l.op.Forward,
		In: []Input{holds(l.x.All(), x), Words(l.labels.All(), []uint32{0, 0, label, 0, 0}),
			state(l.state, map[int]any{ops.StateValid: 5, ops.StateLossScale: float32(1)})},
		Out: []Want{Exactly("flag", l.results.View(ops.ResultNonFinite, ops.ResultNonFinite+1), []uint32{1}),
			Exactly("loss", l.op.Loss.View(2, 3), []uint32{0x7fc00000})}}
}
