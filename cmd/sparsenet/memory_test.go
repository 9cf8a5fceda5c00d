package main

import (
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/gpu"
	"sparsevk/sparsenet"
)

// memoryJSON is what `sparsenet memory --json` promises.
type memoryJSON struct {
	sparsenet.Memory
	Allocated *uint64 `json:"allocated_bytes"`
	FitBatch  *int    `json:"fit_batch"`
	Dense     struct {
		sparsenet.Memory
		Error string
	}
	Framework sparsenet.Framework
	Traffic   *sparsenet.Traffic
}

func TestMemory(t *testing.T) {
	var arena, layered, inference memoryJSON
	decode(t, "memory --json --preset sparse-40-24", &arena)
	decode(t, "memory --json --preset sparse-40-24 --engine layered --batch 64", &layered)
	decode(t, "memory --json --preset sparse-40-24 --inference", &inference)
	assert.Equal(t, sparsenet.Arena, arena.Engine)
	assert.Equal(t, 64, arena.Batch)
	assert.Less(t, arena.Features(), uint64(132<<20))
	assert.Greater(t, layered.Features(), 5*arena.Features())
	assert.Less(t, inference.Maps, arena.Maps*2/3)
	assert.Greater(t, arena.Dense.Parameters, arena.Parameters)
	assert.Equal(t, arena.Framework, layered.Framework)
	assert.Nil(t, arena.Allocated)
	assert.Nil(t, arena.FitBatch)
	assert.Nil(t, arena.Traffic)
}

// The keys are an interface.
func TestMemoryKeys(t *testing.T) {
	sorted := func(line string) string {
		var got map[string]json.RawMessage
		decode(t, line, &got)
		var keys []string
		for k := range got {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		return strings.Join(keys, " ")
	}
	const plain = "batch dense engine evaluation_batch %framework maps_bytes optimizer_bytes other_bytes parameters_bytes precision scratch_bytes staging_bytes total_bytes weight_gradients_bytes workspace_bytes"
	with := func(more string) string { return strings.Replace(plain, "%", more, 1) }
	assert.Equal(t, with(""), sorted("memory --json --depth 16 --batch 2"))
	assert.Equal(t, with("fit_batch "), sorted("memory --json --depth 16 --batch 2 --fit 100MiB"))
	assert.Contains(t, sorted("memory --json --depth 16 --batch 2 --traffic"), "total_bytes traffic")
}

func TestMemoryFit(t *testing.T) {
	var got memoryJSON
	decode(t, "memory --json --preset sparse-16-6 --batch 1 --fit 200MiB", &got)
	fit := *got.FitBatch
	require.Positive(t, fit)
	at := func(batch string) uint64 {
		var m memoryJSON
		decode(t, "memory --json --preset sparse-16-6 --batch "+batch, &m)
		return m.Total
	}
	assert.LessOrEqual(t, at(itoa(fit)), uint64(200<<20))
	assert.Greater(t, at(itoa(fit+1)), uint64(200<<20))
	decode(t, "memory --json --preset sparse-16-6 --batch 1 --fit 1KB", &got)
	assert.Zero(t, *got.FitBatch)
	out, _, _ := execute(t, "memory --preset sparse-16-6 --batch 1 --fit 1KB")
	total := regexp.MustCompile(`(?m)^ +total +([\d,]+) `).FindStringSubmatch(out)
	require.Len(t, total, 2, out)
	assert.Contains(t, out, "Not even one image fits 1KB: it takes "+total[1]+" bytes.")
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }

func TestMemoryText(t *testing.T) {
	out, errOut, code := execute(t, "memory --preset sparse-40-24 --traffic --fit 4GiB")
	require.Equal(t, exitSuccess, code, errOut)
	assert.Contains(t, out, "sparse-40-24, arena engine, training at batch 64\n")
	assert.Regexp(t, `(?m)^ +maps +120,\d{3},\d{3} +114\.8 +138\.\d$`, out)
	assert.Regexp(t, `(?m)^backward +\d+ +\d+ +[\d.]+ +[\d.]+ +\d+\.\d\d$`, strings.ReplaceAll(out, "  backward", "backward"))
	assert.Regexp(t, `The largest batch that fits 4GiB is 2\d\d\d\.`, out)
}

// How many images are evaluated at once is said where they are more than a batch, and
// planned.
func TestMemoryOfWideEvaluation(t *testing.T) {
	var got, inference memoryJSON
	decode(t, "memory --json --preset sparse-bc-100-24", &got)
	assert.Equal(t, [2]int{64, 448}, [2]int{got.Batch, got.EvalBatch})
	decode(t, "memory --json --preset sparse-bc-100-24 --inference", &inference)
	assert.Equal(t, 64, inference.EvalBatch, "what --batch says")
	assert.Greater(t, got.Staging, inference.Staging)
	out, _, _ := execute(t, "memory --preset sparse-bc-100-24")
	assert.Contains(t, out, "training at batch 64, evaluation of 448 at once\n")
	out, _, _ = execute(t, "memory --preset sparse-bc-100-24 --kernels quad")
	assert.Contains(t, out, "training at batch 64\n")
}

func TestMemoryPicture(t *testing.T) {
	file := filepath.Join(t.TempDir(), "arena.svg")
	out, _, code := execute(t, "memory --preset sparse-16-6 --batch 2 --picture "+file)
	assert.Equal(t, exitSuccess, code)
	assert.Contains(t, out, "The picture is in "+file)
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.NoError(t, xml.Unmarshal(data, new(struct{})))
	_, errOut, code := execute(t, "memory --preset sparse-16-6 --picture "+filepath.Join(file, "x.svg"))
	assert.Equal(t, exitFailure, code)
	assert.Contains(t, errOut, "not a directory")
}

// A 1,000-layer network is planned at once; that its dense sister has no plan is
// said.
func TestMemoryOfAThousandLayers(t *testing.T) {
	start := time.Now()
	var got memoryJSON
	decode(t, "memory --json --preset sparse-1000-12", &got)
	assert.Less(t, time.Since(start), time.Minute, "a third of a second where nothing else runs")
	assert.Greater(t, got.Parameters, uint64(4*10_070_000))
	assert.Contains(t, got.Dense.Error, "bound range")
	assert.Zero(t, got.Dense.Total)
}

func TestMemoryUsage(t *testing.T) {
	for line, want := range map[string]string{
		"memory sparse-40-24":                         "memory takes flags only",
		"memory --engine tree":                        "use arena or layered",
		"memory --kernels tensor":                     "unknown class of kernels",
		"memory --batch 0":                            "batch 0",
		"memory --fit 4GB4":                           `fit "4GB4": want a size, as in 4GiB`,
		"memory --fit 4":                              `fit "4" would be 4 bytes: write the unit, as in 4GiB, or 4B`,
		"memory --fit 1048575":                        "write the unit",
		"memory --fit -1MiB":                          "want a size",
		"memory --fit NaN":                            "want a size",
		"memory --fit GiB":                            "want a size",
		"memory --preset dense-40-12 --batch 1000000": "use a smaller batch",
	} {
		out, errOut, code := execute(t, line)
		assert.Equal(t, exitUsage, code, line)
		assert.Empty(t, out, line)
		assert.Contains(t, errOut, want, line)
	}
}

func TestParseSize(t *testing.T) {
	for s, want := range map[string]uint64{
		"4GiB": 4 << 30, "1.5 GiB": 3 << 29, "500MB": 500e6, "12KB": 12000, "1073741824": 1 << 30, "7B": 7, "2TiB": 2 << 40,
	} {
		got, err := parseSize(s)
		require.NoError(t, err, s)
		assert.Equal(t, want, got, s)
	}
}

// What the device hands out is what was planned, for both engines, training and
// inference.
func TestMemoryMeasured(t *testing.T) {
	needDevice(t)
	d, err := gpu.Open(gpu.Options{}) // closed again: commands open theirs without validation
	require.NoError(t, err)
	defer func() { assert.NoError(t, d.Close()) }()
	for _, o := range []sparsenet.Options{
		{Batch: 8}, {Batch: 8, Engine: sparsenet.Layered}, {Batch: 8, Inference: true, Chunk: 1 << 20},
		{Batch: 8, Optimizer: sparsenet.AMSGrad, Average: true, Accumulate: true},
	} {
		c, err := sparsenet.Preset("sparse-10-4")
		require.NoError(t, err)
		g, err := sparsenet.Build(c)
		require.NoError(t, err)
		n, err := sparsenet.NewNetwork(g, o)
		require.NoError(t, err)
		before := d.Allocated()
		got, err := measureMemory(d, n)
		require.NoError(t, err)
		staging := n.Memory().Total - n.Plan.Total() // of the device, which other tests may have opened before
		if before >= staging {
			got += staging
		}
		assert.Equal(t, n.Memory().Total, got, "%+v", o)
	}
}
