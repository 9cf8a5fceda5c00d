package sparsenet

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func wiringFile(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "wiring.txt")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
	return path
}

const twoStages = `# The second stage is a chain.
1: 0
2: 1 0   # newest first
output: 2,1, 0

stage
1: 0
output: 1
`

// A file gives the wiring, the layers of each stage if nothing else does, and a
// configuration that JSON keeps whole.
func TestReadWiring(t *testing.T) {
	w, err := ReadWiring(wiringFile(t, twoStages))
	require.NoError(t, err)
	assert.Equal(t, "table:0|1,0|2,1,0;0|1", w.Name)
	assert.Regexp(t, `^table of 2,1 layers, [0-9a-f]{8}$`, w.String())
	c, err := Config{Growth: []int{4}, Wiring: w, Blocks: []int{2, 1}}.Resolve()
	require.NoError(t, err)
	data, err := json.Marshal(c)
	require.NoError(t, err)
	var back Config
	require.NoError(t, json.Unmarshal(data, &back))
	require.NoError(t, back.Validate())
	assert.Equal(t, []int{2, 1, 0}, back.Wiring.ReadsAt(0, 3))
	assert.Equal(t, []int{1}, back.Wiring.ReadsAt(1, 2))

	one, err := ReadWiring(wiringFile(t, "stage\n1: 0\noutput: 1 0"))
	require.NoError(t, err)
	c, err = Config{Growth: []int{4}, Wiring: one}.Resolve()
	require.NoError(t, err)
	assert.Equal(t, []int{1, 1, 1}, c.Blocks, "a file of one stage serves all")
}

func TestReadWiringErrors(t *testing.T) {
	for text, want := range map[string]string{
		"1: 0\n2: 1 2\noutput: 2 1":              "line 2: map 2 reads map 2; it may read maps 0 to 1",
		"1: 0\n2: 1 1\noutput: 2 1":              "line 2: map 2 reads map 1 twice",
		"1: 0\n\n2:\noutput: 2 1":                "line 3: map 2 reads nothing",
		"1: 0\n3: 1\n":                           `line 2: "3": want layer 2 or output next`,
		"1: 0\n2: one\n":                         `line 2: "one" is not the number of a map`,
		"1: 0\n2: -1\n":                          "line 2: map 2 reads map -1",
		"1: 0\ntwo\n":                            `line 2: "two": want a layer and the maps that it reads`,
		"1: 0\n2: 1\noutput: 1":                  "line 3: map 2 of the stage is read by none",
		"1: 0\n2: 0\noutput: 2\n":                "line 3: map 1 of the stage is read by none",
		"1: 0\noutput: 1\n2: 1\n":                `line 3: "2: 1" comes after the stage's output: the line stage begins the next`,
		"1: 0\n2: 1":                             "line 2: the stage before has no output: a line such as output: 2 is missing",
		"1: 0\nstage\n1: 0":                      "line 2: the stage before has no output",
		"stage\nstage\n":                         "line 2: the stage before has no output",
		"output: 0\n":                            "line 1: the stage has no layer before its output",
		"# nothing\n":                            "line 1: the file has no stage",
		"":                                       "line 0: the file has no stage",
		"1: " + strings.Repeat("0 ", 1<<20) + "": "after line 0: bufio.Scanner: token too long",
	} {
		path := wiringFile(t, text)
		_, err := ReadWiring(path)
		assert.ErrorContains(t, err, "sparsenet: wiring "+path+": "+want)
	}
	_, err := ReadWiring("nowhere.txt")
	assert.ErrorContains(t, err, "sparsenet: wiring: open nowhere.txt")
}

// Any wiring, written out, is the same network.
func TestWrittenOut(t *testing.T) {
	for _, w := range []Wiring{Powers(2), Powers(3), Dense(), crossed()} {
		c, err := Config{Blocks: []int{5, 3, 5}, Growth: []int{4}, Wiring: w}.Resolve()
		require.NoError(t, err)
		out := c
		out.Wiring = w.writeOut(c.Blocks)
		data, err := json.Marshal(out)
		require.NoError(t, err)
		var back Config
		require.NoError(t, json.Unmarshal(data, &back))
		a, err := Build(c)
		require.NoError(t, err)
		b, err := Build(back)
		require.NoError(t, err)
		assert.Equal(t, a.Nodes, b.Nodes)
		assert.Equal(t, a.Maps, b.Maps)
	}
	same := crossed().writeOut([]int{2, 2})
	assert.Equal(t, "table:0|1,0|2,0", same.Name, "equal stages are written once")
}

// A function of the caller's own is stored as what it says; a wiring that differs
// from stage to stage is, too.
func TestFunctionIsStored(t *testing.T) {
	w := Wiring{Name: "mine", ReadsAt: func(s, l int) []int {
		if s == 0 {
			return Dense().Reads(l)
		}
		return []int{l - 1}
	}}
	c, err := Config{Blocks: []int{3, 2}, Growth: []int{4}, Wiring: w}.Resolve()
	require.NoError(t, err)
	assert.Equal(t, "table:0|0,1|0,1,2|0,1,2,3;0|1|2", c.Wiring.Name)
	assert.Equal(t, "custom", c.Name())
	for blocks, want := range map[[2]int]string{
		{3, 3}: "it has 2 layers for stage 1, which has 3; correct its file or function",
		{2, 2}: "it has 3 layers for stage 0, which has 2",
	} {
		c.Blocks = blocks[:]
		assert.ErrorContains(t, c.Validate(), want)
	}
	for _, bad := range []string{"table:", "table:0|x", "table:0;;0"} {
		_, err := ParseWiring(bad)
		assert.ErrorContains(t, err, "is not a whole number in wiring", bad)
	}
	assert.ErrorContains(t, Config{Blocks: []int{1}, Growth: []int{4}, Wiring: Wiring{Name: "table:0|1,7"}}.Validate(), "map 2 reads map 7")
}

// FuzzWiring: any file is an error that names it, or a wiring that its name writes
// out, and that a network of its layers can be built with.
func FuzzWiring(f *testing.F) {
	for _, text := range []string{twoStages, "stage\n1: 0\noutput: 1 0", "1: 0\n2: 0,1\n3: 2\noutput: 3 2", "1: 0\n2: +1 00\noutput: 2", "1:0\noutput:99999999999999999999", "#\n\x00:"} {
		f.Add([]byte(text))
	}
	path := filepath.Join(f.TempDir(), "wiring.txt")
	f.Fuzz(func(t *testing.T, text []byte) {
		require.NoError(t, os.WriteFile(path, text, 0o666))
		w, err := ReadWiring(path)
		if err != nil {
			require.ErrorContains(t, err, path)
			return
		}
		again, err := ParseWiring(w.Name)
		require.NoError(t, err)
		require.Equal(t, w.table, again.table)
		c, err := Config{Growth: []int{1}, Wiring: w, Input: Input{64, 64, 3}}.Resolve()
		var refused *ConfigError
		if errors.As(err, &refused) { // too many stages or layers
			return
		}
		require.NoError(t, err)
		g, err := Build(c)
		require.NoError(t, err)
		checkGraph(t, g)
	})
}
