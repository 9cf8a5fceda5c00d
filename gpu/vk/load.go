package vk

/*
#cgo CFLAGS: -std=gnu11 -O2 -Wall -Wextra
#cgo linux LDFLAGS: -ldl
#include <stdlib.h>
#include "shim.h"
*/
import "C"

import (
	"errors"
	"unsafe"

	vulkan "github.com/vulkan-go/vulkan"
)

// Load opens the Vulkan library at path, or the system's if path is empty, and
// wires the binding to it. It must not be called while an instance lives.
func Load(path string) error {
	p := C.CString(path)
	defer C.free(unsafe.Pointer(p))
	var why [512]C.char
	f := C.vx_load(p, &why[0], C.size_t(len(why)))
	if f == nil {
		return errors.New(C.GoString(&why[0]))
	}
	vulkan.SetGetInstanceProcAddr(f)
	return vulkan.Init()
}

// InstanceVersion is the version of the loaded library, packed as Vulkan does.
func InstanceVersion() uint32 { return uint32(C.vx_instance_version()) }

// Version packs major and minor.
func Version(major, minor int) uint32 { return vulkan.MakeVersion(major, minor, 0) }
