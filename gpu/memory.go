package gpu

import (
	"cmp"
	"fmt"
	"slices"

	"sparsevk/gpu/vk"
)

// Kind is what a buffer's memory is for.
type Kind int

// The kinds of memory.
const (
	DeviceLocal Kind = iota // fast for the device; reached by Upload and Download
	HostVisible             // mapped; fast for the host
)

// String returns device-local or host-visible.
func (k Kind) String() string { return [...]string{"device-local", "host-visible"}[k] }

// memoryTypes lists the types among bits that suit kind, best first. Host
// memory is rather coherent than cached, rather cached than not (the host
// reads it), and rather not the device's own (uncached on most cards).
func memoryTypes(types []vk.MemoryType, kind Kind, bits uint32) []int {
	score := func(i int) int {
		f := types[i].Flags
		has := func(p vk.MemoryPropertyFlags, s int) int {
			if f&p != 0 {
				return s
			}
			return 0
		}
		if kind == HostVisible {
			return has(vk.HostVisible, 8) + has(vk.HostCoherent, 4) + has(vk.HostCached, 2) - has(vk.DeviceLocal, 1)
		}
		return has(vk.DeviceLocal, 8) - has(vk.HostVisible, 1)
	}
	var out []int
	for i := range types {
		if bits>>i&1 != 0 && score(i) >= 7 {
			out = append(out, i)
		}
	}
	slices.SortStableFunc(out, func(a, b int) int { return cmp.Compare(score(b), score(a)) })
	return out
}

// Allocated is how many bytes of memory the device has handed out, staging
// included.
func (d *Device) Allocated() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.allocated()
}

func (d *Device) allocated() uint64 {
	var n uint64
	for _, u := range d.heapUsed {
		n += u
	}
	return n
}

// allocate takes bytes of memory from the best type that has them.
func (d *Device) allocate(bytes uint64, kind Kind, bits uint32, label string) (vk.Memory, int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var none vk.Memory
	if d.allocations >= d.limits.Allocations {
		return none, 0, fmt.Errorf("gpu: %s: %w: the device allows %d allocations and all are in use", label, ErrOutOfMemory, d.limits.Allocations)
	}
	list := memoryTypes(d.types, kind, bits)
	if len(list) == 0 {
		return none, 0, fmt.Errorf("gpu: %s: the device has no %v memory", label, kind)
	}
	var err error
	for _, t := range list {
		heap := d.types[t].Heap
		detail := fmt.Sprintf("%s asks for %d bytes; heap %d has %d, of which %d are allocated (%d on all heaps)",
			label, bytes, heap, d.info.Heaps[heap].Bytes, d.heapUsed[heap], d.allocated())
		if bytes > d.info.Heaps[heap].Bytes-min(d.heapUsed[heap], d.info.Heaps[heap].Bytes) {
			err = fmt.Errorf("gpu: %w: %s", ErrOutOfMemory, detail)
			continue
		}
		m, r := d.dev.Allocate(bytes, t)
		if r == vk.Success {
			d.heapUsed[heap] += bytes
			d.allocations++
			return m, t, nil
		}
		if err = d.check("vkAllocateMemory", r, detail); r != vk.OutOfDeviceMemory && r != vk.OutOfHostMemory {
			break
		}
	}
	return none, 0, err
}

// free gives memory back.
func (d *Device) free(m vk.Memory, bytes uint64, memoryType int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dev.Free(m)
	d.heapUsed[d.types[memoryType].Heap] -= bytes
	d.allocations--
}
