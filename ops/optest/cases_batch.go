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
	edge        bool
	pixels      bool // a mean for each
}

// batchCases: one pixel; one, three and four channels; bytes that do not fill
// their last word, images that begin inside one; a short last batch; padding as
// large as the image; evaluation; runs cut by a small range; images continued beyond
// their edges; means of pixels, alone and with all of that.
func batchCases() []Case {
	var cases []Case
	for i, b := range []batched{
		{s: [4]int{1, 1, 1, 1}, valid: 1, limit: ops.DefaultRange},
		{s: [4]int{3, 4, 32, 32}, pad: 4, valid: 4, flip: true, train: true, limit: ops.DefaultRange},
		{s: [4]int{3, 4, 32, 32}, pad: 4, valid: 4, flip: true, limit: ops.DefaultRange},
		{s: [4]int{1, 9, 28, 28}, pad: 4, valid: 5, flip: true, train: true, limit: ops.DefaultRange},
		{s: [4]int{3, 7, 7, 5}, pad: 2, valid: 7, train: true, limit: ops.DefaultRange},
		{s: [4]int{4, 13, 3, 3}, pad: 3, valid: 13, flip: true, train: true, limit: ops.DefaultRange},
		{s: [4]int{3, 5, 11, 13}, pad: 1, valid: 3, flip: true, train: true, limit: 4096},
		{s: [4]int{1, 2, 1, 1}, pad: 3, valid: 2, flip: true, train: true, limit: ops.DefaultRange, edge: true, pixels: true},
		{s: [4]int{3, 6, 7, 5}, pad: 5, valid: 5, flip: true, train: true, limit: ops.DefaultRange, edge: true},
		{s: [4]int{3, 5, 9, 13}, pad: 2, valid: 5, limit: ops.DefaultRange, pixels: true},
		{s: [4]int{3, 5, 11, 13}, pad: 4, valid: 4, flip: true, train: true, limit: 4096, edge: true, pixels: true},
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
	want := ref.Batch{C: c, H: b.s[2], W: b.s[3], Train: b.train, Pad: b.pad, Flip: b.flip, Edge: b.edge,
		Seed: uint64(hi)<<32 | uint64(lo), Epoch: epoch, Index: index, Valid: b.valid}
	var mean, std []float32
	for i := range c {
		mean, std = append(mean, 0.4+0.03*float32(i)), append(std, 0.25+0.01*float32(i))
		want.Mean, want.Std = append(want.Mean, float64(mean[i])), append(want.Std, float64(std[i]))
	}
	y, st := block("y", b.s), ops.NewState()
	bytes, numbers := ops.Vector("bytes", ops.Staging, len(words)), ops.Vector("index", ops.Staging, n)
	op := ops.Batch{Env: envOf(b.limit), Label: "batch", Pad: uint32(b.pad), Flip: b.flip, Edge: b.edge, Mean: mean, Std: std,
		Bytes: bytes.All(), Index: numbers.All(), State: st.All(), Y: y.All()}
	in := []Input{Words(bytes.All(), words), Words(numbers.All(), index)}
	if b.pixels {
		for range size {
			want.Pixels = append(want.Pixels, float64(r.Float32()-0.4))
		}
		op.Pixels = ops.Vector("pixels", ops.Other, size).All()
		in = append(in, Floats(op.Pixels, want.Pixels))
	}
	flags := map[bool]int{true: 1}[b.train]
	return Case{Name: fmt.Sprintf("%s_pad%d_valid%d_flip%t_train%t_r%d_edge%t_pixels%t", shapeName(b.s), b.pad, b.valid, b.flip, b.train, b.limit, b.edge, b.pixels),
		Env: op.Env, Steps: op.Forward,
		In: append(in, state(st, map[int]any{ops.StateTrain: flags,
			ops.StateSeedLo: lo, ops.StateSeedHi: hi, ops.StateEpoch: epoch, ops.StateValid: b.valid})),
		Out: []Want{wants("y", y.All(), want.Forward(raw[:n*size]))}}
}
