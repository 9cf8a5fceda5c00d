package gpu

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"sync"

	"sparsevk/gpu/vk"
)

// Validation says how much the validation layer checks.
type Validation int

// The modes of validation.
const (
	Off  Validation = iota
	Core            // wrong usage
	Sync            // and missing barriers
)

// String returns off, core or sync.
func (v Validation) String() string { return [...]string{"off", "core", "sync"}[v] }

// shared is the process's one instance. It lives while a Device is open.
var shared struct {
	sync.Mutex
	inst   *vk.Instance
	refs   int
	mode   Validation
	loaded bool
	loader string
}

// acquire returns the instance, which release gives back.
func acquire(o Options) (*vk.Instance, error) {
	o.Loader = cmp.Or(o.Loader, os.Getenv("SPARSEVK_LOADER"))
	s := &shared
	s.Lock()
	defer s.Unlock()
	if s.refs > 0 {
		if s.mode != o.Validate || s.loader != o.Loader {
			return nil, fmt.Errorf("gpu: validation %v, loader %q: a device is open with validation %v, loader %q; close it first",
				o.Validate, o.Loader, s.mode, s.loader)
		}
		s.refs++
		return s.inst, nil
	}
	if err := load(o.Loader); err != nil {
		return nil, err
	}
	inst, err := newInstance(o.Validate)
	if err != nil {
		return nil, err
	}
	s.inst, s.mode, s.refs = inst, o.Validate, 1
	return inst, nil
}

// load loads the library if another one is loaded, or none; shared is locked.
func load(path string) error {
	if shared.loaded && shared.loader == path {
		return nil
	}
	shared.loaded = false
	chooseVectors()
	if err := vk.Load(path); err != nil {
		return fmt.Errorf("gpu: %w: %w; install libvulkan1 (Debian, Ubuntu) or vulkan-loader (Fedora), or name the library by its path in SPARSEVK_LOADER", ErrNoLoader, err)
	}
	shared.loaded, shared.loader = true, path
	return nil
}

func newInstance(mode Validation) (*vk.Instance, error) {
	if v := vk.InstanceVersion(); v < vk.Version(1, 1) {
		return nil, fmt.Errorf("gpu: %w: the Vulkan library is version %d.%d, 1.1 is needed; install a newer libvulkan1", ErrNoLoader, v>>22, v>>12&0x3ff)
	}
	if mode != Off && !slices.Contains(vk.Layers(), vk.ValidationLayer) {
		return nil, newError("vkCreateInstance", vk.LayerNotPresent,
			"validation was asked for and "+vk.ValidationLayer+" is not installed; install vulkan-validationlayers")
	}
	inst, r := vk.NewInstance(mode != Off, mode == Sync)
	switch r {
	case vk.Success:
		return inst, nil
	case vk.IncompatibleDriver:
		return nil, fmt.Errorf("gpu: %w: %w", noDevice("no driver is installed"), newError("vkCreateInstance", r, ""))
	}
	return nil, newError("vkCreateInstance", r, "")
}

func noDevice(why string) error {
	return fmt.Errorf("%w: %s; install your GPU's driver, or mesa-vulkan-drivers, which runs on the CPU too", ErrNoDevice, why)
}

func release() {
	s := &shared
	s.Lock()
	defer s.Unlock()
	if s.refs--; s.refs == 0 {
		s.inst.Destroy()
		s.inst = nil
	}
}
