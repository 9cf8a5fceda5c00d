package spirv

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

//go:generate sh -c "cd testdata && for f in everything unused half; do glslc -O --target-env=vulkan1.1 -o ${DOLLAR}f.O.spv ${DOLLAR}f.comp; done"
//go:generate sh -c "cd testdata && for f in *.comp; do glslc -O0 --target-env=vulkan1.1 -o ${DOLLAR}{f%.comp}.O0.spv ${DOLLAR}f; done"
//go:generate sh -c "cd testdata && for d in FP16 BF16; do for o in O O0; do glslc -${DOLLAR}o -D${DOLLAR}d --target-env=vulkan1.1 -o half.${DOLLAR}d.${DOLLAR}o.spv half.comp; done; done"

func load(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return b
}

func mustReflect(t testing.TB, name string) *Module {
	t.Helper()
	m, err := Reflect(load(t, name))
	require.NoError(t, err, name)
	return m
}

// Push constants that are addresses are bindings behind the others.
func TestReflectAddresses(t *testing.T) {
	m := mustReflect(t, "address.O0.spv")
	assert.Equal(t, []Binding{
		{Index: 0, Name: "x", Readable: true},
		{Index: 1, Name: "dx", Written: true, Address: true, At: 4},
		{Index: 2, Name: "dy", Written: true, Address: true, At: 20},
	}, m.Bindings)
	text, err := (&Kernel{Name: "k", Info: m}).text(map[string]string{})
	require.NoError(t, err)
	assert.Contains(t, text, "{Name: \"dy\", Type: Address, Access: Write},\n},\nAddresses: []uint32{4, 20},\n")
}

func TestReflect(t *testing.T) {
	m := mustReflect(t, "everything.O0.spv")
	assert.Equal(t, []Binding{
		{Index: 0, Name: "w", Texel: true, Readable: true},
		{Index: 1, Name: "state", Readable: true},
		{Index: 2, Name: "y", Written: true},
		{Index: 3, Name: "dx", Readable: true, Written: true},
	}, m.Bindings)
	assert.Equal(t, []Spec{
		{0, "FLAG", 1}, {1, "GROUP", 64}, {2, "SCALE", math.Float32bits(2.5)}, {3, "SHIFT", ^uint32(2)},
	}, m.Spec)
	assert.Equal(t, [3]uint32{64, 2, 1}, m.Local)
	assert.Equal(t, [3]int{1, -1, -1}, m.LocalID)
	assert.Equal(t, uint32(129*16+5*3*4), m.SharedBytes)
	assert.True(t, m.Subgroup)
	view := func() *Struct {
		return &Struct{"View", 8, []Field{{"base", 0, "uint", nil}, {"plane", 4, "uint", nil}}}
	}
	pair := &Struct{"Pair", 12, []Field{{"a", 0, "", view()}, {"f", 8, "float", nil}}}
	assert.Equal(t, &Struct{"Push", 28, []Field{
		{"n", 0, "uint", nil}, {"kernel_size", 4, "int", nil}, {"dy", 8, "", pair}, {"x_base", 20, "", view()},
	}}, m.Push)
}

// TestReflectHalf: which elements have 16 bits, and that storage of them is declared.
func TestReflectHalf(t *testing.T) {
	for name, half := range map[string]bool{"half.O0.spv": false, "half.O.spv": false, "half.FP16.O0.spv": true, "half.BF16.O.spv": true} {
		m := mustReflect(t, name)
		assert.Equal(t, half, m.Storage16, name)
		assert.Equal(t, []bool{false, half}, []bool{m.Bindings[0].Half, m.Bindings[1].Half}, name)
	}
}

// TestReflectOptimized: names go, the interface stays, but for dead bindings.
func TestReflectOptimized(t *testing.T) {
	full, opt := mustReflect(t, "everything.O0.spv"), mustReflect(t, "everything.O.spv")
	for i := range full.Bindings {
		full.Bindings[i].Name = ""
	}
	for i := range opt.Bindings {
		opt.Bindings[i].Name = ""
	}
	assert.Equal(t, full.Bindings, opt.Bindings)
	assert.Equal(t, full.Local, opt.Local)
	assert.Equal(t, full.SharedBytes, opt.SharedBytes)
	assert.Len(t, mustReflect(t, "unused.O0.spv").Bindings, 3)
	assert.Len(t, mustReflect(t, "unused.O.spv").Bindings, 2)
	assert.Equal(t, [3]int{-1, -1, -1}, mustReflect(t, "unused.O0.spv").LocalID)
}

func TestReflectErrors(t *testing.T) {
	for name, want := range map[string]string{
		"vec3push.O0.spv": `"v" is at byte 16, declared: true; Go puts it at 4`,
		"bigpush.O0.spv":  "132 bytes of push constants",
		"image.O0.spv":    "neither a storage buffer nor a uniform texel buffer",
		"uniform.O0.spv":  "not a single storage buffer",
		"specs.O0.spv":    "specialization constant 1 is declared as",
	} {
		_, err := Reflect(load(t, name))
		assert.ErrorContains(t, err, want, name)
	}
	good := load(t, "unused.O0.spv")
	edit := func(i int, v uint32) []byte {
		b := slices.Clone(good)
		binary.LittleEndian.PutUint32(b[4*i:], v)
		return b
	}
	for name, c := range map[string]struct {
		code []byte
		want string
	}{
		"empty":          {nil, "truncated"},
		"odd length":     {good[:len(good)-1], "truncated"},
		"cut":            {good[:len(good)-12], "truncated"},
		"magic":          {edit(0, 1), "magic number"},
		"no length":      {edit(5, 0), "truncated"},
		"no entry point": {good[:20], "0 entry points"},
	} {
		_, err := Reflect(c.code)
		assert.ErrorContains(t, err, c.want, name)
	}
}

type (
	view struct{ Base, Plane uint32 }
	pair struct {
		A view
		F float32
	}
	push struct {
		N          uint32
		KernelSize int32
		DY         pair
		XBase      view
	}
)

func TestCheckPush(t *testing.T) {
	type swapped struct {
		KernelSize int32
		N          uint32
		DY         pair
		XBase      view
	}
	type renamed struct {
		N          uint32
		KernelSize int32
		DX         pair
		XBase      view
	}
	type short struct {
		N          uint32
		KernelSize int32
	}
	type wide struct {
		N          uint64
		KernelSize int32
		DY         pair
		XBase      view
	}
	full, opt := mustReflect(t, "everything.O0.spv"), mustReflect(t, "everything.O.spv")
	none := mustReflect(t, "unused.O0.spv")
	for _, c := range []struct {
		m  *Module
		t  reflect.Type
		ok bool
	}{
		{full, reflect.TypeFor[push](), true},
		{opt, reflect.TypeFor[push](), true},
		{full, reflect.TypeFor[swapped](), false},
		{opt, reflect.TypeFor[swapped](), false},
		{full, reflect.TypeFor[renamed](), false},
		{opt, reflect.TypeFor[renamed](), true}, // without names nobody can tell
		{full, reflect.TypeFor[short](), false},
		{full, reflect.TypeFor[wide](), false},
		{full, nil, false},
		{none, nil, true},
		{none, reflect.TypeFor[short](), false},
	} {
		err := CheckPush(c.m, c.t)
		assert.Equal(t, c.ok, err == nil, "%v: %v", c.t, err)
	}
}

// FuzzReflect: no input makes Reflect panic or run for long. Any module that it
// takes satisfies what the generator relies on.
func FuzzReflect(f *testing.F) {
	seeds, err := filepath.Glob("testdata/*.spv")
	require.NoError(f, err)
	require.NotEmpty(f, seeds)
	for _, name := range seeds {
		f.Add(load(f, filepath.Base(name)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Reflect(b)
		if err != nil {
			assert.Nil(t, m)
			return
		}
		if m.Push != nil {
			assert.LessOrEqual(t, m.Push.Bytes, uint32(128))
			assert.Len(t, m.Push.scalars("", 0), int(m.Push.Bytes/4))
		}
		assert.LessOrEqual(t, m.SharedBytes, uint32(maxBytes))
	})
}
