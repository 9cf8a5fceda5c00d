package optest

import (
	"slices"

	"sparsevk/gpu"
	"sparsevk/ops"
	"sparsevk/ops/record"
)

const (
	nan   = 0x7fc00bad // what memory holds that nothing has filled
	guard = 0xa5a5a5a5 // sentinels between blocks
	gap   = 256        // bytes of sentinels before each block and after the last
)

// image is the contents of both address spaces, as words.
type image struct {
	plan   *ops.Plan
	blocks []*ops.Block
	words  [2][]uint32   // device, host
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
		m.words[s] = slices.Repeat([]uint32{guard}, int(n/4))
		m.spaces[s] = ops.Vector("everything", [...]ops.Purpose{ops.Map, ops.Staging}[s], int(n/4))
	}
	m.plan.Regions[ops.Map] = ops.Region{Hi: 4 * uint64(len(m.words[0]))}
	m.plan.Regions[ops.Staging] = ops.Region{Hi: 4 * uint64(len(m.words[1]))}
	for _, b := range m.blocks {
		w := m.of(b.All())
		for i := range w {
			w[i] = nan
		}
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
		copy(m.of(i.View), i.Words)
	}
	return nil
}

func space(b *ops.Block) int {
	if b.Host() {
		return 1
	}
	return 0
}

// of returns the words of a view.
func (m *image) of(v ops.View) []uint32 {
	lo, hi := v.Bytes()
	return m.words[space(v.Block)][lo/4 : hi/4]
}

// upload writes the whole image to mem; download returns what it holds now.
func (m *image) upload(mem *record.Memory) error {
	for s, b := range m.spaces {
		if err := mem.Upload(b.All(), m.words[s]); err != nil {
			return err
		}
	}
	return nil
}

func (m *image) download(mem *record.Memory) (*image, error) {
	out := *m
	for s, b := range m.spaces {
		w, err := mem.Download(b.All())
		if err != nil {
			return nil, err
		}
		out.words[s] = w
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
