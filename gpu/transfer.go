package gpu

import (
	"fmt"
	"sync"

	"sparsevk/gpu/vk"
)

// StagingBytes is the size of the buffer through which Upload and Download
// reach device-local memory. It is allocated at the first of them.
const StagingBytes = 8 << 20

// staging copies through a mapped buffer, a piece at a time.
type staging struct {
	sync.Mutex
	buf   *Buffer
	pool  vk.CommandPool
	cb    []vk.CommandBuffer
	fence vk.Fence
	ops   []vk.Op
}

// open creates what is missing; s is locked.
func (s *staging) open(d *Device) error {
	if s.buf != nil {
		return nil
	}
	var r vk.Result
	if s.pool, r = d.dev.NewCommandPool(d.family); r != vk.Success {
		return d.check("vkCreateCommandPool", r, "staging")
	}
	if s.cb, r = d.dev.NewCommandBuffers(s.pool, 1); r != vk.Success {
		s.close(d)
		return d.check("vkAllocateCommandBuffers", r, "staging")
	}
	if s.fence, r = d.dev.NewFence(); r != vk.Success {
		s.close(d)
		return d.check("vkCreateFence", r, "staging")
	}
	buf, err := d.NewBuffer(StagingBytes, HostVisible, "staging")
	if err != nil {
		s.close(d)
		return err
	}
	s.buf = buf
	return nil
}

// close destroys what there is, except the buffer, which the device's Close
// destroys with the others.
func (s *staging) close(d *Device) {
	d.dev.DestroyFence(s.fence)
	d.dev.DestroyCommandPool(s.pool)
	var (
		pool  vk.CommandPool
		fence vk.Fence
	)
	s.buf, s.pool, s.cb, s.fence = nil, pool, nil, fence
}

// copy records, submits and awaits one copy.
func (s *staging) copy(d *Device, o vk.Op) error {
	const all = vk.ShaderRead | vk.ShaderWrite | vk.TransferRead | vk.TransferWrite | vk.HostWrite
	s.ops = append(s.ops[:0], vk.Begin(s.cb[0]),
		vk.Barrier(vk.StageCompute|vk.StageTransfer|vk.StageHost, vk.StageTransfer, all, vk.TransferRead|vk.TransferWrite), o,
		vk.Barrier(vk.StageTransfer, vk.StageCompute|vk.StageTransfer|vk.StageHost, vk.TransferWrite,
			vk.ShaderRead|vk.ShaderWrite|vk.TransferRead|vk.TransferWrite|vk.HostRead), vk.End())
	if err := d.check("vkResetCommandPool", d.dev.ResetCommandPool(s.pool), "staging"); err != nil {
		return err
	}
	if err := d.check("vkEndCommandBuffer", d.dev.Record(s.ops, nil), "staging"); err != nil {
		return err
	}
	d.queue.Lock()
	r := d.dev.Submit(s.cb, s.fence)
	d.queue.Unlock()
	if err := d.check("vkQueueSubmit", r, "staging"); err != nil {
		return err
	}
	return d.check("vkWaitForFences", d.dev.Wait(s.fence), "staging")
}

// Upload writes src to b from byte off on. Device-local memory it reaches after
// all recordings that were submitted before; mapped memory at once.
func (d *Device) Upload(b *Buffer, off uint64, src []byte) error {
	return d.transfer(b, off, src, true)
}

// Download reads b from byte off on into dst; when, as with Upload.
func (d *Device) Download(b *Buffer, off uint64, dst []byte) error {
	return d.transfer(b, off, dst, false)
}

func (d *Device) transfer(b *Buffer, off uint64, p []byte, up bool) error {
	if err := d.usable(); err != nil {
		return err
	}
	if b.d != d {
		return fmt.Errorf("gpu: %s belongs to another device", b.label)
	}
	if err := b.span(off, uint64(len(p))); err != nil {
		return err
	}
	if len(p) == 0 {
		return nil
	}
	if b.mapped != nil {
		return b.move(off, p, up)
	}
	s := &d.staging
	s.Lock()
	defer s.Unlock()
	if err := s.open(d); err != nil {
		return err
	}
	for len(p) > 0 {
		n := min(len(p), StagingBytes)
		if err := s.piece(d, b, off, p[:n], up); err != nil {
			return err
		}
		p, off = p[n:], off+uint64(n)
	}
	return nil
}

func (s *staging) piece(d *Device, b *Buffer, off uint64, p []byte, up bool) error {
	n := uint64(len(p))
	if up {
		if err := s.buf.move(0, p, true); err != nil {
			return err
		}
		return s.copy(d, vk.Copy(s.buf.h, b.h, 0, off, n))
	}
	if err := s.copy(d, vk.Copy(b.h, s.buf.h, off, 0, n)); err != nil {
		return err
	}
	return s.buf.move(0, p, false)
}

// move copies between p and mapped memory.
func (b *Buffer) move(off uint64, p []byte, up bool) error {
	n := uint64(len(p))
	if up {
		copy(b.mapped[off:off+n], p)
		return b.Flush(off, n)
	}
	if err := b.Invalidate(off, n); err != nil {
		return err
	}
	copy(p, b.mapped[off:off+n])
	return nil
}
