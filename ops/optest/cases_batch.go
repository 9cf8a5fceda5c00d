package optest

import (
	"encoding/binary"
	"fmt"

	"sparsevk/ops"
	"sparsevk/ops/ref"
)

func init() { Register("batch", batchCases) }

// A batched is a case of the batch: shape [C][N][H][W].
type batched struct {
	s           [4]int
	pad, valid  int
	flip, train bool
	limit       uint64
}

// batchCases: one pixel; one, three and four channels; bytes that do not fill
// their last word, images that begin inside one; a short last batch; padding as
// large as the image; evaluation; runs cut by a small range.
func batchCases() []Case {
	var cases []Case
	for i, b := range []batched{
		{[4]int{1, 1, 1, 1}, 0, 1, false, false, ops.DefaultRange},
		{[4]int{3, 4, 32, 32}, 4, 4, true, true, ops.DefaultRange},
		{[4]int{3, 4, 32, 32}, 4, 4, true, false, ops.DefaultRange},
		{[4]int{1, 9, 28, 28}, 4, 5, true, true, ops.DefaultRange},
		{[4]int{3, 7, 7, 5}, 2, 7, false, true, ops.DefaultRange},
		{[4]int{4, 13, 3, 3}, 3, 13, true, true, ops.DefaultRange},
		{[4]int{3, 5, 11, 13}, 1, 3, true, true, 4096},
	} {
		cases = append(cases, batchCase(uint64(i), b))
	}
	return cases
}

func batchCase(seed uint64, b batched) Case {
	c, n, size, r := b.s[0], b.s[1], b.s[0]*b.s[2]*b.s[3], NewRand(seed)
	lo, hi, epoch := r.Uint32(), r.Uint32(), uint32(r.IntN(300))
	raw := make([]byte, (n*size+3)/4*4)
	for i := range raw {
		raw[i] = byte(r.Uint32())
	}
	words, index := make([]uint32, len(raw)/4), make([]uint32, n)
	for i := range words {
		words[i] = binary.LittleEndian.Uint32(raw[4*i:])
	}
	for i := range index {
		index[i] = uint32(r.IntN(50000))
	}
	want := ref.Batch{C: c, H: b.s[2], W: b.s[3], Train: b.train, Pad: b.pad, Flip: b.flip,
		Seed: uint64(hi)<<32 | uint64(lo), Epoch: epoch, Index: index, Valid: b.valid}
	var mean, std []float32
	for i := range c {
		mean, std = append(mean, 0.4+0.03*float32(i)), append(std, 0.25+0.01*float32(i))
		want.Mean, want.Std = append(want.Mean, float64(mean[i])), append(want.Std, float64(std[i]))
	}
	y, st := block("y", b.s), ops.NewState()
	bytes, numbers := ops.Vector("bytes", ops.Staging, len(words)), ops.Vector("index", ops.Staging, n)
	op := ops.Batch{Env: envOf(b.limit), Label: "batch", Pad: uint32(b.pad), Flip: b.flip, Mean: mean, Std: std,
		Bytes: bytes.All(), Index: numbers.All(), State: st.All(), Y: y.All()}
	flags := map[bool]int{true: 1}[b.train]
	return Case{Name: fmt.Sprintf("%s_pad%d_valid%d_flip%t_train%t_r%d", shapeName(b.s), b.pad, b.valid, b.flip, b.train, b.limit),
		Env: op.Env, Steps: op.Forward,
		In: []Input{Words(bytes.All(), words), Words(numbers.All(), index), state(st, map[int]any{ops.StateTrain: flags,
			ops.StateSeedLo: lo, ops.StateSeedHi: hi, ops.StateEpoch: epoch, ops.StateValid: b.valid})},
		Out: []Want{wants("y", y.All(), want.Forward(raw[:n*size]))}}
}
