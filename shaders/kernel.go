package shaders

import (
	"encoding/binary"
	"fmt"
)

// Access says what a kernel does with a binding. It is reflected from the
// GLSL qualifiers: readonly, writeonly, or neither.
type Access uint8

// The accesses of a binding.
const (
	Read Access = 1 << iota
	Write
	ReadWrite = Read | Write
)

// String returns none, read, write or read-write.
func (a Access) String() string {
	return [...]string{"none", "read", "write", "read-write"}[a&3]
}

// BindingType is the descriptor type of a binding.
type BindingType uint8

// The descriptor types that kernels use.
const (
	Storage BindingType = iota // a storage buffer
	Texel                      // a uniform texel buffer, always of four floats a texel (RGBA32F)
	Address                    // no descriptor: a BufferAddress among the push constants (quad_store.glsl)
)

// Binding describes one binding of a kernel; its number is its index in
// Kernel.Bindings.
type Binding struct {
	Name   string // as in the GLSL: "x", "dy", "w"
	Type   BindingType
	Access Access
	Map    bool // its elements are of the kernel's Precision; those of all others are 4 bytes
}

// Spec is a specialization constant. Identifiers run from 0 without a hole.
type Spec struct {
	Name    string
	Default uint32 // bits
}

// A Kernel is one compute shader as data: its code, and what its interface is.
// Kernels are generated from the GLSL by tools/compile_shaders.go.
type Kernel struct {
	Name      string // file name without .comp: "relu_bwd"
	SPIRV     []byte // optimized module, entry point main
	Bindings  []Binding
	PushBytes uint32
	Addresses []uint32 // where in the push constants the bindings of type Address are
	Spec      []Spec
	// Local is the workgroup size; LocalID names the specialization constant
	// that overrides a component, or is -1.
	Local   [3]uint32
	LocalID [3]int
	// SharedBytes is the shared memory at default specialization.
	SharedBytes uint32
	// Subgroup is true if the kernel uses subgroup operations.
	Subgroup bool
	// Matrix is true if the kernel multiplies cooperative matrices.
	Matrix bool
	// Push is a nil pointer to the kernel's push struct, whose type every
	// step must use; nil if the kernel has no push constants.
	Push any
	// Source and Module are SHA-256 sums, in hexadecimal: of the GLSL with its
	// includes, and of SPIRV. The tests compare them with the files.
	Source, Module string
	// Half is the code for maps of the 16-bit precisions; nil if the kernel touches
	// no map, or those of Precision alone. In is how to get at it.
	Half []Form
	// Precision is that of the maps that SPIRV takes.
	Precision Precision
}

// A Form is the code of a kernel for maps of one precision.
type Form struct {
	Precision Precision
	SPIRV     []byte
	Module    string // SHA-256 of SPIRV
}

// halves holds the kernels of the 16-bit precisions.
var halves = func() map[*Kernel]map[Precision]*Kernel {
	all := map[*Kernel]map[Precision]*Kernel{}
	for _, k := range All {
		all[k] = map[Precision]*Kernel{}
		for _, f := range k.Half {
			h := *k
			h.Name, h.SPIRV, h.Module, h.Precision, h.Half = k.Name+"."+f.Precision.String(), f.SPIRV, f.Module, f.Precision, nil
			all[k][f.Precision] = &h
		}
	}
	return all
}()

// In returns the form of k for maps of precision p: k itself for float32. It
// returns nil if there is none, since k touches no map. Equal calls give the same
// pointer.
func (k *Kernel) In(p Precision) *Kernel {
	if p == k.Precision {
		return k
	}
	return halves[k][p]
}

// SpecIndex returns the identifier of the constant called name. It panics if
// there is none: a wrong name is a programming error.
func (k *Kernel) SpecIndex(name string) int {
	for i, s := range k.Spec {
		if s.Name == name {
			return i
		}
	}
	panic(fmt.Sprintf("shaders: %s has no specialization constant %q", k.Name, name))
}

// Size returns the workgroup size under the given values of the
// specialization constants (nil: the defaults).
func (k *Kernel) Size(spec []uint32) [3]uint32 {
	s := k.Local
	for i, id := range k.LocalID {
		switch {
		case id < 0:
		case id < len(spec):
			s[i] = spec[id]
		default:
			s[i] = k.Spec[id].Default
		}
	}
	return s
}

// PushBytes encodes p, a pointer to a generated push struct, as the kernel reads
// it. A nil p gives no bytes. It panics if p is anything else: the type of a
// push struct is fixed when the program is compiled.
func PushBytes(p any) []byte {
	if p == nil {
		return nil
	}
	b, err := binary.Append(nil, binary.LittleEndian, p)
	if err != nil {
		panic("shaders: " + err.Error())
	}
	return b
}
