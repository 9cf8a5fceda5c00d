package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fuzzTargets finds the fuzz targets below root in the syntax of the tests: folder
// and name, as fuzz.sh lists them.
func fuzzTargets(t *testing.T, root string) (list []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || f.Recv != nil || !strings.HasPrefix(f.Name.Name, "Fuzz") {
				continue
			}
			dir, err := filepath.Rel(root, filepath.Dir(path))
			if err != nil {
				return err
			}
			list = append(list, "./"+filepath.ToSlash(dir)+" "+f.Name.Name)
		}
		return nil
	})
	require.NoError(t, err)
	slices.Sort(list)
	return list
}

// fuzz runs the script in the repository at root.
func fuzz(root string, env []string, args ...string) (string, error) {
	c := exec.Command("bash", append([]string{filepath.Join(root, "tools", "fuzz.sh")}, args...)...)
	c.Env = append(os.Environ(), env...)
	out, err := c.CombinedOutput()
	return string(out), err
}

// make fuzz leaves out no target.
func TestFuzzScriptFindsAll(t *testing.T) {
	want := fuzzTargets(t, "..")
	require.Greater(t, len(want), 10)
	out, err := fuzz("..", nil, "list")
	require.NoError(t, err, out)
	assert.Equal(t, want, strings.Split(strings.TrimSpace(out), "\n"))
	makefile, err := os.ReadFile("../Makefile")
	require.NoError(t, err)
	assert.Contains(t, string(makefile), "tools/fuzz.sh $(FUZZTIME)\n")
}

// A target that fails ends neither the others nor the counting, but is told, by the
// exit status too. Here go is a script that plays the fuzzer.
func TestFuzzScriptGoesOn(t *testing.T) {
	root := t.TempDir()
	write := func(path, text string, mode fs.FileMode) {
		path = filepath.Join(root, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
		require.NoError(t, os.WriteFile(path, []byte(text), mode))
	}
	script, err := os.ReadFile("fuzz.sh")
	require.NoError(t, err)
	write("tools/fuzz.sh", string(script), 0o777)
	write("bin/go", `#!/bin/sh
cat # it must not eat the list of targets
echo 'fuzz: elapsed: 1s, execs: 100 (1/sec), new interesting: 0 (total: 1)'
case "$*" in *FuzzBad*) echo '--- FAIL: FuzzBad'; exit 1 ;; esac
echo 'fuzz: elapsed: 2s, execs: 1234 (1/sec), new interesting: 0 (total: 1)'
`, 0o777)
	env := []string{"PATH=" + filepath.Join(root, "bin") + string(os.PathListSeparator) + os.Getenv("PATH")}
	_, err = fuzz(root, env, "2s")
	assert.Error(t, err, "there are no targets")

	write("a/a_test.go", "package a\n\nfunc FuzzBad(f *testing.F) {\n}\n", 0o666)
	write("b/c/c_test.go", "package c\n\nfunc FuzzGood(f *testing.F) {\n}\n\nfunc TestX(t *testing.T) {}\n", 0o666)
	assert.Equal(t, []string{"./a FuzzBad", "./b/c FuzzGood"}, fuzzTargets(t, root))
	out, err := fuzz(root, env, "2s")
	assert.ErrorContains(t, err, "exit status 1", out)
	assert.Regexp(t, `(?m)^\./a +FuzzBad +100 inputs  FAILED$`, out)
	assert.Regexp(t, `(?m)^\./b/c +FuzzGood +1234 inputs  passed$`, out)
	assert.Contains(t, out, "1334 inputs in 2 targets of 2s each")
	require.NoError(t, os.RemoveAll(filepath.Join(root, "a")))
	out, err = fuzz(root, env, "2s")
	assert.NoError(t, err, out)
}
