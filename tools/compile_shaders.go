// Command compile_shaders turns every GLSL kernel of a folder into SPIR-V and
// Go: name.comp becomes spv/name.spv (optimized) and a description in
// kernels_gen.go, whose names and accesses are reflected from the unoptimized
// build, since optimization strips names and drops unused bindings.
//
// A shader that includes map.glsl touches maps. It is compiled for each 16-bit
// precision too, to spv/name.fp16.spv and spv/name.bf16.spv, and what may differ
// is the size of the elements of some bindings.
//
// A shader that includes matrix.glsl multiplies cooperative matrices, which the
// pinned glslc does not know. It is compiled by a newer glslang, whose folder is
// $SPARSEVK_GLSLANG or what tools/setup.sh glslang prints, for float16 maps alone.
// Where none is named and none installed, such shaders keep what they have, unless they
// changed: that is an error.
//
// All errors are reported together. A kernel that does not compile keeps its
// previous code, so that others can go on; its hash stays the old one, and the
// tests of package shaders call it stale. Only changed files are written.
// Concurrent runs wait for each other.
//
// Run it as go generate ./shaders. The SPIR-V depends on the compiler's
// version, so only the pinned one is taken unless -any-compiler is given.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"golang.org/x/sync/errgroup"

	"sparsevk/shaders/spirv"
)

// The compilers that made the committed SPIR-V: Debian 12's glslc, and PyPI's glslang.
const (
	pinned       = "shaderc 2023.2"
	pinnedMatrix = "Glslang Version: 11:13.1.1"
)

func main() {
	dir := flag.String("dir", "", "folder of the .comp files; the default is the current one, or shaders below it")
	any := flag.Bool("any-compiler", false, "take a glslc other than the pinned "+pinned)
	flag.Parse()
	if *dir == "" {
		*dir = "."
		if _, err := os.Stat("shaders/kernel.go"); err == nil {
			*dir = "shaders"
		}
	}
	if err := run(*dir, *any); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(dir string, anyCompiler bool) error {
	version, err := compiler(anyCompiler)
	if err != nil {
		return err
	}
	unlock, err := lock(dir)
	if err != nil {
		return err
	}
	defer unlock()
	files, err := filepath.Glob(filepath.Join(dir, "*.comp"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("compile_shaders: no .comp files in %s", dir)
	}
	slices.Sort(files)
	old, err := os.ReadFile(filepath.Join(dir, "kernels_gen.go"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	kernels := make([]spirv.Kernel, len(files))
	errs := make([]error, len(files))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, f := range files {
		g.Go(func() error {
			k := spirv.Kernel{Name: strings.TrimSuffix(filepath.Base(f), ".comp")}
			if err := build(dir, &k, old); err != nil {
				errs[i], k.Info = fmt.Errorf("%s: %w", f, err), nil
			}
			kernels[i] = k
			return nil
		})
	}
	_ = g.Wait()
	src, err := spirv.Generate("tools/compile_shaders.go with glslc from "+version, kernels, old)
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	return errors.Join(append(errs, write(dir, kernels, src))...)
}

// compiler returns the version line of glslc.
func compiler(anyVersion bool) (string, error) {
	out, err := exec.Command("glslc", "--version").Output()
	if err != nil {
		return "", fmt.Errorf("compile_shaders: glslc --version: %w; install glslc (Debian 12: apt install glslc)", err)
	}
	line, _, _ := strings.Cut(string(out), "\n")
	if line = strings.TrimSpace(line); !strings.HasPrefix(strings.Replace(line, " v", " ", 1), pinned) && !anyVersion {
		return "", fmt.Errorf("compile_shaders: glslc is %q, but the committed SPIR-V is made by %s; install that one (Debian 12: apt install glslc) or pass -any-compiler and expect every .spv to change", line, pinned)
	}
	return line, nil
}

// lock lets one generator at a time work on dir.
func lock(dir string) (unlock func(), err error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(abs))
	l := flock.New(filepath.Join(os.TempDir(), "compile_shaders."+hex.EncodeToString(sum[:8])+".lock"))
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if _, err := l.TryLockContext(ctx, 50*time.Millisecond); err != nil {
		return nil, fmt.Errorf("compile_shaders: another run holds %s: %w", l.Path(), err)
	}
	return func() { _ = l.Unlock() }, nil
}

// build fills k in from its GLSL; old is the generated file so far.
func build(dir string, k *spirv.Kernel, old []byte) error {
	var err error
	if k.Source, err = spirv.HashSource(os.DirFS(dir), k.Name+".comp"); err != nil {
		return err
	}
	if matrix, err := spirv.Includes(os.DirFS(dir), k.Name+".comp", matrixInclude); err != nil {
		return err
	} else if matrix {
		return buildMatrix(dir, k, bytes.Contains(old, []byte(k.Source)))
	}
	if k.Code, k.Info, err = modules(compile, dir, k.Name, ""); err != nil {
		return err
	}
	maps, err := spirv.Includes(os.DirFS(dir), k.Name+".comp", mapInclude)
	if err != nil || !maps {
		return err
	}
	for _, define := range []string{"FP16", "BF16"} {
		f := spirv.Form{Precision: strings.ToLower(define)}
		if f.Code, f.Info, err = modules(compile, dir, k.Name, define); err == nil {
			err = checkForm(k.Info, f.Info)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", define, err)
		}
		k.Forms = append(k.Forms, f)
	}
	return nil
}

// The files that a shader includes to touch maps, and to multiply matrices.
const (
	mapInclude    = "map.glsl"
	matrixInclude = "matrix.glsl"
)

// buildMatrix fills k in, a shader for float16 maps alone. With same set, its source
// is what it was.
func buildMatrix(dir string, k *spirv.Kernel, same bool) error {
	folder, err := glslang(dir)
	if err != nil {
		if same && os.Getenv("SPARSEVK_GLSLANG") == "" {
			return nil
		}
		return err
	}
	compile := func(dir, name, level, define string) ([]byte, error) {
		return compileMatrix(folder, dir, name, level, define)
	}
	k.Precision = "fp16"
	k.Code, k.Info, err = modules(compile, dir, k.Name, "FP16")
	return err
}

// glslang returns the folder of the compiler for cooperative matrices.
func glslang(dir string) (string, error) {
	folder := os.Getenv("SPARSEVK_GLSLANG")
	if folder == "" {
		out, err := exec.Command("bash", filepath.Join(dir, "..", "tools", "setup.sh"), "glslang").Output()
		if folder = strings.TrimSpace(string(out)); err != nil || folder == "" {
			return "", errors.New("compile_shaders: no compiler for cooperative matrices: tools/setup.sh ci installs it")
		}
	}
	out, err := tool(folder, "glslang", "--version").Output()
	if line, _, _ := strings.Cut(string(out), "\n"); err != nil || strings.TrimSpace(line) != pinnedMatrix {
		return "", fmt.Errorf("compile_shaders: %s/bin/glslang says %q (%v), but the committed SPIR-V is made by %q", folder, line, err, pinnedMatrix)
	}
	return folder, nil
}

// tool is a command of the folder of glslang, which has its libraries.
func tool(folder, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(folder, "bin", name), args...)
	cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+filepath.Join(folder, "lib"))
	return cmd
}

// compileMatrix is compile by glslang, where optimizer and validator are tools of their
// own. Distributions may have a validator that does not know cooperative matrices.
func compileMatrix(folder, dir, name, level, define string) ([]byte, error) {
	tmp, err := os.MkdirTemp("", "compile_shaders")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	made := filepath.Join(tmp, "made.spv")
	cmds := []*exec.Cmd{tool(folder, "glslang", "-V", "--quiet", "--target-env", "vulkan1.1", "-D"+define, "-o", made, name+".comp")}
	if level != "-O0" {
		cmds = append(cmds, tool(folder, "spirv-opt", level, "--strip-debug", made, "-o", made))
	}
	cmds = append(cmds, tool(folder, "spirv-val", "--target-env", "vulkan1.3", made))
	for _, cmd := range cmds {
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("%s %s: %w\n%s", filepath.Base(cmd.Path), level, err, bytes.TrimSpace(out))
		}
	}
	return os.ReadFile(made)
}

// modules returns the optimized module of a shader, and the interface of the
// unoptimized one, with or without a define, as compile makes them.
func modules(compile func(dir, name, level, define string) ([]byte, error), dir, name, define string) ([]byte, *spirv.Module, error) {
	named, err := compile(dir, name, "-O0", define)
	if err != nil {
		return nil, nil, err
	}
	code, err := compile(dir, name, "-O", define)
	if err != nil {
		return nil, nil, err
	}
	info, err := spirv.Reflect(named)
	if err != nil {
		return nil, nil, err
	}
	opt, err := spirv.Reflect(code)
	if err != nil {
		return nil, nil, err
	}
	return code, info, check(info, opt)
}

func compile(dir, name, level, define string) ([]byte, error) {
	args := []string{level, "-Werror", "--target-env=vulkan1.1", "-o", "-"}
	if define != "" {
		args = append(args, "-D"+define)
	}
	cmd := exec.Command("glslc", append(args, name+".comp")...)
	var out, msg bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &msg
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("glslc %s: %w\n%s", level, err, bytes.TrimSpace(msg.Bytes()))
	}
	return out.Bytes(), nil
}

// checkForm reports where the 16-bit form of a shader differs from the float32
// one in more than the elements of its maps.
func checkForm(full, half *spirv.Module) error {
	h, maps := *half, 0
	h.Bindings = slices.Clone(half.Bindings)
	for i := range h.Bindings {
		if h.Bindings[i].Half {
			maps++
		}
		h.Bindings[i].Half = false
	}
	switch {
	case full.Storage16:
		return errors.New("the float32 form declares 16-bit storage")
	case maps == 0:
		return fmt.Errorf("it includes %s, but no buffer is declared with MAP", mapInclude)
	}
	h.Storage16 = false
	if !reflect.DeepEqual(&h, full) {
		return fmt.Errorf("the 16-bit form has another interface than the float32 one: %+v, %+v", h, *full)
	}
	return nil
}

// check reports what is wrong with the interface info; opt is the same shader
// optimized.
func check(info, opt *spirv.Module) error {
	for i, b := range info.Bindings {
		if b.Index != uint32(i) || b.Name == "" || !b.Readable && !b.Written {
			return fmt.Errorf("binding %d (%q, %+v) where %d was due: they run from 0 without a hole, each with a name and an access", b.Index, b.Name, b, i)
		}
		if b.Address { // its name tells it, and that is optimized away
			continue
		}
		j := slices.IndexFunc(opt.Bindings, func(o spirv.Binding) bool { return o.Index == b.Index })
		if j < 0 {
			return fmt.Errorf("binding %d (%s) is dead: the shader never uses it", b.Index, b.Name)
		}
		if o := opt.Bindings[j]; o.Texel != b.Texel || o.Readable != b.Readable || o.Written != b.Written {
			return fmt.Errorf("binding %d (%s) differs between -O0 and -O: %+v, %+v", b.Index, b.Name, b, o)
		}
	}
	for i, s := range info.Spec {
		if s.ID != uint32(i) || s.Name == "" {
			return fmt.Errorf("specialization constant %q has identifier %d where %d was due: they run from 0 without a hole, each with a name", s.Name, s.ID, i)
		}
	}
	if info.Local != opt.Local || info.SharedBytes < opt.SharedBytes {
		return fmt.Errorf("workgroup %v, %d bytes shared; optimized %v, %d", info.Local, info.SharedBytes, opt.Local, opt.SharedBytes)
	}
	return nil
}

// write puts what changed into dir and removes modules without a source.
func write(dir string, kernels []spirv.Kernel, src []byte) error {
	spv := filepath.Join(dir, "spv")
	if err := os.MkdirAll(spv, 0o777); err != nil {
		return err
	}
	var errs []error
	wanted := map[string]bool{}
	for _, k := range kernels {
		if k.Info == nil { // it keeps what it has
			for _, path := range []string{k.Name + ".spv", k.Name + ".fp16.spv", k.Name + ".bf16.spv"} {
				wanted[filepath.Join(spv, path)] = true
			}
			continue
		}
		for _, f := range append(k.Forms, spirv.Form{Code: k.Code}) {
			path := filepath.Join(spv, strings.TrimSuffix(k.Name+"."+f.Precision, ".")+".spv")
			wanted[path] = true
			errs = append(errs, replace(path, f.Code))
		}
	}
	errs = append(errs, replace(filepath.Join(dir, "kernels_gen.go"), src))
	have, err := filepath.Glob(filepath.Join(spv, "*.spv"))
	errs = append(errs, err)
	for _, path := range have {
		if !wanted[path] {
			errs = append(errs, os.Remove(path))
		}
	}
	return errors.Join(errs...)
}

// replace gives path the content data, at once, unless it has it already.
func replace(path string, data []byte) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, data) {
		return nil
	}
	tmp := fmt.Sprintf("%s.%d.tmp", path, os.Getpid())
	if err := os.WriteFile(tmp, data, 0o666); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	if err := os.Rename(tmp, path); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	return nil
}
