package spirv

import (
	"fmt"
	"reflect"
	"strings"
)

// scalar is one scalar of the push constants, or of a Go struct.
type scalar struct {
	name   string // path with dots; empty parts if the module is optimized
	kind   string
	offset uint32
}

// CheckPush reports the first difference between the Go struct type t and the
// push constants of m: count, offset and type of the scalars. Names are compared
// if the module still has them, ignoring case and underscores: only names catch
// two swapped fields of one type. A nil t means that there are none.
func CheckPush(m *Module, t reflect.Type) error {
	var want, have []scalar
	if m.Push != nil {
		want = m.Push.scalars("", 0)
	}
	if t != nil {
		have = goScalars(t, "", 0)
	}
	if len(have) != len(want) {
		return fmt.Errorf("spirv: push struct %v has %d scalars, the shader has %d", t, len(have), len(want))
	}
	for i, w := range want {
		h := have[i]
		if h.offset != w.offset || h.kind != w.kind {
			return fmt.Errorf("spirv: %v.%s is %s at byte %d; the shader has %s %s at %d", t, h.name, h.kind, h.offset, w.kind, w.name, w.offset)
		}
		name := strings.ReplaceAll(w.name, "_", "")
		if strings.Trim(name, ".") != "" && !strings.EqualFold(name, h.name) {
			return fmt.Errorf("spirv: %v.%s is %s in the shader", t, h.name, w.name)
		}
	}
	return nil
}

func (s *Struct) scalars(path string, base uint32) []scalar {
	var out []scalar
	for _, f := range s.Fields {
		if f.Struct != nil {
			out = append(out, f.Struct.scalars(path+f.Name+".", base+f.Offset)...)
			continue
		}
		out = append(out, scalar{path + f.Name, f.Type, base + f.Offset})
	}
	return out
}

func goScalars(t reflect.Type, path string, base uintptr) []scalar {
	var out []scalar
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Type.Kind() == reflect.Struct {
			out = append(out, goScalars(f.Type, path+f.Name+".", base+f.Offset)...)
			continue
		}
		kind := map[reflect.Kind]string{reflect.Uint32: "uint", reflect.Int32: "int", reflect.Float32: "float"}[f.Type.Kind()]
		out = append(out, scalar{path + f.Name, kind, uint32(base + f.Offset)})
	}
	return out
}
