package gpu

import (
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"

	"sparsevk/gpu/vk"
)

// Info says which device it is and what it can do.
type Info struct {
	Index         int // in the library's order
	Name, UUID    string
	Driver        string // "llvmpipe"
	DriverInfo    string // "Mesa 25.0.7"
	Type          string // discrete, integrated, virtual, cpu, other
	VendorID      uint32
	DeviceID      uint32
	DriverID      uint32 // VkDriverId
	APIVersion    uint32 // packed, see Version
	DriverVersion uint32 // packed as the vendor likes
	SubgroupSize  uint32
	SubgroupMin   uint32 // where the size can vary
	SubgroupMax   uint32
	Heaps         []Heap
	Features      Features
	Matrices      []Matrix // of VK_KHR_cooperative_matrix, if Features.CooperativeMatrix
	Limits        Limits
}

// Llvmpipe is the DriverID of Mesa's lavapipe, VK_DRIVER_ID_MESA_LLVMPIPE.
const Llvmpipe = 13

// Heap is a pool of memory.
type Heap struct {
	Bytes       uint64
	DeviceLocal bool
}

// Features is what a device offers beyond the base. Of it Storage16, Float16, Int64,
// Address, CooperativeMatrix and SubgroupControl are enabled, where they are there; subgroup
// operations need no enabling.
type Features struct {
	Float64, Float16, Int64, Int16, Int8 bool // arithmetic
	Storage16, Storage8                  bool // loads and stores
	IntegerDot, SubgroupControl          bool
	Address                              bool     // shaders may get the addresses of buffers; only software drivers are asked for it
	CooperativeMatrix                    bool     // shaders may multiply such matrices, see Info.Matrices
	Subgroup                             []string // operations in compute shaders: basic, vote, ...
}

// Matrix is a product of matrices that a device has instructions for.
type Matrix = vk.Matrix

// Version returns the packed API version as text: "1.3.230".
func Version(v uint32) string { return fmt.Sprintf("%d.%d.%d", v>>22&0x7f, v>>12&0x3ff, v&0xfff) }

// subgroupNames are the bits of VkSubgroupFeatureFlags.
var subgroupNames = [...]string{"basic", "vote", "arithmetic", "ballot", "shuffle", "shuffle-relative", "clustered", "quad"}

func subgroupOps(bits uint32) []string {
	var out []string
	for i, n := range subgroupNames {
		if bits>>i&1 != 0 {
			out = append(out, n)
		}
	}
	return out
}

func newInfo(index int, p *vk.Properties, heaps []vk.Heap) Info {
	u := hex.EncodeToString(p.UUID[:])
	i := Info{Index: index, Name: p.Name, UUID: u[:8] + "-" + u[8:12] + "-" + u[12:16] + "-" + u[16:20] + "-" + u[20:],
		Driver: p.Driver, DriverInfo: p.DriverInfo, Type: p.Type,
		VendorID: p.VendorID, DeviceID: p.DeviceID, DriverID: p.DriverID, APIVersion: p.APIVersion, DriverVersion: p.DriverVersion,
		SubgroupSize: p.SubgroupSize, SubgroupMin: p.SubgroupMin, SubgroupMax: p.SubgroupMax,
		Features: Features{Float64: p.Float64, Float16: p.Float16, Int64: p.Int64, Int16: p.Int16, Int8: p.Int8,
			Storage16: p.Storage16, Storage8: p.Storage8, IntegerDot: p.IntDot, Address: p.Address && p.Type == "cpu", SubgroupControl: p.SubgroupControl,
			CooperativeMatrix: p.Cooperative,
			Subgroup:          subgroupOps(p.SubgroupOps)},
		Matrices: p.Matrices,
	}
	for _, h := range heaps {
		i.Heaps = append(i.Heaps, Heap{h.Bytes, h.DeviceLocal})
	}
	return i
}

// found is a physical device with what it says.
type found struct {
	pd     vk.PhysicalDevice
	props  vk.Properties
	types  []vk.MemoryType
	family int // of the queue, -1: none computes
	info   Info
}

// discover lists the devices of an instance.
func discover(inst *vk.Instance, clamp bool) ([]found, error) {
	pds, r := inst.PhysicalDevices()
	if r != vk.Success {
		return nil, newError("vkEnumeratePhysicalDevices", r, "")
	}
	if len(pds) == 0 {
		return nil, fmt.Errorf("gpu: %w", noDevice("the Vulkan library finds none"))
	}
	out := make([]found, len(pds))
	for i, pd := range pds {
		f := &out[i]
		f.pd, f.props = pd, pd.Properties()
		var heaps []vk.Heap
		f.types, heaps = pd.Memory()
		f.info = newInfo(i, &f.props, heaps)
		families := pd.QueueFamilies()
		f.family = family(families)
		var bits uint32
		if f.family >= 0 {
			bits = families[f.family].TimestampBits
		}
		f.info.Limits = newLimits(&f.props, bits)
		if clamp {
			f.info.Limits = f.info.Limits.clamped()
		}
	}
	return out, nil
}

// family chooses the queue: one that computes, with timestamps if there is one,
// and apart from graphics if there is one, so that the desktop stays alive.
func family(list []vk.QueueFamily) int {
	best, score := -1, -1
	for i, f := range list {
		s := 0
		if f.TimestampBits > 0 {
			s += 2
		}
		if !f.Graphics {
			s++
		}
		if f.Compute && s > score {
			best, score = i, s
		}
	}
	return best
}

// rank orders device types, best first.
var rank = map[string]int{"discrete": 0, "integrated": 1, "virtual": 2, "cpu": 3, "other": 4}

// choose returns the best device that want names: an index, part of a name
// (any case), or a UUID; empty means $SPARSEVK_DEVICE, or any.
func choose(list []found, want string) (*found, error) {
	if want == "" {
		want = os.Getenv("SPARSEVK_DEVICE")
	}
	index, err := strconv.Atoi(want)
	isIndex := err == nil && index >= 0 && index < len(list)
	var best *found
	for i := range list {
		if isIndex && i != index || !isIndex && !called(&list[i].info, want) {
			continue
		}
		if best == nil || rank[list[i].info.Type] < rank[best.info.Type] {
			best = &list[i]
		}
	}
	if best == nil {
		var have []string
		for _, f := range list {
			have = append(have, fmt.Sprintf("%d %q", f.info.Index, f.info.Name))
		}
		return nil, fmt.Errorf("gpu: %w: none is called %q; there are: %s", ErrNoDevice, want, strings.Join(have, ", "))
	}
	return best, nil
}

// called says whether want is part of the device's name, or its UUID.
func called(i *Info, want string) bool {
	plain := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, "-", "")) }
	return strings.Contains(strings.ToLower(i.Name), strings.ToLower(want)) || plain(want) == plain(i.UUID)
}

// List describes all devices. Of the options it heeds Clamp, Validate, Loader.
func List(o Options) ([]Info, error) {
	inst, err := acquire(o)
	if err != nil {
		return nil, err
	}
	defer release()
	list, err := discover(inst, o.Clamp)
	if err != nil {
		return nil, err
	}
	out := make([]Info, len(list))
	for i := range list {
		out[i] = list[i].info
	}
	return out, nil
}
