package main

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/shaders/spirv"
)

// fakeCompiler puts a glslc of that version on the path: it "compiles" name.comp
// to the module of that name in shaders/spirv/testdata, and fails if there is
// none. No real compiler is needed to test what is around it.
func fakeCompiler(t *testing.T, version string) {
	data, err := filepath.Abs("../shaders/spirv/testdata")
	require.NoError(t, err)
	bin := t.TempDir()
	script := `#!/bin/sh
if [ "$1" = --version ]; then echo "` + version + `"; exit; fi
for last; do :; done
case "$*" in *-DFP16*) d=.FP16;; *-DBF16*) d=.BF16;; esac
f="` + data + `/${last%.comp}$d.${1#-}.spv"
if [ -e "$f" ]; then exec cat "$f"; fi
echo "$last:1: error: no such module" >&2
exit 1
`
	require.NoError(t, os.WriteFile(filepath.Join(bin, "glslc"), []byte(script), 0o777))
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
}

func folder(t *testing.T, names ...string) string {
	dir := t.TempDir()
	for _, n := range names {
		require.NoError(t, os.WriteFile(filepath.Join(dir, n+".comp"), []byte("source of "+n), 0o666))
	}
	return dir
}

func read(t *testing.T, parts ...string) string {
	b, err := os.ReadFile(filepath.Join(parts...))
	require.NoError(t, err)
	return string(b)
}

// TestRun: what compiles is written, what does not is reported, all of it.
func TestRun(t *testing.T) {
	fakeCompiler(t, "shaderc 2023.2-1")
	dir := folder(t, "everything", "unused", "broken", "image")
	err := run(dir, false)
	require.Error(t, err)
	for _, want := range []string{
		"broken.comp: glslc -O0: exit status 1\nbroken.comp:1: error: no such module",
		"unused.comp: binding 1 (z) is dead",
		"image.comp: ",
	} {
		assert.ErrorContains(t, err, want)
	}
	gen := read(t, dir, "kernels_gen.go")
	assert.Contains(t, gen, "glslc from shaderc 2023.2-1")
	assert.Contains(t, gen, "var Everything = Kernel{")
	assert.NotContains(t, gen, "Unused")
	assert.Equal(t, read(t, "../shaders/spirv/testdata/everything.O.spv"), read(t, dir, "spv/everything.spv"))
	spv, err := os.ReadDir(filepath.Join(dir, "spv"))
	require.NoError(t, err)
	assert.Len(t, spv, 1, "no other module, no temporary file")
}

// TestRunForms: a shader that includes map.glsl is compiled for each precision,
// and what differs may be the elements of its maps alone.
func TestRunForms(t *testing.T) {
	fakeCompiler(t, "shaderc 2023.2-1")
	dir := folder(t, "half", "everything")
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666))
	}
	write("map.glsl", "")
	write("half.comp", "#include \"map.glsl\"\n")
	require.NoError(t, run(dir, false))
	assert.Contains(t, read(t, dir, "kernels_gen.go"), "spv/half.bf16.spv")
	assert.Equal(t, read(t, "../shaders/spirv/testdata/half.FP16.O.spv"), read(t, dir, "spv/half.fp16.spv"))
	spv, err := os.ReadDir(filepath.Join(dir, "spv"))
	require.NoError(t, err)
	assert.Len(t, spv, 4)
	write("everything.comp", "#include \"map.glsl\"\n")
	assert.ErrorContains(t, run(dir, false), "everything.comp: FP16: ", "it has no such form")
	assert.NoFileExists(t, filepath.Join(dir, "spv", "everything.fp16.spv"))
	write("half.comp", "")
	write("everything.comp", "")
	require.NoError(t, run(dir, false))
	assert.NoFileExists(t, filepath.Join(dir, "spv", "half.fp16.spv"), "what a form left goes with it")
}

func TestCheckFormCatches(t *testing.T) {
	reflect := func(name string) *spirv.Module {
		m, err := spirv.Reflect([]byte(read(t, "../shaders/spirv/testdata", name)))
		require.NoError(t, err)
		return m
	}
	full, half := reflect("half.O0.spv"), reflect("half.FP16.O0.spv")
	require.NoError(t, checkForm(full, half))
	assert.ErrorContains(t, checkForm(full, full), "no buffer is declared with MAP")
	assert.ErrorContains(t, checkForm(half, half), "float32 form declares")
	half.Local[0] = 64
	assert.ErrorContains(t, checkForm(full, half), "another interface")
}

// TestRunAgain: nothing is written twice, and what a deleted source left goes.
func TestRunAgain(t *testing.T) {
	fakeCompiler(t, "shaderc v2023.2 v2023.2")
	dir := folder(t, "everything")
	require.NoError(t, run(dir, false))
	old := time.Now().Add(-time.Hour)
	for _, f := range []string{"kernels_gen.go", "spv/everything.spv"} {
		require.NoError(t, os.Chtimes(filepath.Join(dir, f), old, old))
	}
	stray := filepath.Join(dir, "spv", "gone.spv")
	require.NoError(t, os.WriteFile(stray, nil, 0o666))
	require.NoError(t, run(dir, false))
	for _, f := range []string{"kernels_gen.go", "spv/everything.spv"} {
		info, err := os.Stat(filepath.Join(dir, f))
		require.NoError(t, err)
		assert.WithinDuration(t, old, info.ModTime(), time.Second, "%s was written again", f)
	}
	assert.NoFileExists(t, stray)
}

func TestRunTogether(t *testing.T) {
	fakeCompiler(t, "shaderc 2023.2-1")
	dir := folder(t, "everything")
	var wg sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		wg.Go(func() { errs[i] = run(dir, false) })
	}
	wg.Wait()
	for _, err := range errs {
		assert.NoError(t, err)
	}
	assert.Contains(t, read(t, dir, "kernels_gen.go"), "var Everything = Kernel{")
}

func TestRunRefuses(t *testing.T) {
	fakeCompiler(t, "shaderc 2026.1")
	assert.ErrorContains(t, run(folder(t, "everything"), false), "-any-compiler")
	assert.NoError(t, run(folder(t, "everything"), true))
	assert.ErrorContains(t, run(t.TempDir(), true), "no .comp files")
	t.Setenv("PATH", t.TempDir())
	assert.ErrorContains(t, run(folder(t, "everything"), true), "install glslc")
}

func TestCheckCatches(t *testing.T) {
	reflect := func() *spirv.Module {
		m, err := spirv.Reflect([]byte(read(t, "../shaders/spirv/testdata/everything.O0.spv")))
		require.NoError(t, err)
		return m
	}
	require.NoError(t, check(reflect(), reflect()))
	for want, spoil := range map[string]func(info, opt *spirv.Module){
		"binding 3 (dx) is dead":    func(_, opt *spirv.Module) { opt.Bindings = opt.Bindings[:3] },
		"differs between -O0":       func(_, opt *spirv.Module) { opt.Bindings[1].Written = true },
		"where 1 was due":           func(info, _ *spirv.Module) { info.Bindings[1].Index = 7 },
		"each with a name":          func(info, _ *spirv.Module) { info.Bindings[0].Name = "" },
		"has identifier 9 where 2":  func(info, _ *spirv.Module) { info.Spec[2].ID = 9 },
		"workgroup [64 2 1], 2124 ": func(_, opt *spirv.Module) { opt.Local[0] = 32 },
	} {
		info, opt := reflect(), reflect()
		spoil(info, opt)
		assert.ErrorContains(t, check(info, opt), want)
	}
}

// fakeGlslang names a folder with a compiler for cooperative matrices of that version:
// its modules are those of shaders/spirv/testdata, and its validator ends with status.
func fakeGlslang(t *testing.T, version, status string) {
	data, err := filepath.Abs("../shaders/spirv/testdata")
	require.NoError(t, err)
	folder := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(folder, "bin"), 0o777))
	last := "for out; do [ \"$before\" = -o ] && break; before=$out; done\n"
	for name, text := range map[string]string{
		"glslang":   "if [ \"$1\" = --version ]; then echo '" + version + "'; exit; fi\n" + last + "exec cp " + data + "/half.FP16.O0.spv $out",
		"spirv-opt": last + "exec cp " + data + "/half.FP16.O.spv $out",
		"spirv-val": "exit " + status,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, "bin", name), []byte("#!/bin/sh\n"+text+"\n"), 0o777))
	}
	t.Setenv("SPARSEVK_GLSLANG", folder)
}

// TestRunMatrix: a shader that includes matrix.glsl is made by the second compiler, for
// float16 alone. Without that it keeps what it has while its source is the same.
func TestRunMatrix(t *testing.T) {
	fakeCompiler(t, "shaderc 2023.2-1")
	fakeGlslang(t, pinnedMatrix, "0")
	dir := folder(t, "product")
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666))
	}
	write("matrix.glsl", "")
	write("product.comp", "#include \"matrix.glsl\"\n")
	require.NoError(t, run(dir, false))
	made := read(t, dir, "kernels_gen.go")
	assert.Contains(t, made, "FP16,\n")
	assert.NotContains(t, made, "Half:")
	assert.Equal(t, read(t, "../shaders/spirv/testdata/half.FP16.O.spv"), read(t, dir, "spv/product.spv"))
	kept := func() {
		assert.Equal(t, made, read(t, dir, "kernels_gen.go"))
		assert.FileExists(t, filepath.Join(dir, "spv", "product.spv"))
	}
	fakeGlslang(t, "Glslang Version: 11:99.0.0", "0")
	assert.ErrorContains(t, run(dir, false), `says "Glslang Version: 11:99.0.0"`, "one that is named must be the pinned one")
	fakeGlslang(t, pinnedMatrix, "1")
	assert.ErrorContains(t, run(dir, false), "spirv-val -O0: exit status 1")
	kept()
	t.Setenv("SPARSEVK_GLSLANG", "")
	require.NoError(t, run(dir, false), "the source is the same")
	kept()
	write("product.comp", "#include \"matrix.glsl\"\n// changed\n")
	assert.ErrorContains(t, run(dir, false), "no compiler for cooperative matrices: tools/setup.sh ci installs it")
	kept()
}
