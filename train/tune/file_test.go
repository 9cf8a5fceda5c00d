package tune

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/gpu"
	"sparsevk/ops"
	"sparsevk/sparsenet"
)

// machine is the device of a sample.
var machine = gpu.Info{Name: "Vast 9000", VendorID: 0x10de, Driver: "vastdrv", DriverInfo: "570.1", DriverVersion: 0x8e000000}

// sample is a file of a network at batch 2.
func sample(t testing.TB) (*File, *sparsenet.Graph, sparsenet.Options) {
	g, err := sparsenet.Build(sparsenet.Config{Blocks: []int{1, 1}, Growth: []int{4}, Classes: 3, Input: sparsenet.Input{H: 8, W: 8, C: 3}})
	require.NoError(t, err)
	o := sparsenet.Options{Batch: 2, Class: ops.NVIDIA}
	f := &File{Format: format, Class: "nvidia", Program: "sparsenet test", Date: "2026-11-22T00:00:00Z", Network: g.Config.Name(), Batch: 2, Engine: "arena",
		Precision: "fp32", Step: Step{2, 1, true}, Tasks: []Entry{
			{Task: "forward 3x3 8>4 8x8 n2", Variant: "tile-32x64", MS: map[ops.Variant]float64{"plain": 2, "tile-32x64": 1.5}, LeftOut: map[ops.Variant]string{"quad": "8 lanes < 32 & more"}},
			{Task: "weights 3x3", Variant: "plain"},
		}}
	f.identity(machine)
	return f, g, o
}

func TestFileRoundTrip(t *testing.T) {
	f, g, o := sample(t)
	path := filepath.Join(t.TempDir(), "tuned.json")
	require.NoError(t, f.Save(path))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Contains(t, string(text), "\n"+`    {"task":"forward 3x3 8>4 8x8 n2","variant":"tile-32x64","ms":{"plain":2,"tile-32x64":1.5},"left_out":{"quad":"8 lanes < 32 & more"}},`+"\n", "a line for each task, for people")
	got, err := Load(path)
	require.NoError(t, err)
	assert.Equal(t, path, got.Path())
	again, err := got.bytes()
	require.NoError(t, err)
	assert.Equal(t, text, again)
	require.NoError(t, got.On(machine))
	o, err = got.Apply(g, o)
	require.NoError(t, err)
	n, err := sparsenet.NewNetwork(g, o)
	require.NoError(t, err)
	for _, c := range n.Choices() {
		switch c.Task.String() {
		case "forward 3x3 8>4 8x8 n2":
			assert.Equal(t, ops.Variant("tile-32x64"), c.Variant)
		case "weights 3x3 8>4 8x8 n2":
			assert.Equal(t, ops.PlainForm, c.Variant)
		}
	}
}

// The hash is of what is chosen, in any order, and of nothing else.
func TestFileHash(t *testing.T) {
	f, _, _ := sample(t)
	hash := f.Hash()
	f.Tasks[0].MS, f.Date, f.Step.Tuned = nil, "", 7
	f.Tasks[0], f.Tasks[1] = f.Tasks[1], f.Tasks[0]
	assert.Equal(t, hash, f.Hash())
	f.Tasks[0].Variant = "tile-16k"
	assert.NotEqual(t, hash, f.Hash())
}

// Another device, driver or version of it, and another use, are refused with both.
func TestFileOfAnother(t *testing.T) {
	f, g, o := sample(t)
	f.path = "tuned.json"
	for want, change := range map[string]func(i *gpu.Info){
		`tuned.json was tuned for device "Vast 9000", this is "Small 1": tune again`:     func(i *gpu.Info) { i.Name = "Small 1" },
		`vendor "0x10de", this is "0x1002"`:                                              func(i *gpu.Info) { i.VendorID = 0x1002 },
		`driver "vastdrv 570.1", this is "nouveau 570.1"`:                                func(i *gpu.Info) { i.Driver = "nouveau" },
		`driver "vastdrv 570.1", this is "vastdrv 580.2"`:                                func(i *gpu.Info) { i.DriverInfo = "580.2" },
		`driver version "0x8e000000", this is "0x8f000000": tune again for this one, or`: func(i *gpu.Info) { i.DriverVersion = 0x8f000000 },
	} {
		other := machine
		change(&other)
		err := f.On(other)
		assert.ErrorContains(t, err, want)
		assert.ErrorAs(t, err, new(*OtherError))
	}
	for want, change := range map[string]func(o *sparsenet.Options){
		`batch "2", this is "3"`:              func(o *sparsenet.Options) { o.Batch = 3 },
		`engine "arena", this is "layered"`:   func(o *sparsenet.Options) { o.Engine = sparsenet.Layered },
		`precision "fp32", this is "bf16"`:    func(o *sparsenet.Options) { o.Precision = ops.BF16 },
		`class "nvidia", this is "quad"`:      func(o *sparsenet.Options) { o.Class = ops.Quad },
		`recompute "false", this is "true"`:   func(o *sparsenet.Options) { o.Recompute = true },
		`network "custom", this is "sparse-7`: nil,
	} {
		other, graph := o, g
		if change != nil {
			change(&other)
		} else {
			var err error
			graph, err = sparsenet.Build(sparsenet.Config{Depth: 7, Growth: []int{4}})
			require.NoError(t, err)
		}
		_, err := f.Apply(graph, other)
		assert.ErrorContains(t, err, want)
		assert.ErrorAs(t, err, new(*OtherError))
	}
	o.Inference, o.Recompute = true, true
	_, err := f.Apply(g, o)
	assert.NoError(t, err, "inference computes nothing again")
}

// What a device multiplies is kept, for plans without it; one that is there stands.
func TestFileKeepsMatrix(t *testing.T) {
	kept, own := ops.Matrix{M: 16, N: 16, K: 16, Lanes: 32}, ops.Matrix{M: 16, N: 8, K: 16, Lanes: 32}
	g, err := sparsenet.Build(sparsenet.Config{Depth: 7, Growth: []int{4}})
	require.NoError(t, err)
	f := &File{Network: g.Config.Name(), Batch: 2, Engine: "arena", Precision: "fp16", Class: "nvidia", Matrix: kept}
	text, err := json.Marshal(f)
	require.NoError(t, err)
	var again File
	require.NoError(t, json.Unmarshal(text, &again))
	o := sparsenet.Options{Batch: 2, Precision: ops.FP16, Class: ops.NVIDIA}
	for want, have := range map[ops.Matrix]ops.Matrix{kept: {}, own: own} {
		o.Matrix = have
		got, err := again.Apply(g, o)
		require.NoError(t, err)
		assert.Equal(t, want, got.Matrix)
	}
}

// badFiles are what a hand may make of a file, and what is said of it.
var badFiles = map[string]func(text string) string{
	"line 12 is not JSON":                        func(s string) string { return strings.Replace(s, `"batch": 2,`, `"batch": 2`, 1) },
	"not a tuning file: json: unknown field":     func(s string) string { return strings.Replace(s, `"engine"`, `"motor"`, 1) },
	"cannot unmarshal string into Go":            func(s string) string { return strings.Replace(s, `"batch": 2`, `"batch": "2"`, 1) },
	`format "sparsevk tuning 9", want "sparsev`:  func(s string) string { return strings.Replace(s, format, "sparsevk tuning 9", 1) },
	"driver is missing: tune again":              func(s string) string { return strings.Replace(s, `"vastdrv 570.1"`, `""`, 1) },
	"batch 0 and 2 tasks: want at least 1":       func(s string) string { return strings.Replace(s, `"batch": 2`, `"batch": 0`, 1) },
	`task "forward 3x3 8>4 8x8 n2" stands there`: func(s string) string { return strings.Replace(s, `"weights 3x3"`, `"forward 3x3 8>4 8x8 n2"`, 1) },
	`task "lift 3x3": it begins with none of`:    func(s string) string { return strings.Replace(s, `"weights 3x3"`, `"lift 3x3"`, 1) },
	`unknown variant "tile-32x65": use one of`: func(s string) string {
		return strings.Replace(s, `"variant":"tile-32x64"`, `"variant":"tile-32x65"`, 1)
	},
	`-2 ms of plain: want a time`:            func(s string) string { return strings.Replace(s, `"plain":2`, `"plain":-2`, 1) },
	"text after the end of the JSON at byte": func(s string) string { return s + "{}" },
	"unexpected EOF":                         func(s string) string { return s[:len(s)/2] },
	"EOF":                                    func(string) string { return "" },
}

func TestBadFiles(t *testing.T) {
	f, _, _ := sample(t)
	text, err := f.bytes()
	require.NoError(t, err)
	for want, change := range badFiles {
		bad := change(string(text))
		require.NotEqual(t, string(text), bad, want)
		path := filepath.Join(t.TempDir(), "bad.json")
		require.NoError(t, os.WriteFile(path, []byte(bad), 0o666))
		_, err := Load(path)
		assert.ErrorContains(t, err, want)
		assert.ErrorContains(t, err, "tune: "+path+": ")
	}
	_, err = Load(filepath.Join(t.TempDir(), "none.json"))
	assert.ErrorIs(t, err, os.ErrNotExist)
}

// FuzzFile: any bytes are an error, or a file that can be written and read again,
// names only variants that are, and has a hash.
func FuzzFile(f *testing.F) {
	s, _, _ := sample(f)
	text, err := s.bytes()
	require.NoError(f, err)
	f.Add(text)
	for _, change := range badFiles {
		f.Add([]byte(change(string(text))))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := parse(b)
		if err != nil {
			return
		}
		once, err := got.bytes()
		require.NoError(t, err)
		again, err := parse(once)
		require.NoError(t, err, "%s", once)
		twice, err := again.bytes()
		require.NoError(t, err)
		assert.True(t, bytes.Equal(once, twice), "%s\n%s", once, twice)
		assert.Equal(t, got.Hash(), again.Hash())
		assert.Len(t, got.Tuning(), len(got.Tasks))
		for task, v := range got.Tuning() {
			assert.Contains(t, ops.Variants(ops.RoleOf(task)), v)
		}
	})
}
