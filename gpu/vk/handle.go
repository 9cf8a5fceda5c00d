package vk

import (
	"unsafe"

	vulkan "github.com/vulkan-go/vulkan"
)

// The handles and the result code of the binding.
type (
	Result              = vulkan.Result
	Buffer              = vulkan.Buffer
	BufferView          = vulkan.BufferView
	Memory              = vulkan.DeviceMemory
	ShaderModule        = vulkan.ShaderModule
	SetLayout           = vulkan.DescriptorSetLayout
	PipelineLayout      = vulkan.PipelineLayout
	Pipeline            = vulkan.Pipeline
	PipelineCache       = vulkan.PipelineCache
	DescriptorPool      = vulkan.DescriptorPool
	DescriptorSet       = vulkan.DescriptorSet
	CommandPool         = vulkan.CommandPool
	QueryPool           = vulkan.QueryPool
	Fence               = vulkan.Fence
	MemoryPropertyFlags = vulkan.MemoryPropertyFlagBits
)

// bits reads a handle's 64 bits without ever making an unsafe.Pointer of them:
// handles may be small integers, on which Go's stack copier throws.
func bits[T any](h T) uint64 { return *(*uint64)(unsafe.Pointer(&h)) }

// handle is the inverse of bits.
func handle[T any](u uint64) T { return *(*T)(unsafe.Pointer(&u)) }

// pointer is for dispatchable handles, which are real pointers to C memory.
func pointer[T any](h T) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&h)) }

// terminated gives a string the NUL that the binding expects in it.
func terminated(s []string) []string {
	t := make([]string, len(s))
	for i := range s {
		t[i] = s[i] + "\x00"
	}
	return t
}
