package vk

import (
	"sync/atomic"

	vulkan "github.com/vulkan-go/vulkan"
)

// A kind is a type of handle that is created and destroyed one by one. Command
// buffers and descriptor sets are not: they go with their pools.
type kind int

const (
	instances kind = iota
	messengers
	devices
	fences
	commandPools
	queryPools
	buffers
	memories
	views
	caches
	modules
	setLayouts
	pipelineLayouts
	pipelines
	descriptorPools
	kinds
)

var kindNames = [kinds]string{"VkInstance", "VkDebugUtilsMessengerEXT", "VkDevice", "VkFence", "VkCommandPool", "VkQueryPool", "VkBuffer",
	"VkDeviceMemory", "VkBufferView", "VkPipelineCache", "VkShaderModule", "VkDescriptorSetLayout", "VkPipelineLayout", "VkPipeline",
	"VkDescriptorPool"}

var live [kinds]atomic.Int64

// made counts a handle, if its creation succeeded.
func made(k kind, r Result) Result {
	if r == vulkan.Success {
		live[k].Add(1)
	}
	return r
}

// gone counts the destruction of h; null is no handle, and its destruction does
// nothing.
func gone[T any](k kind, h T) {
	if bits(h) != 0 {
		live[k].Add(-1)
	}
}

// Live counts the handles of the process that were made and not destroyed, by
// Vulkan's name of their type; types without any are absent.
func Live() map[string]int {
	m := map[string]int{}
	for k := range live {
		if n := live[k].Load(); n != 0 {
			m[kindNames[k]] = int(n)
		}
	}
	return m
}
