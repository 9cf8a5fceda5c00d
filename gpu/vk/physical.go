package vk

/*
#include <stdlib.h>
#include "shim.h"
*/
import "C"

import (
	"fmt"
	"slices"
	"unsafe"

	vulkan "github.com/vulkan-go/vulkan"
)

// A PhysicalDevice is one that the instance found.
type PhysicalDevice struct {
	inst *Instance
	h    vulkan.PhysicalDevice
}

// Properties is what a physical device says of itself, as plain values.
type Properties struct {
	Name, Driver, DriverInfo                     string
	APIVersion, DriverVersion                    uint32
	VendorID, DeviceID, DriverID                 uint32
	Type                                         string // discrete, integrated, virtual, cpu, other
	UUID, CacheUUID                              [16]byte
	Limits                                       vulkan.PhysicalDeviceLimits
	MaxAllocation, MaxBuffer                     uint64 // 0: not said
	SubgroupSize, SubgroupMin, SubgroupMax       uint32
	SubgroupOps                                  uint32 // VkSubgroupFeatureFlags in compute shaders
	Float64, Int64, Int16, Float16, Int8         bool
	Storage16, Storage8, IntDot, SubgroupControl bool
	Address                                      bool // shaders may get the addresses of buffers
	Cooperative                                  bool // shaders may multiply cooperative matrices
	Extensions                                   []string
	Matrices                                     []Matrix
}

// A Matrix is a product of matrices, M by K and K by N, added to one of M by N, that
// a device has instructions for. Types are names such as float16.
type Matrix struct {
	M, N, K         uint32
	A, B, C, Result string
	Subgroup        bool // the matrices are spread over a subgroup
}

// CooperativeMatrix is the extension of devices that have such instructions.
const CooperativeMatrix = "VK_KHR_cooperative_matrix"

// componentNames are the values of VkComponentTypeKHR.
var componentNames = map[uint32]string{0: "float16", 1: "float32", 2: "float64", 3: "int8", 4: "int16", 5: "int32", 6: "int64",
	7: "uint8", 8: "uint16", 9: "uint32", 10: "uint64", 1000141000: "bfloat16"}

// scopeSubgroup is VK_SCOPE_SUBGROUP_KHR.
const scopeSubgroup = 3

var typeNames = map[vulkan.PhysicalDeviceType]string{
	vulkan.PhysicalDeviceTypeOther: "other", vulkan.PhysicalDeviceTypeIntegratedGpu: "integrated",
	vulkan.PhysicalDeviceTypeDiscreteGpu: "discrete", vulkan.PhysicalDeviceTypeVirtualGpu: "virtual",
	vulkan.PhysicalDeviceTypeCpu: "cpu",
}

// Properties queries the device.
func (p PhysicalDevice) Properties() Properties {
	var o C.vx_info
	C.vx_query(pointer(p.inst.h), pointer(p.h), &o)
	var v vulkan.PhysicalDeviceProperties
	vulkan.GetPhysicalDeviceProperties(p.h, &v)
	v.Deref()
	v.Limits.Deref()
	// What was an extension's before it was Vulkan's counts from then on: extensions
	// are not enabled for it.
	out := Properties{
		Name: vulkan.ToString(v.DeviceName[:]), Driver: C.GoString(&o.driverName[0]), DriverInfo: C.GoString(&o.driverInfo[0]),
		APIVersion: v.ApiVersion, DriverVersion: v.DriverVersion,
		VendorID: v.VendorID, DeviceID: v.DeviceID, DriverID: uint32(o.driverID), Type: typeNames[v.DeviceType],
		CacheUUID: v.PipelineCacheUUID, Limits: v.Limits,
		MaxAllocation: uint64(o.maxAllocation), MaxBuffer: uint64(o.maxBuffer),
		SubgroupSize: uint32(o.subgroupSize), SubgroupMin: uint32(o.subgroupMin), SubgroupMax: uint32(o.subgroupMax),
		Float64: o.float64 != 0, Int64: o.int64 != 0, Int16: o.int16 != 0, Float16: o.float16 != 0 && v.ApiVersion >= Version(1, 2), Int8: o.int8 != 0,
		Storage16: o.storage16 != 0, Storage8: o.storage8 != 0, IntDot: o.intDot != 0, SubgroupControl: o.subgroupControl != 0 && v.ApiVersion >= Version(1, 3),
		Address:    o.address != 0 && v.ApiVersion >= Version(1, 2),
		Extensions: p.extensions(),
	}
	if o.subgroupStages&C.VX_SHADER_STAGE_COMPUTE != 0 {
		out.SubgroupOps = uint32(o.subgroupOps)
	}
	out.Cooperative = o.matrix != 0 && o.memoryModel != 0 && v.ApiVersion >= Version(1, 2) && slices.Contains(out.Extensions, CooperativeMatrix)
	if out.Cooperative {
		out.Matrices = p.matrices()
	}
	for i, b := range o.deviceUUID {
		out.UUID[i] = byte(b)
	}
	v.Free()
	return out
}

func (p PhysicalDevice) extensions() []string {
	var n C.uint32_t
	list := C.vx_device_extensions(pointer(p.inst.h), pointer(p.h), &n)
	return names(list, n)
}

func (p PhysicalDevice) matrices() []Matrix {
	var n C.uint32_t
	list := C.vx_matrices(pointer(p.inst.h), pointer(p.h), &n)
	if list == nil {
		return nil
	}
	defer C.free(unsafe.Pointer(list))
	out := make([]Matrix, n)
	for i, m := range unsafe.Slice(list, n) {
		out[i] = Matrix{uint32(m.m), uint32(m.n), uint32(m.k), component(m.a), component(m.b), component(m.c), component(m.result), m.scope == scopeSubgroup}
	}
	return out
}

// component names a type of elements.
func component(v C.uint32_t) string {
	if s, ok := componentNames[uint32(v)]; ok {
		return s
	}
	return fmt.Sprintf("type %d", uint32(v))
}

// A QueueFamily is a kind of queue.
type QueueFamily struct {
	Compute, Graphics bool
	TimestampBits     uint32
}

// QueueFamilies lists the families by index.
func (p PhysicalDevice) QueueFamilies() []QueueFamily {
	var n C.uint32_t
	list := C.vx_families(pointer(p.inst.h), pointer(p.h), &n)
	if list == nil {
		return nil
	}
	defer C.free(unsafe.Pointer(list))
	out := make([]QueueFamily, n)
	for i, f := range unsafe.Slice(list, n) {
		flags := vulkan.QueueFlagBits(f.flags)
		out[i] = QueueFamily{flags&vulkan.QueueComputeBit != 0, flags&vulkan.QueueGraphicsBit != 0, uint32(f.timestampBits)}
	}
	return out
}

// A MemoryType is a kind of memory and the heap that it comes from.
type MemoryType struct {
	Flags MemoryPropertyFlags
	Heap  int
}

// A Heap is a pool of memory.
type Heap struct {
	Bytes       uint64
	DeviceLocal bool
}

// Memory lists the memory types and the heaps by index.
func (p PhysicalDevice) Memory() (types []MemoryType, heaps []Heap) {
	var m vulkan.PhysicalDeviceMemoryProperties
	vulkan.GetPhysicalDeviceMemoryProperties(p.h, &m)
	m.Deref()
	for i := range m.MemoryTypes[:m.MemoryTypeCount] {
		t := &m.MemoryTypes[i]
		t.Deref()
		types = append(types, MemoryType{MemoryPropertyFlags(t.PropertyFlags), int(t.HeapIndex)})
	}
	for i := range m.MemoryHeaps[:m.MemoryHeapCount] {
		h := &m.MemoryHeaps[i]
		h.Deref()
		local := vulkan.MemoryHeapFlagBits(h.Flags)&vulkan.MemoryHeapDeviceLocalBit != 0
		heaps = append(heaps, Heap{uint64(h.Size), local})
	}
	m.Free()
	return types, heaps
}

// portability is an extension that a device which lists it wants enabled.
const portability = "VK_KHR_portability_subset"

// executables is the extension that tells what a compiler made of a pipeline.
const executables = "VK_KHR_pipeline_executable_properties"

// Wants is what a device is opened with, beyond the base. A device that lacks some of
// it refuses to be opened.
type Wants struct {
	Statistics   bool // pipelines tell what the compiler made of them
	Storage16    bool // kernels load and store 16-bit elements of storage buffers
	Int64        bool // and 64-bit integers
	Address      bool // and get the addresses of buffers
	Float16      bool // and compute in 16 bits
	Cooperative  bool // and multiply cooperative matrices
	SubgroupSize bool // a pipeline may demand its subgroup size
}

// NewDevice creates a logical device with one queue of the family.
func (p PhysicalDevice) NewDevice(family uint32, w Wants) (*Device, Result) {
	var exts []string
	var chain unsafe.Pointer
	ask := func(want bool, link func(unsafe.Pointer) unsafe.Pointer) {
		if want {
			chain = link(chain)
		}
	}
	if slices.Contains(p.extensions(), portability) {
		exts = append(exts, portability+"\x00")
	}
	if w.Statistics {
		exts = append(exts, executables+"\x00")
	}
	if w.Cooperative {
		exts = append(exts, CooperativeMatrix+"\x00")
	}
	ask(w.Statistics, func(c unsafe.Pointer) unsafe.Pointer { return C.vx_statistics_chain(c) })
	ask(w.Storage16, func(c unsafe.Pointer) unsafe.Pointer { return C.vx_storage16_chain(c) })
	ask(w.Int64, func(c unsafe.Pointer) unsafe.Pointer { return C.vx_int64_chain(c) })
	ask(w.Address, func(c unsafe.Pointer) unsafe.Pointer { return C.vx_address_chain(c) })
	ask(w.Cooperative, func(c unsafe.Pointer) unsafe.Pointer { return C.vx_matrix_chain(c) })
	ask(w.Cooperative, func(c unsafe.Pointer) unsafe.Pointer { return C.vx_memory_model_chain(c) })
	ask(w.Float16, func(c unsafe.Pointer) unsafe.Pointer { return C.vx_float16_chain(c) })
	ask(w.SubgroupSize, func(c unsafe.Pointer) unsafe.Pointer { return C.vx_subgroup_size_chain(c) })
	defer C.vx_chain_free(chain)
	q := []vulkan.DeviceQueueCreateInfo{{SType: vulkan.StructureTypeDeviceQueueCreateInfo,
		QueueFamilyIndex: family, QueueCount: 1, PQueuePriorities: []float32{1}}}
	ci := vulkan.DeviceCreateInfo{SType: vulkan.StructureTypeDeviceCreateInfo, PNext: chain, QueueCreateInfoCount: 1, PQueueCreateInfos: q,
		EnabledExtensionCount: uint32(len(exts)), PpEnabledExtensionNames: exts}
	var h vulkan.Device
	r := made(devices, vulkan.CreateDevice(p.h, &ci, nil, &h))
	ci.Free()
	if r != vulkan.Success {
		return nil, r
	}
	var queue vulkan.Queue
	vulkan.GetDeviceQueue(h, family, 0, &queue)
	return newDevice(p.inst, h, queue, w.Address)
}
