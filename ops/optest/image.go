package optest

import (
	"bytes"
	"encoding/binary"
	"slices"

	"sparsevk/gpu"
	"sparsevk/ops"
	"sparsevk/ops/record"
)

const (
	guard = 0xa5 // sentinel bytes between blocks
	gap   = 256  // sentinels before each block and after the last
)

// nans is what memory holds that nothing has filled.
var nans = map[ops.Precision]uint32{ops.FP32: 0x7fc00bad, ops.FP16: 0x7eba, ops.BF16: 0x7fba}

// image is the contents of both address spaces.
type image struct {
	plan   *ops.Plan
	blocks []*ops.Block
	bytes  [2][]byte     // device, host
	spaces [2]*ops.Block // views of everything, for transfers
}

// layout places the blocks of a case apart from each other and fills memory
// with guards, NaN and the case's inputs.
func layout(c *Case) (*image, error) {
	m := &image{blocks: c.blocks(c.Steps())}
	end := [2]uint64{}
	for _, b := range m.blocks {
		s := space(b)
		b.Off = end[s] + gap
		end[s] = (b.Off + b.Bytes() + gap - 1) / gap * gap
	}
	m.plan = &ops.Plan{Chunk: ops.DefaultChunk}
	for s := range end {
		n := end[s] + gap
		m.bytes[s] = bytes.Repeat([]byte{guard}, int(n))
		m.spaces[s] = ops.Vector("everything", [...]ops.Purpose{ops.Map, ops.Staging}[s], int(n/4))
	}
	m.plan.Regions[ops.Map] = ops.Region{Hi: uint64(len(m.bytes[0]))}
	m.plan.Regions[ops.Staging] = ops.Region{Hi: uint64(len(m.bytes[1]))}
	for _, b := range m.blocks {
		m.set(b.All(), slices.Repeat([]uint32{nans[b.Precision]}, int(b.All().Elems())))
	}
	c.Steps() // once more: tables hold offsets, which exist only now
	return m, m.fill(c)
}

func (m *image) fill(c *Case) error {
	in := c.In
	if c.Env != nil && c.Env.Tables != nil {
		for i, b := range c.Env.Tables.Blocks {
			if slices.Contains(m.blocks, b) {
				in = append(in[:len(in):len(in)], Input{b.All(), c.Env.Tables.Words[i]})
			}
		}
	}
	for _, i := range in {
		if uint64(len(i.Words)) != i.View.Elems() {
			return c.errorf("input of %d words for %v, which has %d", len(i.Words), i.View, i.View.Elems())
		}
		m.set(i.View, i.Words)
	}
	return nil
}

func space(b *ops.Block) int {
	if b.Host() {
		return 1
	}
	return 0
}

// of returns the elements of a view, by bits.
func (m *image) of(v ops.View) []uint32 {
	lo, hi := v.Bytes()
	b, words := m.bytes[space(v.Block)][lo:hi], make([]uint32, v.Elems())
	for i := range words {
		if v.Block.Precision == ops.FP32 {
			words[i] = binary.LittleEndian.Uint32(b[4*i:])
		} else {
			words[i] = uint32(binary.LittleEndian.Uint16(b[2*i:]))
		}
	}
	return words
}

// set fills the elements of a view.
func (m *image) set(v ops.View, words []uint32) {
	lo, hi := v.Bytes()
	b := m.bytes[space(v.Block)][lo:hi]
	for i, w := range words {
		if v.Block.Precision == ops.FP32 {
			binary.LittleEndian.PutUint32(b[4*i:], w)
		} else {
			binary.LittleEndian.PutUint16(b[2*i:], uint16(w))
		}
	}
}

// upload writes the whole image to mem; download returns what it holds now.
func (m *image) upload(mem *record.Memory) error {
	for s, b := range m.spaces {
		if err := mem.UploadBytes(b.All(), m.bytes[s]); err != nil {
			return err
		}
	}
	return nil
}

func (m *image) download(mem *record.Memory) (*image, error) {
	out := *m
	for s, b := range m.spaces {
		got, err := mem.DownloadBytes(b.All())
		if err != nil {
			return nil, err
		}
		out.bytes[s] = got
	}
	return &out, nil
}

// run replays r three times from m's contents and returns the three results.
func (m *image) run(mem *record.Memory, r *gpu.Recording) ([3]*image, error) {
	var out [3]*image
	for i := range out {
		if err := m.upload(mem); err != nil {
			return out, err
		}
		if err := r.Run(); err != nil {
			return out, err
		}
		got, err := m.download(mem)
		if err != nil {
			return out, err
		}
		out[i] = got
	}
	return out, nil
}
