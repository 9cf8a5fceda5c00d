package gpu

import (
	"fmt"
	"sync/atomic"

	"sparsevk/gpu/vk"
)

// A Buffer is a block of memory, in an allocation of its own.
type Buffer struct {
	d        *Device
	h        vk.Buffer
	m        vk.Memory
	label    string
	kind     Kind
	bytes    uint64 // as asked for
	size     uint64 // as allocated
	memType  int
	coherent bool
	address  uint64 // for shaders, where Features.Address
	mapped   []byte // all of size; nil unless HostVisible
	closed   atomic.Bool
}

// NewBuffer allocates a buffer of so many bytes. The label stands in errors.
func (d *Device) NewBuffer(bytes uint64, kind Kind, label string) (*Buffer, error) {
	if err := d.usable(); err != nil {
		return nil, err
	}
	if bytes == 0 {
		return nil, fmt.Errorf("gpu: buffer %q: 0 bytes", label)
	}
	if most := min(d.limits.MaxBuffer, d.limits.MaxAllocation); bytes > most {
		return nil, fmt.Errorf("gpu: %w: buffer %q asks for %d bytes and the device allows %d in one buffer; use several",
			ErrOutOfMemory, label, bytes, most)
	}
	b := &Buffer{d: d, label: fmt.Sprintf("buffer %q", label), kind: kind, bytes: bytes}
	if err := b.create(); err != nil {
		b.destroy()
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.buffers[b] = struct{}{}
	return b, nil
}

func (b *Buffer) create() error {
	h, size, types, r := b.d.dev.NewBuffer(b.bytes)
	if err := b.d.check("vkCreateBuffer", r, fmt.Sprintf("%s of %d bytes", b.label, b.bytes)); err != nil {
		return err
	}
	b.h = h
	m, t, err := b.d.allocate(size, b.kind, types, b.label)
	if err != nil {
		return err
	}
	b.m, b.size, b.memType = m, size, t
	b.coherent = b.d.types[t].Flags&vk.HostCoherent != 0
	if err := b.d.check("vkBindBufferMemory", b.d.dev.Bind(h, m), b.label); err != nil {
		return err
	}
	b.address = b.d.dev.Address(h)
	if b.kind == HostVisible {
		p, r := b.d.dev.Map(m, size)
		if err := b.d.check("vkMapMemory", r, fmt.Sprintf("%s of %d bytes", b.label, size)); err != nil {
			return err
		}
		b.mapped = p
	}
	return nil
}

func (b *Buffer) destroy() {
	b.d.dev.DestroyBuffer(b.h)
	if b.size > 0 {
		b.d.free(b.m, b.size, b.memType)
	}
	b.mapped = nil
}

// Close frees the buffer when the device is done with what is in flight. The
// recordings that use it cannot be submitted again. It is safe twice.
func (b *Buffer) Close() error {
	if !b.closed.CompareAndSwap(false, true) {
		return nil
	}
	b.d.queue.Lock()
	if b.d.inFlight > 0 {
		b.d.dev.WaitIdle()
	}
	b.d.queue.Unlock()
	b.destroy()
	b.d.mu.Lock()
	defer b.d.mu.Unlock()
	delete(b.d.buffers, b)
	return nil
}

// Bytes is the size that was asked for.
func (b *Buffer) Bytes() uint64 { return b.bytes }

// Mapped is the buffer as the host sees it; nil unless HostVisible. What is
// written there before a recording's Submit the recording sees; what the
// recording wrote is there after its Wait. The slice dies with Close.
func (b *Buffer) Mapped() []byte {
	if b.mapped == nil {
		return nil
	}
	return b.mapped[:b.bytes:b.bytes]
}

// Flush makes the host's writes to n bytes from off on visible to the device.
// Submit does that for the buffers of its recording.
func (b *Buffer) Flush(off, n uint64) error { return b.sync(off, n, false) }

// Invalidate makes the device's writes to n bytes from off on visible to the
// host. Wait does that for the buffers of its recording.
func (b *Buffer) Invalidate(off, n uint64) error { return b.sync(off, n, true) }

func (b *Buffer) sync(off, n uint64, invalidate bool) error {
	if err := b.span(off, n); err != nil {
		return err
	}
	if b.coherent || b.mapped == nil || n == 0 {
		return nil
	}
	off, n = atoms(off, n, b.d.limits.NonCoherentAtom, b.size)
	if invalidate {
		return b.d.check("vkInvalidateMappedMemoryRanges", b.d.dev.Invalidate(b.m, off, n), b.label)
	}
	return b.d.check("vkFlushMappedMemoryRanges", b.d.dev.Flush(b.m, off, n), b.label)
}

// atoms widens [off, off+n) to whole atoms, but not beyond the allocation.
func atoms(off, n, atom, size uint64) (uint64, uint64) {
	end := min((off+n+atom-1)/atom*atom, size)
	off = off / atom * atom
	return off, end - off
}

// span checks that [off, off+n) lies in b and that b is open.
func (b *Buffer) span(off, n uint64) error {
	if b.closed.Load() {
		return fmt.Errorf("gpu: %s: %w", b.label, ErrClosed)
	}
	if off > b.bytes || n > b.bytes-off {
		return fmt.Errorf("gpu: %s: bytes [%d,%d) of %d", b.label, off, off+n, b.bytes)
	}
	return nil
}
