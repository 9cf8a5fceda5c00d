package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// module is the import path of the repository's root.
const module = "sparsevk"

// graph says what a package may import of this module, and what its tests may
// import besides. It is a statement of policy: a package imports what lies below
// it and nothing else.
var graph = map[string]struct{ code, tests string }{
	"gpu/vk":                  {"", ""},
	"gpu":                     {"gpu/vk", "shaders"},
	"shaders/spirv":           {"", ""},
	"shaders":                 {"", "shaders/spirv"},
	"ops/ref":                 {"", ""},
	"ops":                     {"shaders", "ops/ref ops/optest ops/record gpu"},
	"ops/record":              {"ops shaders gpu", "ops/ref ops/optest"},
	"ops/optest":              {"ops ops/record ops/ref shaders gpu", ""},
	"sparsenet":               {"ops ops/record shaders gpu", "ops/ref ops/optest"},
	"train/data":              {"train/data/picture train/internal/durable train/internal/download", ""},
	"train/data/picture":      {"", ""},
	"train/internal/durable":  {"", ""},
	"train/internal/download": {"train/internal/durable", ""},
	"train/safetensors":       {"train/internal/durable", ""},
	"train/torch":             {"train/safetensors train/internal/durable", ""},
	"train/convert":           {"sparsenet train train/safetensors train/torch", "ops/optest train/onnx/onnxtest"},
	"train/chart":             {"sparsenet train train/internal/durable", ""},
	"train/onnx":              {"sparsenet train/internal/durable", "ops/optest train/onnx/onnxtest"},
	"train/onnx/onnxtest":     {"sparsenet gpu", ""},
	"train":                   {"sparsenet train/data train/safetensors train/internal/durable ops ops/record gpu", "ops/ref ops/optest shaders"},
	"train/tune":              {"train train/internal/durable sparsenet ops ops/record ops/optest gpu", ""},
	"cmd/sparsenet/dashboard": {"train", ""},
	"cmd/sparsenet":           {"cmd/sparsenet/dashboard train train/convert train/onnx train/data train/data/picture train/chart train/tune train/safetensors sparsenet ops ops/record ops/optest ops/ref gpu", "shaders train/onnx/onnxtest"},
	"tools":                   {"shaders/spirv", ""},
	"tools/peers":             {"train", ""},
}

// pkg is what go list says of a package.
type pkg struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

// wrongImports lists the imports of pkgs that the graph does not allow.
func wrongImports(pkgs []pkg) []string {
	var faults []string
	for _, p := range pkgs {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		allowed, ok := graph[name]
		if !ok {
			faults = append(faults, name+" is not in the package graph of tools/repo_test.go")
			continue
		}
		check := func(who string, imports, may []string) {
			for _, im := range imports {
				if dep, ok := strings.CutPrefix(im, module+"/"); ok && dep != name && !slices.Contains(may, dep) {
					faults = append(faults, who+" must not import "+dep)
				}
			}
		}
		may := strings.Fields(allowed.code)
		check(name, p.Imports, may)
		check("the tests of "+name, slices.Concat(p.TestImports, p.XTestImports), append(may, strings.Fields(allowed.tests)...))
	}
	return faults
}

func TestImports(t *testing.T) {
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	require.NoError(t, err)
	var pkgs []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else {
			require.NoError(t, err)
		}
		pkgs = append(pkgs, p)
	}
	require.NotEmpty(t, pkgs)
	assert.Empty(t, wrongImports(pkgs))
	for _, name := range slices.Sorted(maps.Keys(graph)) {
		assert.True(t, slices.ContainsFunc(pkgs, func(p pkg) bool { return p.ImportPath == module+"/"+name }), "the graph lists %s, which does not exist", name)
	}
}

func TestImportsCatches(t *testing.T) {
	for want, p := range map[string]pkg{
		"ops must not import gpu":                                {module + "/ops", []string{"fmt", module + "/gpu"}, nil, nil},
		"the tests of gpu must not import ops":                   {module + "/gpu", nil, []string{module + "/ops"}, nil},
		"the tests of ops/ref must not import ops":               {module + "/ops/ref", nil, nil, []string{module + "/ops"}},
		"ops/ref must not import shaders":                        {module + "/ops/ref", []string{module + "/shaders"}, nil, nil},
		"util is not in the package graph of tools/repo_test.go": {module + "/util", nil, nil, nil},
	} {
		assert.Equal(t, []string{want}, wrongImports([]pkg{p}))
	}
	assert.Empty(t, wrongImports([]pkg{{module + "/ops", []string{module + "/shaders"}, []string{module + "/gpu"}, []string{module + "/ops"}}}))
}

// TestGraph holds the policy itself against what it is for: what the leaves and
// the oracle can reach, over any path.
func TestGraph(t *testing.T) {
	var reach func(name string, seen map[string]bool) map[string]bool
	reach = func(name string, seen map[string]bool) map[string]bool {
		for _, dep := range strings.Fields(graph[name].code) {
			require.Contains(t, graph, dep)
			if !seen[dep] {
				seen[dep] = true
				reach(dep, seen)
			}
		}
		return seen
	}
	for name := range graph {
		assert.False(t, reach(name, map[string]bool{})[name], "%s imports itself", name)
	}
	for name, want := range map[string]string{"gpu": "gpu/vk", "shaders": "", "ops": "shaders", "ops/ref": ""} {
		assert.ElementsMatch(t, strings.Fields(want), slices.Collect(maps.Keys(reach(name, map[string]bool{}))), name)
	}
}

// files calls f for every file of the repository, but not for build outputs.
func files(fsys fs.FS, f func(name string, data []byte) error) error {
	return fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{".git", ".cache", "bin", "runs", "data"}, name):
			return fs.SkipDir
		case d.IsDir() || !slices.Contains([]string{".go", ".comp", ".glsl"}, path.Ext(name)):
			return nil
		}
		data, err := fs.ReadFile(fsys, name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // an editor's or generator's temporary file
		} else if err != nil {
			return err
		}
		return f(name, data)
	})
}

// longFiles lists the files with more lines than their kind may have. Generated
// files are exempt.
func longFiles(fsys fs.FS) (faults []string, err error) {
	limit := map[string]int{".go": 600, ".comp": 200, ".glsl": 120}
	err = files(fsys, func(name string, data []byte) error {
		n, most := strings.Count(string(data), "\n"), limit[path.Ext(name)]
		if n > most && !strings.HasPrefix(string(data), "// Code generated ") {
			faults = append(faults, fmt.Sprintf("%s has %d lines, more than %d", name, n, most))
		}
		return nil
	})
	return faults, err
}

func TestFileSizes(t *testing.T) {
	faults, err := longFiles(os.DirFS(".."))
	require.NoError(t, err)
	assert.Empty(t, faults)
}

func TestFileSizesCatches(t *testing.T) {
	lines := func(n int) *fstest.MapFile { return &fstest.MapFile{Data: []byte(strings.Repeat("\n", n))} }
	generated := &fstest.MapFile{Data: []byte("// Code generated by x; DO NOT EDIT.\n" + strings.Repeat("\n", 700))}
	faults, err := longFiles(fstest.MapFS{
		"a/ok.go": lines(600), "a/long.go": lines(601), "gen.go": generated, "s/ok.comp": lines(200), "s/long.comp": lines(201),
		"s/ok.glsl": lines(120), "s/long.glsl": lines(121), "runs/x.go": lines(999), "notes.txt": lines(999),
	})
	require.NoError(t, err)
	assert.Equal(t, []string{
		"a/long.go has 601 lines, more than 600", "s/long.comp has 201 lines, more than 200", "s/long.glsl has 121 lines, more than 120",
	}, faults)
}

// banned lists calls and imports in places where they must not be.
func banned(fsys fs.FS) (faults []string, err error) {
	err = files(fsys, func(name string, data []byte) error {
		if path.Ext(name) != ".go" {
			return nil
		}
		set, dir := token.NewFileSet(), path.Dir(name)
		f, err := parser.ParseFile(set, name, data, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		library := !strings.HasSuffix(name, "_test.go") && !strings.HasPrefix(name, "cmd/") && !strings.HasPrefix(dir, "tools") && dir != "ops/optest"
		for _, im := range f.Imports {
			p, _ := strconv.Unquote(im.Path.Value)
			if (p == "C" || p == "unsafe") && dir != "gpu/vk" {
				faults = append(faults, fmt.Sprintf("%s imports %s, which only gpu/vk may", name, p))
			}
			if p == "log" && library {
				faults = append(faults, name+" imports log: libraries do not log")
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			x, _ := s.X.(*ast.Ident)
			switch call := s.Sel.Name; {
			case (strings.HasPrefix(call, "InDelta") || strings.HasPrefix(call, "InEpsilon")) && dir != "ops/optest":
				faults = append(faults, fmt.Sprintf("%s calls %s, which accepts NaN; compare with optest.Compare", set.Position(s.Pos()), call))
			case library && x != nil && x.Name == "os" && call == "Exit":
				faults = append(faults, fmt.Sprintf("%s calls os.Exit: libraries do not exit", set.Position(s.Pos())))
			case library && x != nil && x.Name == "fmt" && strings.HasPrefix(call, "Print"):
				faults = append(faults, fmt.Sprintf("%s calls fmt.%s: libraries do not log", set.Position(s.Pos()), call))
			}
			return true
		})
		return nil
	})
	return faults, err
}

func TestBanned(t *testing.T) {
	faults, err := banned(os.DirFS(".."))
	require.NoError(t, err)
	assert.Empty(t, faults)
}

func TestBannedCatches(t *testing.T) {
	src := func(imports, body string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte("package p\nimport (" + imports + ")\nfunc f() { " + body + " }\n")}
	}
	faults, err := banned(fstest.MapFS{
		"ops/a_test.go":        src(`"assert"`, "assert.InDelta(t, 1, 2, 3)"),
		"ops/b_test.go":        src(`"require"`, "require.InEpsilonSlicef(t, 1, 2, 3)"),
		"ops/c_test.go":        src(`"fmt"; "os"`, `fmt.Println("InDelta"); os.Exit(1)`),
		"ops/optest/a_test.go": src(`"assert"`, "assert.InDelta(t, 1, 2, 3)"),
		"gpu/a.go":             src(`"unsafe"`, ""),
		"gpu/b_test.go":        src(`"C"`, ""),
		"gpu/vk/a.go":          src(`"C"; "unsafe"`, ""),
		"train/a.go":           src(`"log"; "os"`, "os.Exit(1)"),
		"train/b.go":           src(`"fmt"`, `fmt.Printf("x"); fmt.Fprintf(w, "x")`),
		"cmd/sparsenet/a.go":   src(`"fmt"; "os"`, `fmt.Println("x"); os.Exit(1)`),
	})
	require.NoError(t, err)
	assert.Equal(t, []string{
		"gpu/a.go imports unsafe, which only gpu/vk may",
		"gpu/b_test.go imports C, which only gpu/vk may",
		"ops/a_test.go:3:12 calls InDelta, which accepts NaN; compare with optest.Compare",
		"ops/b_test.go:3:12 calls InEpsilonSlicef, which accepts NaN; compare with optest.Compare",
		"train/a.go imports log: libraries do not log",
		"train/a.go:3:12 calls os.Exit: libraries do not exit",
		"train/b.go:3:12 calls fmt.Printf: libraries do not log",
	}, faults)
}
