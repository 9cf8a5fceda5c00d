package shaders

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/shaders/spirv"
)

// stale lists how the sources in fsys and the generated kernels disagree.
func stale(fsys fs.FS, kernels []*Kernel) []string {
	var faults []string
	names, _ := fs.Glob(fsys, "*.comp")
	have := map[string]*Kernel{}
	for _, k := range kernels {
		have[k.Name+".comp"] = k
		if !slices.Contains(names, k.Name+".comp") {
			faults = append(faults, k.Name+": has no source")
		}
		if sum := fmt.Sprintf("%x", sha256.Sum256(k.SPIRV)); sum != k.Module {
			faults = append(faults, k.Name+": spv/"+k.Name+".spv is not the module that was generated")
		}
		for _, f := range k.Half {
			if sum := fmt.Sprintf("%x", sha256.Sum256(f.SPIRV)); sum != f.Module {
				faults = append(faults, fmt.Sprintf("%s: spv/%s.%v.spv is not the module that was generated", k.Name, k.Name, f.Precision))
			}
		}
	}
	for _, f := range names {
		k := have[f]
		if k == nil {
			faults = append(faults, f+": was never generated")
			continue
		}
		switch sum, err := spirv.HashSource(fsys, f); {
		case err != nil:
			faults = append(faults, err.Error())
		case sum != k.Source:
			faults = append(faults, f+": it or an include changed since it was compiled")
		}
	}
	return faults
}

func TestSPIRVIsFresh(t *testing.T) {
	require.NotEmpty(t, All)
	assert.Empty(t, stale(os.DirFS("."), All), "run go generate ./shaders")
}

func TestStaleCatches(t *testing.T) {
	copyTo := func(t *testing.T) string {
		dir := t.TempDir()
		files, err := filepath.Glob("*.[cg][ol][ms][pl]") // .comp and .glsl
		require.NoError(t, err)
		for _, f := range files {
			b, err := os.ReadFile(f)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(dir, f), b, 0o666))
		}
		return dir
	}
	edit := func(t *testing.T, path string) {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o666)
		require.NoError(t, err)
		_, err = f.WriteString(" ")
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	fresh := stale(os.DirFS(copyTo(t)), All)
	extra := func(dir string) []string {
		var more []string
		for _, f := range stale(os.DirFS(dir), All) {
			if !slices.Contains(fresh, f) {
				more = append(more, f)
			}
		}
		return more
	}
	t.Run("source", func(t *testing.T) {
		dir := copyTo(t)
		edit(t, filepath.Join(dir, "relu_bwd.comp"))
		assert.Equal(t, []string{"relu_bwd.comp: it or an include changed since it was compiled"}, extra(dir))
	})
	t.Run("include", func(t *testing.T) {
		dir := copyTo(t)
		edit(t, filepath.Join(dir, "view.glsl"))
		assert.Contains(t, extra(dir), "relu_fwd.comp: it or an include changed since it was compiled")
	})
	t.Run("missing include", func(t *testing.T) {
		dir := copyTo(t)
		require.NoError(t, os.Remove(filepath.Join(dir, "view.glsl")))
		assert.Contains(t, strings.Join(extra(dir), "\n"), "includes view.glsl")
	})
	t.Run("new", func(t *testing.T) {
		dir := copyTo(t)
		edit(t, filepath.Join(dir, "new.comp"))
		assert.Equal(t, []string{"new.comp: was never generated"}, extra(dir))
	})
	t.Run("removed", func(t *testing.T) {
		dir := copyTo(t)
		require.NoError(t, os.Remove(filepath.Join(dir, "relu_fwd.comp")))
		assert.Equal(t, []string{"relu_fwd: has no source"}, extra(dir))
	})
	t.Run("form", func(t *testing.T) {
		k := ReluFwd
		k.Half = []Form{{FP16, append(slices.Clone(k.Half[0].SPIRV), 0, 0, 0, 0), k.Half[0].Module}}
		assert.Contains(t, stale(os.DirFS("."), []*Kernel{&k}), "relu_fwd: spv/relu_fwd.fp16.spv is not the module that was generated")
	})
	t.Run("module", func(t *testing.T) {
		k := ReluFwd
		k.SPIRV = append(slices.Clone(k.SPIRV), 0, 0, 0, 0)
		assert.Contains(t, stale(os.DirFS("."), []*Kernel{&k}), "relu_fwd: spv/relu_fwd.spv is not the module that was generated")
	})
}

// interfaceFaults lists where k disagrees with its module, which optimization
// has stripped of names, and with what every device offers.
func interfaceFaults(k *Kernel) []string {
	m, err := spirv.Reflect(k.SPIRV)
	if err != nil {
		return []string{err.Error()}
	}
	var faults []string
	fault := func(bad bool, format string, a ...any) {
		if bad {
			faults = append(faults, fmt.Sprintf(format, a...))
		}
	}
	bound := len(k.Bindings) - len(k.Addresses) // of addresses the module tells nothing
	fault(len(m.Bindings) != bound, "%d bindings, the module has %d", bound, len(m.Bindings))
	for i, b := range k.Bindings {
		fault((b.Type == Address) != (i >= bound), "binding %d is %+v, of %d the last %d are addresses", i, b, len(k.Bindings), len(k.Addresses))
	}
	for i, b := range k.Bindings[:min(bound, len(m.Bindings))] {
		d := m.Bindings[i]
		fault(d.Half != (b.Map && k.Precision != FP32), "binding %d has 16-bit elements: %t", i, d.Half)
		fault(int(d.Index) != i || d.Texel != (b.Type == Texel) || d.Readable != (b.Access&Read != 0) || d.Written != (b.Access&Write != 0),
			"binding %d is %+v, in the module %+v", i, b, d)
	}
	var push reflect.Type
	if k.Push != nil {
		push = reflect.TypeOf(k.Push).Elem()
	}
	if err := spirv.CheckPush(m, push); err != nil {
		fault(true, "%v", err)
	}
	if push != nil {
		fault(len(PushBytes(reflect.New(push).Interface())) != int(k.PushBytes), "PushBytes is %d", k.PushBytes)
	}
	fault(k.PushBytes > 128, "%d bytes of push constants, devices may offer only 128", k.PushBytes)
	fault(k.Size(nil) != m.Local, "workgroup %v, in the module %v", k.Size(nil), m.Local)
	fault(m.Local[0]*m.Local[1]*m.Local[2] > 128, "workgroup %v by default, devices may offer only 128 invocations", m.Local)
	fault(k.SharedBytes < m.SharedBytes, "%d bytes shared, in the module %d", k.SharedBytes, m.SharedBytes)
	fault(k.SharedBytes > 16<<10, "%d bytes shared by default, devices may offer only %d", k.SharedBytes, 16<<10)
	for _, s := range m.Spec {
		fault(int(s.ID) >= len(k.Spec) || k.Spec[s.ID].Default != s.Default, "specialization constant %d is not %+v", s.ID, k.Spec)
	}
	for i, id := range k.LocalID {
		fault(id != m.LocalID[i] || id >= len(k.Spec), "workgroup axis %d is constant %d, in the module %d", i, id, m.LocalID[i])
	}
	fault(m.Storage16 != (k.Precision != FP32), "16-bit storage in a kernel for %v: %t", k.Precision, m.Storage16)
	fault(k.Subgroup != m.Subgroup, "subgroup operations: %t, in the module %t", k.Subgroup, m.Subgroup)
	return faults
}

// forms returns every kernel in every precision that it has.
func forms() []*Kernel {
	var all []*Kernel
	for _, k := range All {
		for _, p := range Precisions {
			if form := k.In(p); form != nil {
				all = append(all, form)
			}
		}
	}
	return all
}

func TestKernelsMatchModules(t *testing.T) {
	for _, k := range forms() {
		assert.Empty(t, interfaceFaults(k), k.Name)
	}
}

// TestForms: a kernel has all forms exactly if it touches a map.
func TestForms(t *testing.T) {
	for _, k := range All {
		maps := slices.ContainsFunc(k.Bindings, func(b Binding) bool { return b.Map })
		assert.Same(t, k, k.In(k.Precision))
		if k.Precision != FP32 {
			assert.True(t, maps && k.Half == nil && k.In(FP32) == nil && k.In(BF16) == nil, "%s takes maps of %v alone", k.Name, k.Precision)
			continue
		}
		for _, p := range Precisions[1:] {
			half := k.In(p)
			if !maps {
				assert.Nil(t, half, k.Name)
				continue
			}
			require.NotNil(t, half, k.Name)
			assert.Same(t, half, k.In(p))
			assert.Equal(t, []any{k.Name + "." + p.String(), p}, []any{half.Name, half.Precision})
			assert.NotEqual(t, k.SPIRV, half.SPIRV)
			assert.Nil(t, half.In(FP32), "the form of a form")
		}
	}
	assert.NotNil(t, ConvFwd.In(FP16))
	assert.Nil(t, Sgd.In(FP16), "master weights are float32")
}

func TestKernelsMatchModulesCatches(t *testing.T) {
	type short struct{ N, M uint32 }
	for name, spoil := range map[string]func(k *Kernel){
		"binding":  func(k *Kernel) { k.Bindings = k.Bindings[:1] },
		"access":   func(k *Kernel) { k.Bindings = []Binding{k.Bindings[0], {Name: "y", Access: ReadWrite}} },
		"type":     func(k *Kernel) { k.Bindings = []Binding{{Name: "x", Type: Texel, Access: Read}, k.Bindings[1]} },
		"push":     func(k *Kernel) { k.Push = (*short)(nil) },
		"no push":  func(k *Kernel) { k.Push = nil },
		"bytes":    func(k *Kernel) { k.PushBytes = 132 },
		"local":    func(k *Kernel) { k.Local[1] = 2 },
		"local id": func(k *Kernel) { k.LocalID[0] = 0; k.Spec = []Spec{{"local", 128}} },
		"shared":   func(k *Kernel) { k.SharedBytes = 16<<10 + 4 },
		"subgroup": func(k *Kernel) { k.Subgroup = true },
		"module":   func(k *Kernel) { k.SPIRV = ReluBwd.SPIRV },
		"half":     func(k *Kernel) { k.SPIRV = ReluFwd.In(FP16).SPIRV },
		"full":     func(k *Kernel) { k.Precision = FP16 },
		"no code":  func(k *Kernel) { k.SPIRV = nil },
	} {
		k := ReluFwd
		spoil(&k)
		assert.NotEmpty(t, interfaceFaults(&k), name)
	}
	assert.Empty(t, interfaceFaults(&ReluFwd))
}

func TestPushBytes(t *testing.T) {
	got := PushBytes(&ReluFwdPush{N: 0x04030201, X: View{5, 6}, Y: View{7, 0x08000000}})
	assert.Equal(t, []byte{1, 2, 3, 4, 5, 0, 0, 0, 6, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 8}, got)
	assert.Nil(t, PushBytes(nil))
	assert.Panics(t, func() { PushBytes(&struct{ N int }{1}) })
}

// TestValidator runs the validator of SPIRV-Tools over every module. Where it is
// not installed the test is skipped, or fails if SPARSEVK_GPU=require.
func TestValidator(t *testing.T) {
	tool, err := exec.LookPath("spirv-val")
	if err != nil {
		require.NotEqual(t, "require", os.Getenv("SPARSEVK_GPU"), "spirv-val: install spirv-tools")
		t.Skip("spirv-val is not installed (spirv-tools)")
	}
	validate := func(code []byte) ([]byte, error) {
		f := filepath.Join(t.TempDir(), "m.spv")
		require.NoError(t, os.WriteFile(f, code, 0o666))
		return exec.Command(tool, "--target-env", "vulkan1.1", f).CombinedOutput()
	}
	for _, k := range forms() {
		if k.Matrix { // validated when generated, by a newer tool
			continue
		}
		out, err := validate(k.SPIRV)
		assert.NoError(t, err, "%s: %s", k.Name, out)
		assert.Empty(t, string(out), k.Name)
	}
	bad := slices.Clone(ReluFwd.SPIRV)
	copy(bad[len(bad)-4:], []byte{0xff, 0xff, 1, 0}) // the last instruction is none
	_, err = validate(bad)
	assert.Error(t, err, "the validator accepts a broken module")
}
