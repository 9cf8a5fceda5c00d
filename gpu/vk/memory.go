package vk

/*
#cgo noescape vx_flush
#cgo nocallback vx_flush
#include "shim.h"
*/
import "C"

import (
	"unsafe"

	vulkan "github.com/vulkan-go/vulkan"
)

// Properties of memory types.
const (
	DeviceLocal  = vulkan.MemoryPropertyDeviceLocalBit
	HostVisible  = vulkan.MemoryPropertyHostVisibleBit
	HostCoherent = vulkan.MemoryPropertyHostCoherentBit
	HostCached   = vulkan.MemoryPropertyHostCachedBit
)

// NewBuffer creates a buffer without memory, for storage, uniform texels and
// transfers, and says what memory it wants: how many bytes, of which types
// (bit i: type i).
func (d *Device) NewBuffer(bytes uint64) (b Buffer, size uint64, types uint32, r Result) {
	ci := vulkan.BufferCreateInfo{SType: vulkan.StructureTypeBufferCreateInfo, Size: vulkan.DeviceSize(bytes),
		Usage: vulkan.BufferUsageFlags(vulkan.BufferUsageStorageBufferBit | vulkan.BufferUsageUniformTexelBufferBit |
			vulkan.BufferUsageTransferSrcBit | vulkan.BufferUsageTransferDstBit),
		SharingMode: vulkan.SharingModeExclusive}
	if d.address {
		ci.Usage |= C.VX_BUFFER_USAGE_SHADER_DEVICE_ADDRESS
	}
	r = made(buffers, vulkan.CreateBuffer(d.h, &ci, nil, &b))
	ci.Free()
	if r != vulkan.Success {
		return b, 0, 0, r
	}
	var mr vulkan.MemoryRequirements
	vulkan.GetBufferMemoryRequirements(d.h, b, &mr)
	mr.Deref()
	size, types = uint64(mr.Size), mr.MemoryTypeBits
	mr.Free()
	return b, size, types, r
}

// DestroyBuffer destroys b.
func (d *Device) DestroyBuffer(b Buffer) {
	gone(buffers, b)
	vulkan.DestroyBuffer(d.h, b, nil)
}

// Allocate allocates memory of a type.
func (d *Device) Allocate(bytes uint64, memoryType int) (Memory, Result) {
	ai := vulkan.MemoryAllocateInfo{SType: vulkan.StructureTypeMemoryAllocateInfo,
		AllocationSize: vulkan.DeviceSize(bytes), MemoryTypeIndex: uint32(memoryType)}
	if d.address {
		ai.PNext = unsafe.Pointer(C.vx_address_flags())
	}
	var m Memory
	r := made(memories, vulkan.AllocateMemory(d.h, &ai, nil, &m))
	ai.Free()
	return m, r
}

// Free frees memory; a mapping of it ends.
func (d *Device) Free(m Memory) {
	gone(memories, m)
	vulkan.FreeMemory(d.h, m, nil)
}

// Bind gives b the memory m, from its start.
func (d *Device) Bind(b Buffer, m Memory) Result { return vulkan.BindBufferMemory(d.h, b, m, 0) }

// Address returns where shaders find b, which has its memory; 0 if the device was
// not made for that.
func (d *Device) Address(b Buffer) uint64 {
	if !d.address {
		return 0
	}
	return uint64(C.vx_address(d.fn, C.uint64_t(bits(b))))
}

// Map maps the first bytes of m until it is freed.
func (d *Device) Map(m Memory, bytes uint64) ([]byte, Result) {
	var p unsafe.Pointer
	r := vulkan.MapMemory(d.h, m, 0, vulkan.DeviceSize(bytes), 0, &p)
	if r != vulkan.Success {
		return nil, r
	}
	return unsafe.Slice((*byte)(p), bytes), r
}

// Flush makes the host's writes to a mapped range visible to the device.
func (d *Device) Flush(m Memory, off, bytes uint64) Result {
	return Result(C.vx_flush(d.fn, 0, C.uint64_t(bits(m)), C.uint64_t(off), C.uint64_t(bytes)))
}

// Invalidate makes the device's writes to a mapped range visible to the host.
func (d *Device) Invalidate(m Memory, off, bytes uint64) Result {
	return Result(C.vx_flush(d.fn, 1, C.uint64_t(bits(m)), C.uint64_t(off), C.uint64_t(bytes)))
}

// NewTexelView creates a view of b as texels of four floats.
func (d *Device) NewTexelView(b Buffer, off, bytes uint64) (BufferView, Result) {
	ci := vulkan.BufferViewCreateInfo{SType: vulkan.StructureTypeBufferViewCreateInfo, Buffer: b,
		Format: vulkan.FormatR32g32b32a32Sfloat, Offset: vulkan.DeviceSize(off), Range: vulkan.DeviceSize(bytes)}
	var v BufferView
	r := made(views, vulkan.CreateBufferView(d.h, &ci, nil, &v))
	ci.Free()
	return v, r
}

// DestroyView destroys v.
func (d *Device) DestroyView(v BufferView) {
	gone(views, v)
	vulkan.DestroyBufferView(d.h, v, nil)
}
