package optest

import (
	"fmt"

	"sparsevk/ops"
	"sparsevk/ops/ref"
)

func init() { Register("dropout", dropoutCases) }

// dropoutCases: elements and channels, both directions, nothing and nearly all
// dropped, evaluation, runs cut by a small range.
func dropoutCases() []Case {
	shape := [4]int{13, 3, 11, 5}
	return []Case{
		dropoutCase(1, [4]int{1, 1, 1, 1}, ops.DefaultRange, 0.5, false, true, false),
		dropoutCase(2, shape, ops.DefaultRange, 0.2, false, true, false),
		dropoutCase(3, shape, ops.DefaultRange, 0.2, true, true, false),
		dropoutCase(4, shape, ops.DefaultRange, 0, false, true, false),
		dropoutCase(5, shape, ops.DefaultRange, 0.95, false, true, false),
		dropoutCase(6, shape, ops.DefaultRange, 0.2, false, false, false),
		dropoutCase(7, shape, 2048, 0.2, false, true, false),
		dropoutCase(8, shape, 2048, 0.5, true, true, false),
		dropoutCase(9, shape, ops.DefaultRange, 0.2, false, true, true),
		dropoutCase(10, shape, 2048, 0.2, true, true, true),
		dropoutCase(11, shape, ops.DefaultRange, 0.2, false, false, true),
	}
}

// dropoutCase runs the forward, or with acc the backward into a gradient that is
// added to.
func dropoutCase(seed uint64, s [4]int, limit uint64, rate float32, channels, train, acc bool) Case {
	x, y, st, r := block("x", s), block("y", s), ops.NewState(), NewRand(seed)
	values, old := r.normal(x), r.normal(y)
	lo, hi, step, layer := r.Uint32(), r.Uint32(), r.Uint32(), uint32(seed)
	flags, group := 0, 1
	if train {
		flags = 1
	}
	if channels {
		group = s[2] * s[3]
	}
	op := ops.Dropout{Env: envOf(limit), Label: "drop", Rate: rate, Layer: layer, Channels: channels,
		X: x.All(), Y: y.All(), DY: x.All(), DX: y.All(), State: st.All(), Accumulate: acc}
	want, steps := values, op.Forward
	if train {
		want = ref.Dropout{P: rate, Group: group, Seed: uint64(hi)<<32 | uint64(lo), Step: step, Layer: layer}.Forward(values)
	}
	in := []Input(nil)
	if acc {
		steps = op.Backward
		in, want = accumulated(true, y, old, want)
	}
	return Case{Name: fmt.Sprintf("%s_r%d_rate%g_channels%t_train%t_acc%t", shapeName(s), limit, rate, channels, train, acc),
		Env: op.Env, Steps: steps,
		In: append(in, holds(x.All(), values), state(st, map[int]any{ops.StateTrain: flags, ops.StateSeedLo: lo,
			ops.StateSeedHi: hi, ops.StateStep: step})),
		Out: []Want{wants("y", y.All(), want)}}
}
