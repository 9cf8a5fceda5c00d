package ops

import (
	"fmt"
	"math"
)

// Align is the alignment in bytes of every block and of every bound range. It
// is the largest minStorageBufferOffsetAlignment that Vulkan allows, so that a
// plan is the same on every device.
const Align = 256

// Purpose says what a block is for. Memory is reported by purpose.
type Purpose uint8

// The purposes of blocks.
const (
	Map       Purpose = iota // a feature map, or a gradient that the layered engine keeps per map
	Scratch                  // lives within one or a few steps
	Workspace                // partial results of reductions
	Parameter                // master weights and biases
	Optimizer                // momentum and other state of the update
	Gradient                 // gradients of parameters
	Other                    // statistics, tables, packed weights, scalars
	Staging                  // host-visible: batches, step state, results
	purposes
)

// String returns the name of the purpose, as reports of memory have it.
func (p Purpose) String() string {
	return [...]string{"maps", "scratch", "workspace", "parameters", "optimizer", "weight gradients", "other", "staging"}[p]
}

// A Block is a tensor of elements stored [C][N][H][W], with a place in
// the arena once it has been planned. Blocks of purpose Staging lie in a
// second, host-visible address space.
type Block struct {
	Name       string
	Purpose    Purpose
	C, N, H, W uint32
	Precision  Precision // of the elements; the default is float32, and words of 4 bytes count as such
	Off        uint64    // bytes from the start of its address space, a multiple of Align
	// Keep is true if the contents live on from one training step to the next,
	// so that the block shares its bytes with no other.
	Keep bool
}

// Plane returns the number of elements of one channel over the batch.
func (b *Block) Plane() uint64 { return uint64(b.N) * uint64(b.H) * uint64(b.W) }

// Bytes returns the size of the block in bytes, without alignment.
func (b *Block) Bytes() uint64 { return uint64(b.C) * b.PlaneBytes() }

// PlaneBytes returns the size of one channel over the batch in bytes.
func (b *Block) PlaneBytes() uint64 { return b.Precision.Bytes() * b.Plane() }

// Host reports whether the block lies in host-visible memory.
func (b *Block) Host() bool { return b.Purpose == Staging }

// View returns planes [lo, hi) of b.
func (b *Block) View(lo, hi uint32) View {
	if lo > hi || hi > b.C {
		panic(fmt.Sprintf("ops: view [%d,%d) of %s, which has %d planes", lo, hi, b.Name, b.C))
	}
	return View{b, lo, hi}
}

// All returns the view of the whole block.
func (b *Block) All() View { return View{b, 0, b.C} }

// Vector returns a block of n elements without geometry: one plane each, so
// that a view can select any run of them.
func Vector(name string, p Purpose, n int) *Block {
	return &Block{Name: name, Purpose: p, C: uint32(n), N: 1, H: 1, W: 1}
}

// A View is planes [Lo, Hi) of a Block: one contiguous run.
type View struct {
	Block  *Block
	Lo, Hi uint32
}

// C returns the number of planes.
func (v View) C() uint32 { return v.Hi - v.Lo }

// Elems returns the number of elements.
func (v View) Elems() uint64 { return uint64(v.C()) * v.Block.Plane() }

// Bytes returns the range [lo, hi) that v occupies in its address space.
func (v View) Bytes() (lo, hi uint64) {
	p := v.Block.PlaneBytes()
	return v.Block.Off + uint64(v.Lo)*p, v.Block.Off + uint64(v.Hi)*p
}

// Slice returns planes [lo, hi) of v.
func (v View) Slice(lo, hi uint32) View {
	if lo > hi || hi > v.C() {
		panic(fmt.Sprintf("ops: slice [%d,%d) of a view of %d planes of %s", lo, hi, v.C(), v.Block.Name))
	}
	return View{v.Block, v.Lo + lo, v.Lo + hi}
}

// String writes the view as block[lo:hi], in planes.
func (v View) String() string { return fmt.Sprintf("%s[%d:%d]", v.Block.Name, v.Lo, v.Hi) }

// Planes is what one binding touches: views of one address space, in the order
// of a concatenation. The binding covers the smallest aligned range that holds
// them all.
type Planes []View

// C returns the number of planes over all views.
func (p Planes) C() uint32 {
	var c uint32
	for _, v := range p {
		c += v.C()
	}
	return c
}

// An extent is a range of bytes that grows with the views put into it.
type extent struct{ lo, hi uint64 }

// nothing is the extent of no views.
var nothing = extent{math.MaxUint64, 0}

func (e extent) with(v View) extent {
	lo, hi := v.Bytes()
	return e.and(extent{lo, hi})
}

func (e extent) and(f extent) extent { return extent{min(e.lo, f.lo), max(e.hi, f.hi)} }

// bound returns what a descriptor of e covers: byte offset, a multiple of Align,
// and length, whole words.
func (e extent) bound() (off, bytes uint64) {
	off = e.lo &^ (Align - 1)
	return off, (e.hi - off + 3) &^ 3
}

// fits reports whether one descriptor of at most limit bytes covers e and stays
// within a chunk; 0 is no chunks.
func (e extent) fits(limit, chunk uint64) bool {
	off, n := e.bound()
	return n <= limit && (chunk == 0 || n == 0 || off/chunk == (off+n-1)/chunk)
}

func (p Planes) extent() extent {
	e := nothing
	for _, v := range p {
		e = e.with(v)
	}
	return e
}

// Range returns what the descriptor covers: byte offset, a multiple of Align,
// and length, whole words, of which the last may end beyond a 16-bit element.
func (p Planes) Range() (off, bytes uint64) { return p.extent().bound() }

// Base returns the index, in elements from the start of the binding of p, of
// the first element of v.
func (p Planes) Base(v View) uint32 {
	off, _ := p.Range()
	return baseFrom(off, v)
}

// Bases returns the Base of every view of p.
func (p Planes) Bases() []uint32 {
	off, _ := p.Range()
	out := make([]uint32, len(p))
	for i, v := range p {
		out[i] = baseFrom(off, v)
	}
	return out
}

func baseFrom(off uint64, v View) uint32 {
	lo, _ := v.Bytes()
	element := v.Block.Precision.Bytes()
	if lo < off || (lo-off)/element > 1<<32-1 {
		panic(fmt.Sprintf("ops: %v starts %d bytes from a binding at %d: out of 32-bit reach", v, lo-off, off))
	}
	return uint32((lo - off) / element)
}

// Split cuts p into consecutive groups whose bound ranges are at most limit
// bytes each and do not cross a multiple of chunk, cutting between planes where a
// view alone is larger; chunk 0 is no chunks. A single plane larger than limit is
// an error of the plan, found before; Split panics.
func (p Planes) Split(limit, chunk uint64) []Planes {
	var out []Planes
	var cur Planes
	e := nothing
	for _, v := range p {
		for v.C() > 0 {
			n := e.room(v, limit, chunk)
			if n == 0 && len(cur) == 0 { // a block that no chunk takes; Place will refuse it
				n = e.room(v.Slice(0, 1), limit, 0)
			}
			if n == 0 && len(cur) == 0 {
				panic(fmt.Sprintf("ops: one plane of %v has %d bytes, more than a range of %d", v, v.Block.PlaneBytes(), limit))
			}
			if n > 0 {
				cur, e = append(cur, v.Slice(0, n)), e.with(v.Slice(0, n))
				v = v.Slice(n, v.C())
			}
			if v.C() > 0 {
				out, cur, e = append(out, cur), nil, nothing
			}
		}
	}
	if len(cur) > 0 {
		out = append(out, cur)
	}
	return out
}

// room returns how many planes of v a descriptor that fits takes beside e.
func (e extent) room(v View, limit, chunk uint64) uint32 {
	if e.with(v).fits(limit, chunk) {
		return v.C()
	}
	lo, hi := uint32(0), v.C()
	for lo+1 < hi { // lo planes fit, hi do not
		if m := (lo + hi) / 2; e.with(v.Slice(0, m)).fits(limit, chunk) {
			lo = m
		} else {
			hi = m
		}
	}
	return lo
}
