package ops

import "fmt"

// Class is a kind of device, as far as the choice of kernels goes. The class is
// an argument of a plan: the same class gives the same plan and the same steps on
// any device, and with no device at all.
type Class uint8

// The classes. The zero value serves every device.
const (
	Plain  Class = iota // runs everywhere: 128 invocations, 16 KiB of shared memory, any subgroup size
	Quad                // software drivers with 8 lanes: texel buffers, quads of pixels, weights by subgroup broadcast
	Quad16              // the same with 16 lanes
	Small               // any GPU: tiles in shared memory, within the limits of the weakest
	NVIDIA              // GPUs of NVIDIA
	RDNA                // GPUs of AMD whose subgroups may have 32 lanes
	GCN                 // GPUs of AMD before, and CDNA
	Intel               // GPUs of Intel
)

// Traits is what a class is chosen by. It says of a device what it reports of
// itself; package record makes it of an open one.
type Traits struct {
	CPU          bool   // a software driver
	Vendor       uint32 // PCI identifier
	Lanes, Least uint32 // subgroup size, and the least where it can vary
	Texels       uint64 // elements of a texel buffer
	Shared       uint32 // bytes of shared memory of a workgroup
	Invocations  uint32 // of a workgroup
	Addresses    bool   // shaders may have 64-bit integers and the addresses of buffers
	Matrix       Matrix // what it multiplies at a time: no class needs it, but variants do
}

// profile is what the table says of a class: which devices it is for, what it
// needs of them, and which kernels it takes.
type profile struct {
	name        string
	vendor      uint32 // PCI identifier; 0: any
	cpu         bool
	lanes       uint32 // subgroup size that the kernels are written for; 0: any
	least       uint32 // least subgroup size at most; 0: any
	texels      uint64 // that a texel buffer must hold
	shared      uint32 // bytes that a workgroup must have
	invocations uint32 // that a workgroup must take
	addresses   bool   // of buffers, and 64-bit integers
	rules       []rule
}

// PCI identifiers of vendors.
const (
	VendorNVIDIA = 0x10de
	VendorAMD    = 0x1002
	VendorIntel  = 0x8086
)

// profiles is the table that ships, by class. The tiles are KERNELS.md section 5's
// for each vendor: of what others found, not yet measured with these kernels. None
// names the Winograd tiles, which only 'sparsenet tune' tries. Maps of float16 take
// cooperative matrices first where the device multiplies them, but for Intel's, where
// others found them slower on some devices: there 'sparsenet tune' tries them.
var profiles = [...]profile{
	Plain:  {name: "plain", cpu: true},
	Quad:   {name: "quad", cpu: true, lanes: 8, texels: DefaultRange / 16, addresses: true, rules: []rule{{variant: QuadForm}}},
	Quad16: {name: "quad16", cpu: true, lanes: 16, texels: DefaultRange / 16, addresses: true, rules: []rule{{variant: QuadForm}}},
	Small:  {name: "small", shared: 16 << 10, invocations: 128, rules: tileRules("tile-16k", "tile-32x64")},
	NVIDIA: {name: "nvidia", vendor: VendorNVIDIA, shared: 32 << 10, invocations: 256, rules: append(matrixRules(), tileRules("tile-32k", "tile-32x256", "tile-64x128", "tile-32x128")...)},
	RDNA:   {name: "rdna", vendor: VendorAMD, least: 32, shared: 32 << 10, invocations: 256, rules: append(matrixRules(), tileRules("tile-32k", "tile-32x256", "tile-64x128", "tile-32x128")...)},
	GCN:    {name: "gcn", vendor: VendorAMD, shared: 32 << 10, invocations: 256, rules: tileRules("tile-32k", "tile-32x128")},
	Intel:  {name: "intel", vendor: VendorIntel, shared: 32 << 10, invocations: 256, rules: tileRules("tile-16k", "tile-32x64")},
}

// matrixRules returns the rules for cooperative matrices, which fit float16 maps alone:
// narrow tiles for up to 16 channels, small ones for small planes.
func matrixRules() []rule {
	return []rule{{role: WeightsRole, variant: matrixWeights}, {makes: 16, variant: "matrix-16x256"},
		{makes: 32, pixels: 64 * 16 * 16, variant: "matrix-32x128"}, {makes: 32, variant: "matrix-32x256"},
		{variant: "matrix-64x128"}, {variant: "matrix-32x128"}}
}

// tileRules returns the rules of a class with tiles: the variant of weight
// gradients, and those of all else in the order of preference. Planes of 16x16
// pixels at batch 64 and smaller take small tiles, since there are few, and up to
// 16 channels narrow ones.
func tileRules(weights Variant, tiles ...Variant) []rule {
	rules := []rule{{role: WeightsRole, variant: weights}, {role: WeightsRole, variant: "tile-16k"}, {pixels: 64 * 16 * 16, variant: "tile-32x64"}}
	if tiles[0] != "tile-32x64" {
		rules = append(rules, rule{makes: 16, variant: "tile-16x256"})
	}
	for _, v := range tiles {
		rules = append(rules, rule{variant: v})
	}
	return append(rules, rule{variant: "tile-32x64"})
}

// preference is the order in which ClassOf asks the classes.
var preference = [...]Class{Quad, Quad16, Plain, NVIDIA, RDNA, GCN, Intel, Small}

// ClassOf returns the class that suits a device.
func ClassOf(t Traits) Class {
	for _, c := range preference {
		p := &profiles[c]
		if p.cpu == t.CPU && (p.vendor == 0 || p.vendor == t.Vendor) && c.Fits(t) == nil {
			return c
		}
	}
	return Plain
}

// quadClass returns the class whose lanes the quad forms have under c: c itself, or
// where a tuning brings them to a class that has none, Quad.
func (c Class) quadClass() Class {
	if c.Quads() {
		return c
	}
	return Quad
}

// Quads reports whether c prefers quad forms.
func (c Class) Quads() bool { return profiles[c].lanes != 0 }

// lanes returns the size of the subgroups that quad forms have under c.
func (c Class) lanes() uint32 { return profiles[c.quadClass()].lanes }

// FitsQuad returns why a device cannot run the quad forms under c, or nil.
func (c Class) FitsQuad(t Traits) error { return c.quadClass().Fits(t) }

// Fits returns why a device cannot run the kernels of c, or nil.
func (c Class) Fits(t Traits) error {
	p := &profiles[c]
	for _, w := range []struct {
		what       string
		want, have uint64
		wrong      bool
	}{
		{"subgroups of %d lanes", uint64(p.lanes), uint64(t.Lanes), p.lanes != 0 && p.lanes != t.Lanes},
		{"subgroups of %d lanes or less", uint64(p.least), uint64(t.Least), p.least != 0 && p.least < t.Least},
		{"texel buffers of %d elements", p.texels, t.Texels, p.texels > t.Texels},
		{"%d bytes of shared memory", uint64(p.shared), uint64(t.Shared), p.shared > t.Shared},
		{"workgroups of %d invocations", uint64(p.invocations), uint64(t.Invocations), p.invocations > t.Invocations},
	} {
		if w.wrong {
			return fmt.Errorf("ops: the %s kernels need "+w.what+", the device has %d", c, w.want, w.have)
		}
	}
	if p.addresses && !t.Addresses {
		return fmt.Errorf("ops: the %s kernels need 64-bit integers and addresses of buffers, which the device has not", c)
	}
	return nil
}

// Classes returns all classes.
func Classes() []Class {
	all := make([]Class, len(profiles))
	for i := range all {
		all[i] = Class(i)
	}
	return all
}

// ParseClass reads the name of a class.
func ParseClass(s string) (Class, error) {
	names := ""
	for i := range profiles {
		if profiles[i].name == s {
			return Class(i), nil
		}
		names += " " + profiles[i].name
	}
	return 0, fmt.Errorf("ops: unknown class of kernels %q: there are%s", s, names)
}

// String returns the name that ParseClass reads.
func (c Class) String() string { return profiles[c].name }
