package vk

/*
#include <stdlib.h>
#include "shim.h"
*/
import "C"

import (
	"slices"
	"unsafe"

	vulkan "github.com/vulkan-go/vulkan"
)

// ValidationLayer is the name of the layer that checks our calls.
const ValidationLayer = "VK_LAYER_KHRONOS_validation"

// An Instance is the connection to the library. The binding has one table of
// functions, so a process has at most one.
type Instance struct {
	h         vulkan.Instance
	messenger C.uint64_t
}

// Layers lists the layers that are installed.
func Layers() []string {
	var n C.uint32_t
	list := C.vx_layers(&n)
	return names(list, n)
}

// InstanceExtensions lists the extensions of the library or, if layer is not
// empty, of the layer.
func InstanceExtensions(layer string) []string {
	l := C.CString(layer)
	defer C.free(unsafe.Pointer(l))
	var n C.uint32_t
	list := C.vx_instance_extensions(l, &n)
	return names(list, n)
}

// names takes over a list of n names.
func names(list *C.vx_name, n C.uint32_t) []string {
	if list == nil {
		return nil
	}
	defer C.free(unsafe.Pointer(list))
	out := make([]string, n)
	for i, s := range unsafe.Slice(list, n) {
		out[i] = C.GoString(&s.s[0])
	}
	return out
}

// NewInstance creates the instance: with validate, the validation layer and
// the collection of its messages; with sync, its synchronisation checks too.
func NewInstance(validate, sync bool) (*Instance, Result) {
	var layers, exts []string
	var flags vulkan.InstanceCreateFlags
	if slices.Contains(InstanceExtensions(""), "VK_KHR_portability_enumeration") {
		exts, flags = append(exts, "VK_KHR_portability_enumeration"), 1
	}
	var chain unsafe.Pointer
	if validate {
		layers, exts = append(layers, ValidationLayer), append(exts, "VK_EXT_debug_utils")
		features := slices.Contains(InstanceExtensions(ValidationLayer), "VK_EXT_validation_features")
		if features {
			exts = append(exts, "VK_EXT_validation_features")
		}
		chain = C.vx_debug_chain(boolean(features), boolean(sync))
		defer C.free(chain)
	}
	layers, exts = terminated(layers), terminated(exts)
	ai := vulkan.ApplicationInfo{SType: vulkan.StructureTypeApplicationInfo, ApiVersion: Version(1, 3),
		PApplicationName: "sparsevk\x00", PEngineName: "sparsevk\x00"}
	ci := vulkan.InstanceCreateInfo{SType: vulkan.StructureTypeInstanceCreateInfo, PNext: chain, Flags: flags, PApplicationInfo: &ai,
		EnabledLayerCount: uint32(len(layers)), PpEnabledLayerNames: layers,
		EnabledExtensionCount: uint32(len(exts)), PpEnabledExtensionNames: exts}
	var h vulkan.Instance
	r := made(instances, vulkan.CreateInstance(&ci, nil, &h))
	ci.Free()
	if r != vulkan.Success {
		return nil, r
	}
	if vulkan.InitInstance(h) != nil {
		return nil, vulkan.ErrorInitializationFailed
	}
	i := &Instance{h: h}
	if validate {
		var m C.uint64_t
		if r := made(messengers, Result(C.vx_messenger(pointer(h), &m))); r != vulkan.Success {
			i.Destroy()
			return nil, r
		}
		i.messenger = m
	}
	return i, vulkan.Success
}

func boolean(b bool) C.int {
	if b {
		return 1
	}
	return 0
}

// Destroy destroys the instance; all its devices must be gone.
func (i *Instance) Destroy() {
	gone(messengers, i.messenger)
	C.vx_messenger_destroy(pointer(i.h), i.messenger)
	gone(instances, i.h)
	vulkan.DestroyInstance(i.h, nil)
}

// PhysicalDevices lists the devices in the library's order.
func (i *Instance) PhysicalDevices() ([]PhysicalDevice, Result) {
	var n uint32
	if r := vulkan.EnumeratePhysicalDevices(i.h, &n, nil); r != vulkan.Success || n == 0 {
		return nil, r
	}
	list := make([]vulkan.PhysicalDevice, n)
	r := vulkan.EnumeratePhysicalDevices(i.h, &n, list)
	if r == vulkan.Incomplete {
		r = vulkan.Success
	}
	out := make([]PhysicalDevice, n)
	for k, h := range list[:n] {
		out[k] = PhysicalDevice{inst: i, h: h}
	}
	return out, r
}

// Messages drains what the validation layer said since the last call.
func Messages() []string {
	buf := make([]byte, 1<<18+128)
	n := C.vx_messages((*C.char)(unsafe.Pointer(&buf[0])), C.size_t(len(buf)))
	var out []string
	for rest := buf[:n]; len(rest) > 0; {
		end := slices.Index(rest, 0)
		out = append(out, string(rest[:end]))
		rest = rest[end+1:]
	}
	return out
}
