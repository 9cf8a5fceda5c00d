package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	fence   = regexp.MustCompile("(?ms)^```.*?^```$")
)

// anchor returns the name under which a heading can be linked to.
func anchor(title string) string {
	return regexp.MustCompile(`[^\pL\pN -]`).ReplaceAllString(strings.ReplaceAll(strings.ToLower(title), " ", "-"), "")
}

// deadLinks lists the relative links of the documents at the top that lead
// nowhere.
func deadLinks(fsys fs.FS) (faults []string, err error) {
	names, err := fs.Glob(fsys, "*.md")
	if err != nil {
		return nil, err
	}
	text := map[string]string{}
	for _, name := range names {
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, err
		}
		text[name] = fence.ReplaceAllString(string(data), "")
	}
	for _, name := range names {
		for _, m := range link.FindAllStringSubmatch(text[name], -1) {
			target, fragment, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			if target == "" {
				target = name
			}
			if _, err := fs.Stat(fsys, path.Clean(target)); err != nil {
				faults = append(faults, fmt.Sprintf("%s links to %s, which is not there", name, m[1]))
			} else if fragment != "" && !hasAnchor(text[target], fragment) {
				faults = append(faults, fmt.Sprintf("%s links to %s, which has no such heading", name, m[1]))
			}
		}
	}
	return faults, nil
}

func hasAnchor(text, fragment string) bool {
	for _, h := range heading.FindAllStringSubmatch(text, -1) {
		if anchor(h[1]) == fragment {
			return true
		}
	}
	return false
}

func TestLinks(t *testing.T) {
	faults, err := deadLinks(os.DirFS(".."))
	require.NoError(t, err)
	assert.Empty(t, faults)
}

func TestLinksCatches(t *testing.T) {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	faults, err := deadLinks(fstest.MapFS{
		"A.md":    file("# One\n[x](B.md) [x](b/c.svg) [x](https://a.b/c) [x](#one) [x](B.md#two-words)\n```\n[x](no)\n```\n"),
		"B.md":    file("## Two words\n![x](d.svg) [x](A.md#two)"),
		"b/c.svg": file(""),
	})
	require.NoError(t, err)
	assert.Equal(t, []string{
		"B.md links to d.svg, which is not there",
		"B.md links to A.md#two, which has no such heading",
	}, faults)
}

// function returns the text of the function of that name in Go source.
func function(source, name string) string {
	_, rest, _ := strings.Cut(source, "\nfunc "+name+"(")
	body, _, _ := strings.Cut(rest, "\n}\n")
	return "func " + name + "(" + body + "\n}"
}

// The README shows a function that is compiled and run.
func TestReadmeShowsTheExample(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	example, err := os.ReadFile("../train/example_test.go")
	require.NoError(t, err)
	learn := function(string(example), "learn")
	require.Contains(t, learn, "train.Trainer{")
	assert.Contains(t, string(readme), "```go\n"+learn+"\n```\n", "README.md shows another learn than train/example_test.go")
	assert.NotContains(t, string(readme), strings.Replace(learn, "Size: 64", "Size: 65", 1))
}

// undocumented lists the exported names of a package's source that say nothing of
// themselves: functions, methods, types, constants and variables. A comment on a group,
// or at the end of a line, is one on each of its names. Methods of types that are not
// exported and package main have no readers.
func undocumented(name string, source []byte) (faults []string, err error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, source, parser.ParseComments)
	if err != nil || file.Name.Name == "main" {
		return nil, err
	}
	said := func(about ...*ast.CommentGroup) bool {
		return slices.ContainsFunc(about, func(g *ast.CommentGroup) bool { return strings.TrimSpace(g.Text()) != "" })
	}
	note := func(id *ast.Ident, about ...*ast.CommentGroup) {
		if id.IsExported() && !said(about...) {
			faults = append(faults, fmt.Sprintf("%s: %s", set.Position(id.Pos()), id.Name))
		}
	}
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil || exportedReceiver(d.Recv.List[0].Type) {
				note(d.Name, d.Doc)
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					note(s.Name, d.Doc, s.Doc, s.Comment)
				case *ast.ValueSpec:
					for _, id := range s.Names {
						note(id, d.Doc, s.Doc, s.Comment)
					}
				}
			}
		}
	}
	return faults, nil
}

func exportedReceiver(t ast.Expr) bool {
	switch t := t.(type) {
	case *ast.StarExpr:
		return exportedReceiver(t.X)
	case *ast.IndexExpr:
		return exportedReceiver(t.X)
	case *ast.Ident:
		return t.IsExported()
	}
	return false
}

// Every exported name is documented, and every package.
func TestExportedNamesAreDocumented(t *testing.T) {
	packages := map[string]bool{} // whether a file says what the package is
	require.NoError(t, files(os.DirFS(".."), func(name string, source []byte) error {
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		faults, err := undocumented(name, source)
		assert.Empty(t, faults)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ParseComments|parser.PackageClauseOnly)
		dir := path.Dir(name)
		packages[dir] = packages[dir] || err == nil && file.Doc != nil
		return err
	}))
	for dir, said := range packages {
		assert.True(t, said, "%s: no file has a comment on the package", dir)
	}
	assert.Greater(t, len(packages), 20)
}

func TestExportedNamesAreDocumentedCatches(t *testing.T) {
	faults, err := undocumented("x.go", []byte(`package x
// A is said.
type A struct{}
func (A) One() {}
func (*A) two() {}
type B struct{}
func (hidden[T]) Three() {}
// Four is said.
func Four() {}
func Five() {}
// These are said.
const ( C = 1; D = 2 )
var (
	E = 1 // so is this
	F = 2
)
//
func Six() {}
`))
	require.NoError(t, err)
	assert.Equal(t, []string{"x.go:4:10: One", "x.go:6:6: B", "x.go:10:6: Five", "x.go:15:2: F", "x.go:18:6: Six"}, faults)
	faults, err = undocumented("x.go", []byte("package main\nfunc X() {}\n"))
	require.NoError(t, err)
	assert.Empty(t, faults)
	_, err = undocumented("x.go", []byte("package"))
	assert.Error(t, err)
}
