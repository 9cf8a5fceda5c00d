package shaders

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	formula   = regexp.MustCompile(`(?m)^//     +\S`)
	reference = regexp.MustCompile(`CPU reference: (.+?)\.? Host: (\S.*)`)
	refName   = regexp.MustCompile(`ops/ref\.([A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)?)`)
)

// header returns the first comment after the directives at the top of a shader.
func header(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "//"):
			lines = append(lines, line)
		case len(lines) > 0:
			return strings.Join(lines, "")
		case strings.TrimSpace(line) != "" && !strings.HasPrefix(line, "#"):
			return ""
		}
	}
	return strings.Join(lines, "")
}

// lint lists what the header comment of shader name lacks; refs are the exported
// functions of package ref.
func lint(name, text string, refs map[string]bool) []string {
	h := header(text)
	var faults []string
	if !strings.HasPrefix(h, "// "+name+": ") {
		faults = append(faults, "the first comment after the includes must begin with its name: // "+name+": ")
	}
	if !formula.MatchString(h) {
		faults = append(faults, "the header has no formula, indented by five spaces")
	}
	flat := strings.Join(strings.Fields(strings.ReplaceAll(h, "\n//", "\n")), " ")
	m := reference.FindStringSubmatch(flat)
	if m == nil {
		return append(faults, "the header has no line: CPU reference: ops/ref.Name. Host: ops.Name.")
	}
	found := refName.FindAllStringSubmatch(m[1], -1)
	if len(found) == 0 && !strings.HasPrefix(m[1], "none") {
		faults = append(faults, fmt.Sprintf("the CPU reference %q is neither ops/ref.Name nor none", m[1]))
	}
	for _, r := range found {
		if !refs[r[1]] {
			faults = append(faults, "there is no function, nor type with methods, ops/ref."+r[1])
		}
	}
	return faults
}

// references returns the exported functions, methods (Type.Method) and types
// with such methods of a package, tests excluded.
func references(t *testing.T, dir string) map[string]bool {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	refs := map[string]bool{}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		require.NoError(t, err)
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || !fn.Name.IsExported() {
				continue
			}
			name := fn.Name.Name
			if fn.Recv != nil {
				typ := fn.Recv.List[0].Type
				if p, ok := typ.(*ast.StarExpr); ok {
					typ = p.X
				}
				if id, ok := typ.(*ast.Ident); ok {
					refs[id.Name] = true
					name = id.Name + "." + name
				}
			}
			refs[name] = true
		}
	}
	return refs
}

func TestHeaders(t *testing.T) {
	refs := references(t, "../ops/ref")
	require.NotEmpty(t, refs)
	files, err := fs.Glob(os.DirFS("."), "*.comp")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		b, err := os.ReadFile(f)
		require.NoError(t, err)
		assert.Empty(t, lint(strings.TrimSuffix(f, ".comp"), string(b), refs), f)
	}
}

func TestHeadersCatches(t *testing.T) {
	b, err := os.ReadFile("relu_bwd.comp")
	require.NoError(t, err)
	refs := map[string]bool{"ReLUBackward": true}
	good := string(b)
	require.Empty(t, lint("relu_bwd", good, refs))
	for name, bad := range map[string]string{
		"name":         strings.Replace(good, "// relu_bwd:", "// relu_fwd:", 1),
		"formula":      strings.Replace(good, "//     dx[i]", "// dx[i]", 1),
		"no reference": strings.Replace(good, "CPU reference", "reference", 1),
		"unknown":      strings.Replace(good, "ref.ReLUBackward", "ref.ReluBackward", 1),
		"vague":        strings.Replace(good, "ops/ref.ReLUBackward", "somewhere", 1),
		"no host":      strings.Replace(good, "Host:", "Run by", 1),
		"late":         strings.Replace(good, "// relu_bwd", "const uint A = 1;\n// relu_bwd", 1),
		"empty":        "",
	} {
		assert.NotEmpty(t, lint("relu_bwd", bad, refs), name)
	}
	none := strings.Replace(good, "ops/ref.ReLUBackward", "none: it moves bits", 1)
	assert.Empty(t, lint("relu_bwd", none, refs))
}
