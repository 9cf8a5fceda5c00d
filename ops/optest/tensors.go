package optest

import (
	"fmt"
	"math"

	"sparsevk/ops"
	"sparsevk/ops/ref"
)

// normal returns standard normal values in the shape of b.
func (r Rand) normal(b *ops.Block) *ref.Tensor {
	return r.hold(ref.Random(r.Rand, int(b.C), int(b.N), int(b.H), int(b.W)))
}

// scaled returns normal values with the given deviation and mean, rounded.
func (r Rand) scaled(b *ops.Block, deviation, mean float64) *ref.Tensor {
	t := r.normal(b)
	for i, v := range t.Data {
		t.Data[i] = r.held(deviation*v + mean)
	}
	return t
}

// holds is an input of the values of t.
func holds(v ops.View, t *ref.Tensor) Input { return Floats(v, t.Data) }

// wants demands the values of t within its magnitudes.
func wants(name string, v ops.View, t *ref.Tensor) Want {
	mag := t.Mag
	if mag == nil {
		mag = make([]float64, len(t.Data))
	}
	return Want{Name: name, View: v, Value: t.Data, Mag: mag, Tolerance: Tolerance{Terms: t.Len}}
}

// like returns a block of the shape of b.
func like(name string, b *ops.Block) *ops.Block {
	return NewBlock(name, int(b.C), int(b.N), int(b.H), int(b.W))
}

// vector returns a block of n words.
func vector(name string, n int) *ops.Block { return NewBlock(name, n, 1, 1, 1) }

// envOf returns an Env with the given largest range.
func envOf(limit uint64) *ops.Env {
	env := ops.NewEnv()
	env.Range = limit
	return env
}

// state is an input for a State block: word 0, 1, 2, … of words, integers as
// they are and floats by bits.
func state(b *ops.Block, words map[int]any) Input {
	w := make([]uint32, ops.StateWords)
	for i, x := range words {
		switch x := x.(type) {
		case int:
			w[i] = uint32(x)
		case uint32:
			w[i] = x
		case float32:
			w[i] = math.Float32bits(x)
		default:
			panic(fmt.Sprintf("optest: state word %d is a %T", i, x))
		}
	}
	return Words(b.All(), w)
}

// shapeName names a case by shape: c3_n2_h7_w7.
func shapeName(s [4]int) string { return fmt.Sprintf("c%d_n%d_h%d_w%d", s[0], s[1], s[2], s[3]) }

func block(name string, s [4]int) *ops.Block { return NewBlock(name, s[0], s[1], s[2], s[3]) }
