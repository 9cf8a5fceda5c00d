package ops

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// DefaultChunk is the size in bytes of the memory objects that an arena is cut
// into: the largest allocation that Vulkan guarantees, 1 GiB, less 1 MiB for
// drivers that add to what is asked (SwiftShader refuses exactly 1 GiB). No block
// crosses a multiple of it.
const DefaultChunk = 1<<30 - 1<<20

// A Lifetime says from which to which step, both included, a block's contents
// matter. Kept blocks live over all steps.
type Lifetime struct {
	Block       *Block
	First, Last int
}

// A Plan is where every block lies. Each purpose has a region of its own, so
// that the bytes by purpose add up to the total.
type Plan struct {
	Lifetimes []Lifetime
	Regions   [purposes]Region
	Chunk     uint64
}

// A Region is the range [Lo, Hi) of bytes that the blocks of one purpose share.
type Region struct{ Lo, Hi uint64 }

// Bytes returns the size of the region.
func (r Region) Bytes() uint64 { return r.Hi - r.Lo }

// DeviceBytes returns the size of the device address space.
func (p *Plan) DeviceBytes() uint64 {
	var n uint64
	for i, r := range p.Regions {
		if Purpose(i) != Staging {
			n = max(n, r.Hi)
		}
	}
	return n
}

// HostBytes returns the size of the host-visible address space.
func (p *Plan) HostBytes() uint64 { return p.Regions[Staging].Hi }

// Total returns all planned bytes.
func (p *Plan) Total() uint64 { return p.DeviceBytes() + p.HostBytes() }

// TooLargeError says that a block cannot be placed.
type TooLargeError struct {
	Block        string
	Bytes, Limit uint64
	What         string
}

// Error names the block, its bytes and the bound.
func (e *TooLargeError) Error() string {
	return fmt.Sprintf("ops: %s of %d bytes is larger than %s of %d bytes: use a smaller batch", e.Block, e.Bytes, e.What, e.Limit)
}

// Place gives every block that the steps touch, and every extra block, its
// offset, and returns the plan. Blocks of one purpose share bytes when their
// lifetimes, read from the steps, do not overlap. It fails if a block does not
// fit a chunk.
func Place(steps []Step, chunk uint64, extra ...*Block) (*Plan, error) {
	p := &Plan{Chunk: chunk, Lifetimes: Lifetimes(steps, extra...)}
	var byPurpose [purposes][]Lifetime
	for _, l := range p.Lifetimes {
		if n := l.Block.Bytes(); n > chunk {
			return nil, &TooLargeError{l.Block.Name, n, chunk, "a memory object"}
		}
		byPurpose[l.Block.Purpose] = append(byPurpose[l.Block.Purpose], l)
	}
	var device uint64
	for i := range byPurpose {
		start := device
		if Purpose(i) == Staging {
			start = 0
		}
		end := packRegion(byPurpose[i], start, chunk)
		p.Regions[i] = Region{start, end}
		if Purpose(i) != Staging {
			device = end
		}
	}
	return p, nil
}

// Lifetimes returns when each block that the steps touch is in use, in the order
// of first use; extra blocks come first.
func Lifetimes(steps []Step, extra ...*Block) []Lifetime {
	index := map[*Block]int{}
	var ls []Lifetime
	see := func(b *Block, at int) {
		i, ok := index[b]
		if !ok {
			i = len(ls)
			index[b] = i
			ls = append(ls, Lifetime{b, at, at})
		}
		ls[i].Last = at
	}
	for _, b := range extra {
		see(b, 0)
	}
	for i := range steps {
		for _, a := range append(steps[i].Args[:len(steps[i].Args):len(steps[i].Args)], steps[i].Holds) {
			var last *Block // concatenations and regions name one block many times in a row
			for _, v := range a {
				if v.Block != last {
					last = v.Block
					see(last, i)
				}
			}
		}
	}
	for i := range ls {
		if ls[i].Block.Keep {
			ls[i].First, ls[i].Last = 0, max(0, len(steps)-1)
		}
	}
	return ls
}

// packRegion places the blocks of one region from start on and returns its end.
// Kept blocks, which share bytes with none, lie at its start. Packing the others
// is NP-hard; the best of three orders of first fit is near the lower bound for
// networks, whose lifetimes nest.
func packRegion(ls []Lifetime, start, chunk uint64) uint64 {
	var rest []Lifetime
	for _, l := range ls {
		if !l.Block.Keep {
			rest = append(rest, l)
			continue
		}
		n := alignUp(l.Block.Bytes())
		l.Block.Off = avoidCut(start, n, chunk)
		start = l.Block.Off + n
	}
	orders := []func(a, b Lifetime) int{
		func(a, b Lifetime) int { return cmp.Compare(a.First, b.First) },
		func(a, b Lifetime) int { return cmp.Compare(b.Block.Bytes(), a.Block.Bytes()) },
		func(a, b Lifetime) int { return cmp.Compare(b.Last-b.First, a.Last-a.First) },
	}
	least := start + busiest(rest)
	best, bestEnd := make([]uint64, len(rest)), uint64(math.MaxUint64)
	for _, order := range orders {
		sorted := slices.Clone(rest)
		slices.SortStableFunc(sorted, order)
		if end := firstFit(sorted, start, chunk); end < bestEnd {
			bestEnd = end
			for i, l := range rest {
				best[i] = l.Block.Off
			}
		}
		if bestEnd == least {
			break
		}
	}
	for i, l := range rest {
		l.Block.Off = best[i]
	}
	return bestEnd
}

// busiest returns the most bytes that live at one time: no packing needs fewer.
func busiest(ls []Lifetime) uint64 {
	type change struct {
		at    int
		bytes int64
	}
	var changes []change
	for _, l := range ls {
		n := int64(alignUp(l.Block.Bytes()))
		changes = append(changes, change{l.First, n}, change{l.Last + 1, -n})
	}
	slices.SortFunc(changes, func(a, b change) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.bytes, b.bytes)) })
	var live, most int64
	for _, c := range changes {
		live += c.bytes
		most = max(most, live)
	}
	return uint64(most)
}

// firstFit places each block at the lowest offset where no block that lives at
// the same time lies, and returns the end.
func firstFit(ls []Lifetime, start, chunk uint64) uint64 {
	var placed []Lifetime // by offset
	end := start
	for _, l := range ls {
		n := alignUp(l.Block.Bytes())
		off := avoidCut(start, n, chunk)
		for _, q := range placed {
			if off+n <= q.Block.Off {
				break
			}
			if q.First <= l.Last && l.First <= q.Last {
				off = avoidCut(max(off, alignUp(q.Block.Off+q.Block.Bytes())), n, chunk)
			}
		}
		l.Block.Off = off
		end = max(end, off+n)
		i, _ := slices.BinarySearchFunc(placed, l, func(a, b Lifetime) int { return cmp.Compare(a.Block.Off, b.Block.Off) })
		placed = slices.Insert(placed, i, l)
	}
	return end
}

// avoidCut moves off up to the next chunk if n bytes from there would cross it.
func avoidCut(off, n, chunk uint64) uint64 {
	if off/chunk != (off+max(n, 1)-1)/chunk {
		return (off/chunk + 1) * chunk
	}
	return off
}

func alignUp(n uint64) uint64 { return (n + Align - 1) &^ (Align - 1) }
