package main

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
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
