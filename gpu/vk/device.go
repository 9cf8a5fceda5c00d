package vk

/*
#include <stdlib.h>
#include "shim.h"
*/
import "C"

import (
	"unsafe"

	vulkan "github.com/vulkan-go/vulkan"
)

// A Device is a logical device with one queue and its functions.
type Device struct {
	h     vulkan.Device
	queue vulkan.Queue
	fn    *C.vx_dev // C memory

	address bool // buffers have addresses for shaders
}

func newDevice(inst *Instance, h vulkan.Device, queue vulkan.Queue, address bool) (*Device, Result) {
	fn := (*C.vx_dev)(C.calloc(1, C.size_t(unsafe.Sizeof(C.vx_dev{}))))
	d := &Device{h, queue, fn, address}
	if C.vx_dev_init(pointer(inst.h), pointer(h), fn) != nil || address && fn.GetBufferDeviceAddress == nil {
		d.Destroy()
		return nil, vulkan.ErrorIncompatibleDriver
	}
	return d, vulkan.Success
}

// Destroy destroys the device; all that it made must be gone.
func (d *Device) Destroy() {
	gone(devices, d.h)
	vulkan.DestroyDevice(d.h, nil)
	C.free(unsafe.Pointer(d.fn))
	d.fn = nil
}

// WaitIdle waits until the queue has nothing to do.
func (d *Device) WaitIdle() Result { return vulkan.DeviceWaitIdle(d.h) }

// NewFence creates a fence that has not come.
func (d *Device) NewFence() (Fence, Result) {
	ci := vulkan.FenceCreateInfo{SType: vulkan.StructureTypeFenceCreateInfo}
	var f Fence
	r := made(fences, vulkan.CreateFence(d.h, &ci, nil, &f))
	ci.Free()
	return f, r
}

// DestroyFence destroys f; a null handle is ignored, here and below.
func (d *Device) DestroyFence(f Fence) {
	gone(fences, f)
	vulkan.DestroyFence(d.h, f, nil)
}

// NewCommandPool creates a pool for command buffers of the family.
func (d *Device) NewCommandPool(family uint32) (CommandPool, Result) {
	ci := vulkan.CommandPoolCreateInfo{SType: vulkan.StructureTypeCommandPoolCreateInfo, QueueFamilyIndex: family}
	var p CommandPool
	r := made(commandPools, vulkan.CreateCommandPool(d.h, &ci, nil, &p))
	ci.Free()
	return p, r
}

// ResetCommandPool makes all command buffers of p empty.
func (d *Device) ResetCommandPool(p CommandPool) Result {
	return vulkan.ResetCommandPool(d.h, p, 0)
}

// DestroyCommandPool destroys p with its command buffers.
func (d *Device) DestroyCommandPool(p CommandPool) {
	gone(commandPools, p)
	vulkan.DestroyCommandPool(d.h, p, nil)
}

// A CommandBuffer is the value of a command buffer's handle, ready to stand in
// an Op and in the argument of Submit.
type CommandBuffer uint64

// NewCommandBuffers takes n command buffers from p.
func (d *Device) NewCommandBuffers(p CommandPool, n int) ([]CommandBuffer, Result) {
	ci := vulkan.CommandBufferAllocateInfo{SType: vulkan.StructureTypeCommandBufferAllocateInfo, CommandPool: p,
		Level: vulkan.CommandBufferLevelPrimary, CommandBufferCount: uint32(n)}
	list := make([]vulkan.CommandBuffer, n)
	r := vulkan.AllocateCommandBuffers(d.h, &ci, list)
	ci.Free()
	out := make([]CommandBuffer, n)
	for i, h := range list {
		out[i] = CommandBuffer(bits(h))
	}
	return out, r
}

// NewQueryPool creates a pool of n timestamps.
func (d *Device) NewQueryPool(n int) (QueryPool, Result) {
	ci := vulkan.QueryPoolCreateInfo{SType: vulkan.StructureTypeQueryPoolCreateInfo,
		QueryType: vulkan.QueryTypeTimestamp, QueryCount: uint32(n)}
	var p QueryPool
	r := made(queryPools, vulkan.CreateQueryPool(d.h, &ci, nil, &p))
	ci.Free()
	return p, r
}

// DestroyQueryPool destroys p.
func (d *Device) DestroyQueryPool(p QueryPool) {
	gone(queryPools, p)
	vulkan.DestroyQueryPool(d.h, p, nil)
}
