package vk

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"encoding/binary"
	"unsafe"

	vulkan "github.com/vulkan-go/vulkan"
)

// A DescriptorType is what a binding takes.
type DescriptorType uint32

// The descriptor types in use.
const (
	UniformTexelBuffer = DescriptorType(vulkan.DescriptorTypeUniformTexelBuffer)
	StorageBuffer      = DescriptorType(vulkan.DescriptorTypeStorageBuffer)
)

const compute = vulkan.ShaderStageFlags(vulkan.ShaderStageComputeBit)

// NewPipelineCache creates a cache from saved data; the caller has checked it.
func (d *Device) NewPipelineCache(data []byte) (PipelineCache, Result) {
	ci := vulkan.PipelineCacheCreateInfo{SType: vulkan.StructureTypePipelineCacheCreateInfo}
	if len(data) > 0 {
		p := C.CBytes(data)
		defer C.free(p)
		ci.InitialDataSize, ci.PInitialData = uint(len(data)), p
	}
	var c PipelineCache
	r := made(caches, vulkan.CreatePipelineCache(d.h, &ci, nil, &c))
	ci.Free()
	return c, r
}

// PipelineCacheData returns what a cache would save.
func (d *Device) PipelineCacheData(c PipelineCache) ([]byte, Result) {
	var n uint
	if r := vulkan.GetPipelineCacheData(d.h, c, &n, nil); r != vulkan.Success || n == 0 {
		return nil, r
	}
	p := C.calloc(1, C.size_t(n))
	defer C.free(p)
	r := vulkan.GetPipelineCacheData(d.h, c, &n, p)
	return C.GoBytes(p, C.int(n)), r
}

// DestroyPipelineCache destroys c.
func (d *Device) DestroyPipelineCache(c PipelineCache) {
	gone(caches, c)
	vulkan.DestroyPipelineCache(d.h, c, nil)
}

// NewShaderModule takes SPIR-V, little-endian words.
func (d *Device) NewShaderModule(code []byte) (ShaderModule, Result) {
	words := make([]uint32, len(code)/4)
	for i := range words {
		words[i] = binary.LittleEndian.Uint32(code[4*i:])
	}
	ci := vulkan.ShaderModuleCreateInfo{SType: vulkan.StructureTypeShaderModuleCreateInfo, CodeSize: uint(len(code)), PCode: words}
	var m ShaderModule
	r := made(modules, vulkan.CreateShaderModule(d.h, &ci, nil, &m))
	ci.Free()
	return m, r
}

// DestroyShaderModule destroys m.
func (d *Device) DestroyShaderModule(m ShaderModule) {
	gone(modules, m)
	vulkan.DestroyShaderModule(d.h, m, nil)
}

// NewSetLayout describes a set with one descriptor per type.
func (d *Device) NewSetLayout(types []DescriptorType) (SetLayout, Result) {
	list := make([]vulkan.DescriptorSetLayoutBinding, len(types))
	for i, t := range types {
		list[i] = vulkan.DescriptorSetLayoutBinding{Binding: uint32(i), DescriptorType: vulkan.DescriptorType(t),
			DescriptorCount: 1, StageFlags: compute}
	}
	ci := vulkan.DescriptorSetLayoutCreateInfo{SType: vulkan.StructureTypeDescriptorSetLayoutCreateInfo,
		BindingCount: uint32(len(list)), PBindings: list}
	var l SetLayout
	r := made(setLayouts, vulkan.CreateDescriptorSetLayout(d.h, &ci, nil, &l))
	ci.Free()
	return l, r
}

// DestroySetLayout destroys l.
func (d *Device) DestroySetLayout(l SetLayout) {
	gone(setLayouts, l)
	vulkan.DestroyDescriptorSetLayout(d.h, l, nil)
}

// NewPipelineLayout describes one set and so many bytes of push constants.
func (d *Device) NewPipelineLayout(set SetLayout, pushBytes uint32) (PipelineLayout, Result) {
	ci := vulkan.PipelineLayoutCreateInfo{SType: vulkan.StructureTypePipelineLayoutCreateInfo,
		SetLayoutCount: 1, PSetLayouts: []SetLayout{set}}
	if pushBytes > 0 {
		ci.PushConstantRangeCount = 1
		ci.PPushConstantRanges = []vulkan.PushConstantRange{{StageFlags: compute, Size: pushBytes}}
	}
	var l PipelineLayout
	r := made(pipelineLayouts, vulkan.CreatePipelineLayout(d.h, &ci, nil, &l))
	ci.Free()
	return l, r
}

// DestroyPipelineLayout destroys l.
func (d *Device) DestroyPipelineLayout(l PipelineLayout) {
	gone(pipelineLayouts, l)
	vulkan.DestroyPipelineLayout(d.h, l, nil)
}

// MaxSpec is how many specialization constants NewPipeline takes.
const MaxSpec = 64

// NewPipeline builds a compute pipeline of entry point main; spec holds the
// specialization constants 0..len(spec)-1. With statistics the compiler counts
// for Statistics. Unless lanes is 0, subgroups have so many.
func (d *Device) NewPipeline(c PipelineCache, m ShaderModule, l PipelineLayout, spec []uint32, statistics bool, lanes uint32) (Pipeline, Result) {
	var out C.uint64_t
	var flags C.VxFlags
	if statistics {
		flags = C.VX_PIPELINE_CAPTURE_STATISTICS
	}
	r := C.vx_compute_pipeline(d.fn, C.uint64_t(bits(c)), C.uint64_t(bits(m)), C.uint64_t(bits(l)),
		(*C.uint32_t)(unsafe.SliceData(spec)), C.uint32_t(len(spec)), flags, C.uint32_t(lanes), &out)
	return handle[Pipeline](uint64(out)), made(pipelines, Result(r))
}

// Statistics returns what the compiler counted in a pipeline, by the driver's
// names.
func (d *Device) Statistics(p Pipeline) (map[string]float64, Result) {
	var list *C.vx_statistic
	var n C.uint32_t
	r := Result(C.vx_statistics(d.fn, C.uint64_t(bits(p)), &list, &n))
	defer C.free(unsafe.Pointer(list))
	if r != vulkan.Success {
		return nil, r
	}
	out := make(map[string]float64, n)
	for i := range unsafe.Slice(list, n) {
		s := &unsafe.Slice(list, n)[i]
		out[C.GoString(&s.name[0])] = float64(s.value)
	}
	return out, r
}

// DestroyPipeline destroys p.
func (d *Device) DestroyPipeline(p Pipeline) {
	gone(pipelines, p)
	vulkan.DestroyPipeline(d.h, p, nil)
}

// NewDescriptorPool has room for so many sets and descriptors.
func (d *Device) NewDescriptorPool(sets, storage, texel int) (DescriptorPool, Result) {
	var sizes []vulkan.DescriptorPoolSize
	if storage > 0 {
		sizes = append(sizes, vulkan.DescriptorPoolSize{Type: vulkan.DescriptorTypeStorageBuffer, DescriptorCount: uint32(storage)})
	}
	if texel > 0 {
		sizes = append(sizes, vulkan.DescriptorPoolSize{Type: vulkan.DescriptorTypeUniformTexelBuffer, DescriptorCount: uint32(texel)})
	}
	ci := vulkan.DescriptorPoolCreateInfo{SType: vulkan.StructureTypeDescriptorPoolCreateInfo, MaxSets: uint32(sets),
		PoolSizeCount: uint32(len(sizes)), PPoolSizes: sizes}
	var p DescriptorPool
	r := made(descriptorPools, vulkan.CreateDescriptorPool(d.h, &ci, nil, &p))
	ci.Free()
	return p, r
}

// DestroyDescriptorPool destroys p with its sets.
func (d *Device) DestroyDescriptorPool(p DescriptorPool) {
	gone(descriptorPools, p)
	vulkan.DestroyDescriptorPool(d.h, p, nil)
}

// NewDescriptorSet takes a set of layout l from p.
func (d *Device) NewDescriptorSet(p DescriptorPool, l SetLayout) (DescriptorSet, Result) {
	ci := vulkan.DescriptorSetAllocateInfo{SType: vulkan.StructureTypeDescriptorSetAllocateInfo, DescriptorPool: p,
		DescriptorSetCount: 1, PSetLayouts: []SetLayout{l}}
	var s DescriptorSet
	r := vulkan.AllocateDescriptorSets(d.h, &ci, &s)
	ci.Free()
	return s, r
}

// A Write fills one descriptor of a set.
type Write = C.vx_write

// WriteBuffer binds a range of a buffer.
func WriteBuffer(s DescriptorSet, binding int, b Buffer, off, bytes uint64) Write {
	return Write{set: C.uint64_t(bits(s)), handle: C.uint64_t(bits(b)), off: C.uint64_t(off), bytes: C.uint64_t(bytes),
		binding: C.uint32_t(binding), _type: C.uint32_t(StorageBuffer)}
}

// WriteView binds a texel view.
func WriteView(s DescriptorSet, binding int, v BufferView) Write {
	return Write{set: C.uint64_t(bits(s)), handle: C.uint64_t(bits(v)),
		binding: C.uint32_t(binding), _type: C.uint32_t(UniformTexelBuffer)}
}

// WriteSets writes all of list: one crossing of the border.
func (d *Device) WriteSets(list []Write) {
	C.vx_write_sets(d.fn, unsafe.SliceData(list), C.uint32_t(len(list)))
}
