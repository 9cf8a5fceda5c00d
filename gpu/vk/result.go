package vk

import (
	"fmt"

	vulkan "github.com/vulkan-go/vulkan"
)

// Results that callers tell apart.
const (
	Success             = vulkan.Success
	OutOfHostMemory     = vulkan.ErrorOutOfHostMemory
	OutOfDeviceMemory   = vulkan.ErrorOutOfDeviceMemory
	DeviceLost          = vulkan.ErrorDeviceLost
	LayerNotPresent     = vulkan.ErrorLayerNotPresent
	ExtensionNotPresent = vulkan.ErrorExtensionNotPresent
	IncompatibleDriver  = vulkan.ErrorIncompatibleDriver
)

var resultNames = map[Result]string{
	0: "VK_SUCCESS", 1: "VK_NOT_READY", 2: "VK_TIMEOUT", 5: "VK_INCOMPLETE",
	-1: "VK_ERROR_OUT_OF_HOST_MEMORY", -2: "VK_ERROR_OUT_OF_DEVICE_MEMORY", -3: "VK_ERROR_INITIALIZATION_FAILED",
	-4: "VK_ERROR_DEVICE_LOST", -5: "VK_ERROR_MEMORY_MAP_FAILED", -6: "VK_ERROR_LAYER_NOT_PRESENT",
	-7: "VK_ERROR_EXTENSION_NOT_PRESENT", -8: "VK_ERROR_FEATURE_NOT_PRESENT", -9: "VK_ERROR_INCOMPATIBLE_DRIVER",
	-10: "VK_ERROR_TOO_MANY_OBJECTS", -11: "VK_ERROR_FORMAT_NOT_SUPPORTED", -12: "VK_ERROR_FRAGMENTED_POOL",
	-13: "VK_ERROR_UNKNOWN", -1000011001: "VK_ERROR_VALIDATION_FAILED", -1000012000: "VK_ERROR_INVALID_SHADER",
	-1000069000: "VK_ERROR_OUT_OF_POOL_MEMORY", -1000161000: "VK_ERROR_FRAGMENTATION",
	1000297000: "VK_PIPELINE_COMPILE_REQUIRED",
}

// ResultName is the name of r in the specification.
func ResultName(r Result) string {
	if n, ok := resultNames[r]; ok {
		return n
	}
	return fmt.Sprintf("VkResult(%d)", int32(r))
}
