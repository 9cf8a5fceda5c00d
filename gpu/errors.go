package gpu

import (
	"errors"
	"fmt"

	"sparsevk/gpu/vk"
)

// What went wrong, for errors.Is.
var (
	// ErrLost: the device is gone (reset, unplugged, or stopped by a watchdog).
	// It does not come back; go on from the last checkpoint in a new process.
	ErrLost = errors.New("the device is lost")
	// ErrOutOfMemory: an allocation does not fit.
	ErrOutOfMemory = errors.New("out of memory")
	// ErrNoLoader: there is no Vulkan library.
	ErrNoLoader = errors.New("no Vulkan library")
	// ErrNoDevice: there is no device, or none that was asked for.
	ErrNoDevice = errors.New("no Vulkan device")
	// ErrNoLayer: validation was asked for, and the layer is not installed.
	ErrNoLayer = errors.New("no validation layer")
	// ErrNoStorage16: a kernel for 16-bit elements, and the device cannot load and
	// store those in storage buffers.
	ErrNoStorage16 = errors.New("the device has no 16-bit storage buffers (storageBuffer16BitAccess)")
	// ErrNoMatrix: a kernel that multiplies cooperative matrices, and the device has
	// none.
	ErrNoMatrix = errors.New("the device does not multiply cooperative matrices (VK_KHR_cooperative_matrix)")
	// ErrClosed: the device or the buffer has been closed.
	ErrClosed = errors.New("closed")
)

// An Error is a Vulkan call that failed.
type Error struct {
	Call   string // "vkAllocateMemory"
	Result string // "VK_ERROR_OUT_OF_DEVICE_MEMORY"
	Code   int    // the result's value
	Detail string // what was asked: names and sizes
}

// Error names the call, its result and what it was about.
func (e *Error) Error() string {
	s := fmt.Sprintf("gpu: %s: %s (%d)", e.Call, e.Result, e.Code)
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s
}

// Is relates e to ErrLost, ErrOutOfMemory and ErrNoLayer.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrLost:
		return e.Code == int(vk.DeviceLost)
	case ErrOutOfMemory:
		return e.Code == int(vk.OutOfHostMemory) || e.Code == int(vk.OutOfDeviceMemory)
	case ErrNoLayer:
		return e.Code == int(vk.LayerNotPresent)
	}
	return false
}

func newError(call string, r vk.Result, detail string) *Error {
	return &Error{Call: call, Result: vk.ResultName(r), Code: int(r), Detail: detail}
}
