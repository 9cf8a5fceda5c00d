package optest

import (
	"fmt"
	"math"

	"sparsevk/ops"
	"sparsevk/ops/ref"
)

func init() {
	Register("stats", statsCases)
	Register("batchnorm", batchNormCases)
}

// planeShapes: one element; a prime; 7x7 and 8x8; channels no multiple of 4;
// planes of a tile less one (4095), one tile, one more, two tiles and a tail.
var planeShapes = [][4]int{
	{1, 1, 1, 1}, {1, 1, 1, 127}, {3, 2, 7, 7}, {5, 1, 8, 8}, {13, 3, 11, 5},
	{2, 3, 35, 39}, {3, 4, 32, 32}, {2, 1, 17, 241}, {2, 9, 32, 30},
}

const momentum = float32(0.1)

func statsCases() []Case {
	var cases []Case
	for i, s := range planeShapes {
		cases = append(cases, statsCase(uint64(i), s, ops.DefaultRange, 1, true), statsCase(uint64(i), s, ops.DefaultRange, 1, false))
	}
	return append(cases,
		statsCase(20, [4]int{3, 4, 32, 32}, ops.DefaultRange, 100, true), // mean 100 times the deviation: E[x²]-E[x]² fails
		statsCase(21, [4]int{13, 3, 11, 5}, 2048, 1, true),               // runs of planes cut by a small range
		runningCase(23, [4]int{13, 3, 11, 5}, ops.DefaultRange), runningCase(24, [4]int{700, 1, 1, 1}, 2048))
}

// A normed is batch norm's blocks and their contents.
type normed struct {
	x, stats, mean, variance, state *ops.Block
	values, oldMean, oldVar         *ref.Tensor
	input                           []Input
	ref                             ref.Stats
	gamma, beta, dgamma, dbeta      *ops.Block
	gammas, betas                   *ref.Tensor
	y, dy, dx                       *ops.Block
}

func newNormed(r Rand, s [4]int, offset float64, train bool) *normed {
	n := &normed{x: block("x", s), stats: ops.NewStatsBlock("stats", uint32(s[0])), state: ops.NewState(),
		mean: vector("running_mean", s[0]), variance: vector("running_var", s[0])}
	n.values, n.oldMean, n.oldVar = r.scaled(n.x, 1, offset), r.normal(n.mean), r.normal(n.variance)
	for i, v := range n.oldVar.Data {
		n.oldVar.Data[i] = math.Abs(v)
	}
	flags := 0
	if train {
		flags = 1
	}
	n.input = []Input{holds(n.mean.All(), n.oldMean), holds(n.variance.All(), n.oldVar),
		state(n.state, map[int]any{ops.StateTrain: flags, ops.StateBNMomentum: momentum})}
	n.ref = ref.BatchStats(n.values)
	return n
}

// running returns what the running statistics must be afterwards.
func (n *normed) running(train bool) []Want {
	m, v := n.oldMean, n.oldVar
	if train {
		m, v = ref.RunningUpdate(m, v, n.ref, float64(momentum))
		for i := range m.Data { // momentum itself is a float32
			m.Mag[i] += math.Abs(n.ref.Mean.Data[i])
		}
	}
	return []Want{wants("running mean", n.mean.All(), m), wants("running variance", n.variance.All(), v)}
}

func statsCase(seed uint64, s [4]int, limit uint64, offset float64, train bool) Case {
	n := newNormed(NewRand(seed), s, offset, train)
	op := ops.NewStats(ops.Stats{Env: envOf(limit), Label: "stats", Epsilon: ref.Eps, X: n.x.All(), Words: n.stats.All(),
		RunningMean: n.mean.All(), RunningVar: n.variance.All(), State: n.state.All()})
	return Case{Name: fmt.Sprintf("%s_r%d_mean%g_train%t", shapeName(s), limit, offset, train), Env: op.Env, Steps: op.Forward,
		In:  append(n.input, holds(n.x.All(), n.values)),
		Out: append(n.running(train), wants("stats", n.stats.All(), n.ref.Words()))}
}

func runningCase(seed uint64, s [4]int, limit uint64) Case {
	n := newNormed(NewRand(seed), s, 1, false)
	op := ops.NewStats(ops.Stats{Env: envOf(limit), Label: "stats", Epsilon: ref.Eps, X: n.x.All(), Words: n.stats.All(),
		RunningMean: n.mean.All(), RunningVar: n.variance.All(), State: n.state.All()})
	want := ref.RunningStats(n.oldMean, n.oldVar, n.values.Plane())
	return Case{Name: fmt.Sprintf("running_%s_r%d", shapeName(s), limit), Env: op.Env, Steps: op.Evaluate,
		In: n.input, Out: append(n.running(false), wants("stats", n.stats.All(), want.Words()))}
}

func batchNormCases() []Case {
	var cases []Case
	for i, s := range planeShapes {
		for relu := range 2 {
			cases = append(cases, batchNormForward(uint64(i), s, ops.DefaultRange, relu == 1, true),
				batchNormBackward(uint64(i), s, ops.DefaultRange, relu == 1, i%2 == 1))
		}
	}
	small := [4]int{13, 3, 11, 5}
	return append(cases, batchNormForward(20, small, 2048, true, false), batchNormBackward(21, small, 2048, true, true),
		batchNormInPlace(22, small))
}

// newBatchNorm makes an op whose ReLU masks are in no doubt.
func newBatchNorm(r Rand, s [4]int, limit uint64, relu bool) (*normed, *ops.BatchNorm) {
	n := newNormed(r, s, 1, true)
	n.gamma, n.beta, n.dgamma, n.dbeta = vector("gamma", s[0]), vector("beta", s[0]), vector("dgamma", s[0]), vector("dbeta", s[0])
	n.y, n.dy, n.dx = block("y", s), block("dy", s), block("dx", s)
	n.gammas, n.betas = r.normal(n.gamma), r.scaled(n.beta, 1, 0.5)
	for range 4 { // moving values moves the statistics, by less each time
		n.ref = ref.BatchStats(n.values)
		r.clear(n.values, 2e-3, ref.NewLinks(n.ref, n.gammas, n.betas))
	}
	n.ref = ref.BatchStats(n.values)
	n.input = append(n.input, holds(n.x.All(), n.values), holds(n.gamma.All(), n.gammas), holds(n.beta.All(), n.betas))
	return n, ops.NewBatchNorm(ops.BatchNorm{Env: envOf(limit), Label: "bn", Epsilon: ref.Eps, ReLU: relu,
		X: n.x.All(), Y: n.y.All(), DY: n.dy.All(), DX: n.dx.All(), Stats: n.stats.All(),
		Gamma: n.gamma.All(), Beta: n.beta.All(), DGamma: n.dgamma.All(), DBeta: n.dbeta.All(),
		RunningMean: n.mean.All(), RunningVar: n.variance.All(), State: n.state.All()})
}

func batchNormForward(seed uint64, s [4]int, limit uint64, relu, train bool) Case {
	r := NewRand(seed)
	n, op := newBatchNorm(r, s, limit, relu)
	stats, steps := n.ref, op.Forward
	if !train {
		stats, steps = ref.RunningStats(n.oldMean, n.oldVar, n.values.Plane()), op.Evaluate
		r.clear(n.values, 1e-3, ref.NewLinks(stats, n.gammas, n.betas))
		n.input = append(n.input, holds(n.x.All(), n.values))
	}
	y := ref.BatchNorm(n.values, stats, n.gammas, n.betas)
	if relu {
		y = ref.ReLU(y)
	}
	return Case{Name: fmt.Sprintf("fwd_%s_r%d_relu%t_train%t", shapeName(s), limit, relu, train), Env: op.Env, Steps: steps,
		In: n.input, Out: append(n.running(train), wants("y", n.y.All(), y))}
}

// batchNormBackward runs the forward too: the statistics are the device's own.
func batchNormBackward(seed uint64, s [4]int, limit uint64, relu, accumulate bool) Case {
	r := NewRand(seed)
	n, op := newBatchNorm(r, s, limit, relu)
	op.Accumulate = accumulate
	dy, old := r.normal(n.dy), r.normal(n.dx)
	dx, dgamma, dbeta := n.gradients(dy, relu)
	if accumulate {
		dx = ref.Add(old, dx)
		n.input = append(n.input, holds(n.dx.All(), old))
	}
	return Case{Name: fmt.Sprintf("bwd_%s_r%d_relu%t_acc%t", shapeName(s), limit, relu, accumulate), Env: op.Env,
		Steps: func() []ops.Step { return append(op.Forward(), op.Backward()...) },
		In:    append(n.input, holds(n.dy.All(), dy)),
		Out: []Want{wants("dx", n.dx.All(), dx), wants("dgamma", n.dgamma.All(), dgamma),
			wants("dbeta", n.dbeta.All(), dbeta)}}
}

func (n *normed) gradients(dy *ref.Tensor, relu bool) (dx, dgamma, dbeta *ref.Tensor) {
	if relu {
		dy = ref.ReLUBackward(ref.BatchNorm(n.values, n.ref, n.gammas, n.betas), dy)
	}
	return ref.BatchNormBackward(n.values, n.ref, n.gammas, dy)
}

// batchNormInPlace writes dx over dy.
func batchNormInPlace(seed uint64, s [4]int) Case {
	r := NewRand(seed)
	n, op := newBatchNorm(r, s, ops.DefaultRange, true)
	op.DX = op.DY
	dy := r.normal(n.dy)
	dx, _, _ := n.gradients(dy, true)
	return Case{Name: "bwd_in_place_" + shapeName(s), Env: op.Env,
		Steps: func() []ops.Step { return append(op.Forward(), op.Backward()...) },
		In:    append(n.input, holds(n.dy.All(), dy)), Out: []Want{wants("dx", n.dy.All(), dx)}}
}
