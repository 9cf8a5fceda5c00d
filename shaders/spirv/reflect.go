package spirv

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A Module is what a compute shader demands of its host.
type Module struct {
	Bindings []Binding // descriptor set 0, ordered by Index
	Push     *Struct   // the push constant block, or nil
	Spec     []Spec    // ordered by ID
	Local    [3]uint32 // workgroup size under default specialization
	LocalID  [3]int    // specialization constant of each component of Local, or -1
	// SharedBytes is the shared memory under default specialization, laid out
	// as std430: the most that a device may count.
	SharedBytes uint32
	Subgroup    bool // a subgroup capability is declared
	Storage16   bool // 16-bit access to storage buffers is declared
	Matrix      bool // cooperative matrices are declared
}

// A Binding is one storage buffer, uniform texel buffer, or address of a buffer to
// write to: a push constant that is a struct BufferAddress. Those come last.
type Binding struct {
	Index             uint32
	Name              string // of the instance, else of the only member, else of the block; empty if stripped
	Texel             bool
	Readable, Written bool // by the GLSL qualifiers writeonly and readonly
	Half              bool // a storage buffer of 16-bit elements
	Address           bool
	At                uint32 // an address: byte of the push constants
}

// A Spec is a specialization constant.
type Spec struct {
	ID      uint32
	Name    string // empty if stripped; local_size_x if nothing else names it
	Default uint32 // bits; a bool is 0 or 1
}

// A Struct is a structure of push constants.
type Struct struct {
	Name   string
	Bytes  uint32
	Fields []Field
}

// A Field is one member of a Struct: a 4-byte scalar, or a structure.
type Field struct {
	Name   string
	Offset uint32 // bytes from the start of the enclosing structure
	Type   string // "uint", "int", "float", or "" for a structure
	Struct *Struct
}

// addressStruct is the GLSL struct of two words that makes a push constant a binding,
// named like it without _at.
const addressStruct = "BufferAddress"

// Reflect parses one module with a single compute entry point main. Malformed
// input gives an error, never a panic.
func Reflect(code []byte) (*Module, error) {
	m, err := parse(code)
	if err != nil {
		return nil, err
	}
	if m.entries != 1 || !m.main {
		return nil, fmt.Errorf("spirv: %d entry points; want one compute shader main", m.entries)
	}
	out := &Module{Subgroup: m.subgroup, Storage16: m.storage16, Matrix: m.matrix}
	for _, id := range m.order {
		if err := m.variable(out, id); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(out.Bindings, func(a, b Binding) int { return cmp.Compare(a.Index, b.Index) })
	if out.Push != nil {
		for _, f := range out.Push.Fields {
			if f.Struct != nil && f.Struct.Name == addressStruct {
				out.Bindings = append(out.Bindings, Binding{Index: uint32(len(out.Bindings)), Name: strings.TrimSuffix(f.Name, "_at"), Written: true, Address: true, At: f.Offset})
			}
		}
	}
	if err := m.specs(out); err != nil {
		return nil, err
	}
	if err := m.workgroup(out); err != nil {
		return nil, err
	}
	return out, nil
}

// variable adds what the module-level variable id says to out.
func (m *module) variable(out *Module, id uint32) error {
	v := m.defs[id]
	ptr := m.defs[v.a[0]]
	if ptr.op != opTypePointer {
		return fmt.Errorf("spirv: type of variable %d is not a pointer", id)
	}
	switch class, t := v.a[2], ptr.a[2]; class {
	case classWorkgroup:
		l, err := m.sizeof(t)
		if err != nil {
			return err
		}
		total := up(uint64(out.SharedBytes), l.align) + l.size
		if total > maxBytes {
			return fmt.Errorf("spirv: more than %d bytes of shared memory", maxBytes)
		}
		out.SharedBytes = uint32(total)
	case classPush:
		s, err := m.push(t, 0)
		if err != nil {
			return err
		}
		out.Push = s
	case classStorage, classUniform, classUniformConstant:
		b, err := m.binding(id, t, class)
		if err != nil {
			return err
		}
		out.Bindings = append(out.Bindings, b)
	}
	return nil
}

func (m *module) binding(id, t, class uint32) (Binding, error) {
	b := Binding{Index: m.decor[id][decBinding], Name: m.names[id], Readable: true}
	if set := m.decor[id][decDescriptorSet]; set != 0 || !m.has(id, decBinding) {
		return b, fmt.Errorf("spirv: %q is at set %d, binding declared: %t; want set 0 and a binding", b.Name, set, m.has(id, decBinding))
	}
	def := m.defs[t]
	if class == classUniformConstant {
		if def.op == opTypeSampledImage {
			def = m.defs[def.a[1]]
		}
		if def.op != opTypeImage || def.a[2] != dimBuffer || def.a[6] != 1 {
			return b, fmt.Errorf("spirv: binding %d (%s) is neither a storage buffer nor a uniform texel buffer", b.Index, b.Name)
		}
		b.Texel = true
		return b, nil
	}
	if def.op != opTypeStruct || class == classUniform && m.has(t, decBlock) {
		return b, fmt.Errorf("spirv: binding %d (%s) is not a single storage buffer", b.Index, b.Name)
	}
	members := len(def.a) - 1
	if last := m.defs[def.a[members]]; members > 0 && last.op == opTypeRuntimeArray {
		e := m.defs[last.a[1]]
		b.Half = (e.op == opTypeInt || e.op == opTypeFloat) && e.a[1] == 16
	}
	noRead, noWrite := members > 0, members > 0
	for i := range members {
		d := m.memberDecor[memberID{t, uint32(i)}]
		_, w := d[decNonWritable]
		_, r := d[decNonReadable]
		noWrite, noRead = noWrite && w, noRead && r
	}
	b.Readable = !noRead && !m.has(id, decNonReadable)
	b.Written = !noWrite && !m.has(id, decNonWritable)
	if b.Name == "" && members == 1 {
		b.Name = m.memberNames[memberID{t, 0}]
	} else if b.Name == "" {
		b.Name = m.names[t]
	}
	return b, nil
}

const maxFields = 32 // scalars of 4 bytes in the 128 bytes that every device offers

// push returns the structure t of push constants, nested depth levels deep.
// Its members must lie where Go puts them, one after the other.
func (m *module) push(t uint32, depth int) (*Struct, error) {
	def := m.defs[t]
	if n := len(def.a) - 1; def.op != opTypeStruct || depth > 4 || n < 1 || n > maxFields {
		return nil, fmt.Errorf("spirv: push constants must be a structure of 1 to %d scalars, at most 4 levels deep", maxFields)
	}
	s := &Struct{Name: m.names[t]}
	for i, ft := range def.a[1:] {
		id := memberID{t, uint32(i)}
		off, ok := m.memberDecor[id][decOffset]
		f := Field{Name: m.memberNames[id], Offset: off}
		if !ok || off != s.Bytes {
			return nil, fmt.Errorf("spirv: push constant %q is at byte %d, declared: %t; Go puts it at %d", f.Name, off, ok, s.Bytes)
		}
		size := uint32(4)
		switch d := m.defs[ft]; {
		case d.op == opTypeInt && d.a[1] == 32 && d.a[2] == 0:
			f.Type = "uint"
		case d.op == opTypeInt && d.a[1] == 32:
			f.Type = "int"
		case d.op == opTypeFloat && d.a[1] == 32:
			f.Type = "float"
		case d.op == opTypeStruct:
			var err error
			if f.Struct, err = m.push(ft, depth+1); err != nil {
				return nil, err
			}
			size = f.Struct.Bytes
		default:
			return nil, fmt.Errorf("spirv: push constant %q is not uint, int, float or a structure of these", f.Name)
		}
		s.Fields = append(s.Fields, f)
		if s.Bytes = off + size; s.Bytes > 4*maxFields {
			return nil, fmt.Errorf("spirv: %q: %d bytes of push constants, every device offers only %d", s.Name, s.Bytes, 4*maxFields)
		}
	}
	return s, nil
}

// specs collects the specialization constants. Two declarations may share an
// identifier (local_size_x_id and a named constant) if their defaults agree.
func (m *module) specs(out *Module) error {
	byID := map[uint32]Spec{}
	for id, in := range m.defs {
		if in.op != opSpecConstant && in.op != opSpecConstantTrue && in.op != opSpecConstantFalse || !m.has(id, decSpecID) {
			continue
		}
		if in.op == opSpecConstant && len(in.a) != 3 {
			return fmt.Errorf("spirv: specialization constant %q has not 4 bytes", m.names[id])
		}
		bits, err := m.eval(id)
		if err != nil {
			return err
		}
		s := Spec{m.decor[id][decSpecID], m.names[id], bits}
		if old, ok := byID[s.ID]; ok {
			if old.Default != s.Default || old.Name != "" && s.Name != "" && old.Name != s.Name {
				return fmt.Errorf("spirv: specialization constant %d is declared as %s = %#x and as %s = %#x", s.ID, old.Name, old.Default, s.Name, s.Default)
			}
			s.Name = cmp.Or(old.Name, s.Name)
		}
		byID[s.ID] = s
	}
	for _, s := range byID {
		out.Spec = append(out.Spec, s)
	}
	slices.SortFunc(out.Spec, func(a, b Spec) int { return cmp.Compare(a.ID, b.ID) })
	return nil
}

// workgroup reads the workgroup size: the constant decorated WorkgroupSize
// overrides the execution mode.
func (m *module) workgroup(out *Module) error {
	out.Local, out.LocalID = m.local, [3]int{-1, -1, -1}
	ids := m.localIDs
	for id, d := range m.decor {
		if b, ok := d[decBuiltIn]; ok && b == builtInWorkgroupSize {
			ids = make([]uint32, 3)
			for i := range ids {
				var err error
				if ids[i], err = m.part(id, uint32(i)); err != nil {
					return err
				}
			}
		}
	}
	for i, id := range ids {
		v, err := m.eval(id)
		if err != nil {
			return err
		}
		out.Local[i] = v
		if m.defs[id].op != opSpecConstant || !m.has(id, decSpecID) {
			continue
		}
		spec := m.decor[id][decSpecID]
		k := slices.IndexFunc(out.Spec, func(s Spec) bool { return s.ID == spec })
		out.LocalID[i] = int(spec)
		if out.Spec[k].Name == "" {
			out.Spec[k].Name = "local_size_" + string("xyz"[i])
		}
	}
	return nil
}
