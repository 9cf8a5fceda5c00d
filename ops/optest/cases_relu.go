package optest

import (
	"fmt"
	"math"

	"sparsevk/ops"
)

func init() { Register("relu", reluCases) }

// reluCases: one element, a prime, a tail of the workgroup, several planes,
// more elements than one sweep of the grid has, and runs cut by a small range.
func reluCases() []Case {
	var cases []Case
	for i, s := range [][4]int{{1, 1, 1, 1}, {1, 1, 1, 127}, {3, 2, 7, 7}, {5, 1, 8, 8}, {13, 3, 11, 5}, {40, 2, 32, 32}} {
		cases = append(cases, reluForward(uint64(i), s, ops.DefaultRange), reluBackward(uint64(i), s, ops.DefaultRange))
	}
	return append(cases, reluForward(9, [4]int{13, 3, 11, 5}, 2048), reluBackward(9, [4]int{13, 3, 11, 5}, 2048))
}

func reluForward(seed uint64, s [4]int, limit uint64) Case {
	x, y, env := NewBlock("x", s[0], s[1], s[2], s[3]), NewBlock("y", s[0], s[1], s[2], s[3]), ops.NewEnv()
	env.Range = limit
	v := NewRand(seed).Floats(s[0] * s[1] * s[2] * s[3])
	want := make([]uint32, len(v))
	for i := range v {
		want[i] = math.Float32bits(float32(max(v[i], 0)))
	}
	op := ops.ReLU{Env: env, Label: "relu", X: x.All(), Y: y.All()}
	return Case{Name: fmt.Sprintf("fwd_c%d_n%d_h%d_w%d_r%d", s[0], s[1], s[2], s[3], limit), Steps: op.Forward,
		In: []Input{Floats(x.All(), v)}, Out: []Want{Exactly("y", y.All(), want)}}
}

func reluBackward(seed uint64, s [4]int, limit uint64) Case {
	y, dy, dx, env := NewBlock("y", s[0], s[1], s[2], s[3]), NewBlock("dy", s[0], s[1], s[2], s[3]), NewBlock("dx", s[0], s[1], s[2], s[3]), ops.NewEnv()
	env.Range = limit
	r, n := NewRand(seed), s[0]*s[1]*s[2]*s[3]
	v, g := r.Floats(n), r.Floats(n)
	want := make([]uint32, n)
	for i := range v {
		v[i] = max(v[i], 0)
		if v[i] > 0 {
			want[i] = math.Float32bits(float32(g[i]))
		}
	}
	op := ops.ReLU{Env: env, Label: "relu", Y: y.All(), DY: dy.All(), DX: dx.All()}
	return Case{Name: fmt.Sprintf("bwd_c%d_n%d_h%d_w%d_r%d", s[0], s[1], s[2], s[3], limit), Steps: op.Backward,
		In: []Input{Floats(y.All(), v), Floats(dy.All(), g)}, Out: []Want{Exactly("dx", dx.All(), want)}}
}
