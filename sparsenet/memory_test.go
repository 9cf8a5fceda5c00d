package sparsenet

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/gpu"
	"sparsevk/ops"
	"sparsevk/ops/optest"
)

// Maps, scratch and workspace at batch 64, in MiB: what the arena engine may take
// at most, and the layered engine, which frees what it can.
func TestMemoryBounds(t *testing.T) {
	for _, c := range []struct {
		preset string
		engine Engine
		most   float64
	}{
		{"sparse-40-24", Arena, 132},
		{"sparse-100-24", Arena, 300},
		{"dense-40-12", Arena, 85},
		{"dense-100-12", Arena, 200},
		{"sparse-bc-100-24", Arena, 690},
		{"dense-bc-190-40", Arena, 2250},
		{"sparse-40-24", Layered, 760},
		{"dense-100-12", Layered, 7200},
	} {
		for _, class := range []ops.Class{ops.Plain, ops.Quad, ops.Quad16} {
			m := network(t, c.preset, Options{Batch: 64, Engine: c.engine, Class: class}).Memory()
			got := MiB(m.Features())
			t.Logf("%s, %s, %s kernels: %.1f MiB of at most %.0f", c.preset, c.engine, class, got, c.most)
			assert.LessOrEqual(t, got, c.most, "%s, %s, %s kernels", c.preset, c.engine, class)
		}
	}
}

// One copy of every map is all that the arena engine keeps: maps exceed the sum
// of the maps by what the head and the image take, and no more.
func TestMemoryIsOneCopyOfEveryMap(t *testing.T) {
	for _, preset := range []string{"sparse-40-24", "dense-40-12", "sparse-bc-100-24", "sparse-400-12"} {
		n := network(t, preset, Options{Batch: 64})
		var once uint64
		for _, m := range n.Graph.Maps {
			once += 4 * 64 * uint64(m.Floats())
		}
		m := n.Memory()
		assert.GreaterOrEqual(t, m.Maps, once, preset)
		assert.Less(t, m.Maps-once, uint64(1<<20), preset)
		assert.LessOrEqual(t, m.Scratch, gradientScratch(n.Graph, 64), preset)
	}
}

func TestMemoryAddsUp(t *testing.T) {
	for _, o := range []Options{{Batch: 7}, {Batch: 7, Engine: Layered}, {Batch: 7, Inference: true}, {Batch: 7, Chunk: 1 << 20}} {
		n := network(t, "sparse-40-12", o)
		m := n.Memory()
		assert.Equal(t, m.Total, m.Parameters+m.Optimizer+m.WeightGradients+m.Maps+m.Scratch+m.Workspace+m.Staging+m.Other, "%+v", o)
		assert.Equal(t, m.Total, n.Plan.Total()+gpu.StagingBytes)
		assert.GreaterOrEqual(t, m.Parameters, 4*uint64(n.Graph.Counts().Parameters))
		if o.Inference {
			assert.Zero(t, m.Optimizer+m.WeightGradients+m.Scratch)
			continue
		}
		assert.GreaterOrEqual(t, m.Optimizer, 4*uint64(n.Graph.Counts().Parameters))
	}
}

// Inference frees maps after their last reader.
func TestInferenceTakesLessMemory(t *testing.T) {
	train := network(t, "sparse-100-24", Options{Batch: 64}).Memory()
	eval := network(t, "sparse-100-24", Options{Batch: 64, Inference: true}).Memory()
	assert.Less(t, eval.Maps, train.Maps/2)
}

func TestMemoryAsJSON(t *testing.T) {
	data, err := json.Marshal(network(t, "sparse-16-6", Options{Batch: 2}).Memory())
	require.NoError(t, err)
	var got map[string]any
	require.NoError(t, json.Unmarshal(data, &got))
	want := []string{
		"engine", "batch", "evaluation_batch", "precision", "parameters_bytes", "optimizer_bytes", "weight_gradients_bytes", "maps_bytes",
		"scratch_bytes", "workspace_bytes", "staging_bytes", "other_bytes", "total_bytes",
	}
	keys := make([]string, 0, len(got))
	for k := range got {
		keys = append(keys, k)
	}
	assert.ElementsMatch(t, want, keys)
}

// The MiB per image of NETWORKS.md section 4.
func TestFramework(t *testing.T) {
	for preset, want := range map[string]string{
		"sparse-40-12":           "6.90 1.13",
		"sparse-40-24":           "13.79 2.25",
		"sparse-100-12":          "21.29 2.50",
		"sparse-100-24":          "42.59 5.00",
		"sparse-100-36":          "63.88 7.51",
		"sparse-100-16x32x64":    "37.05 4.33",
		"sparse-bc-100-24":       "34.17 10.40",
		"sparse-bc-100-16x32x64": "29.82 9.17",
		"dense-40-12":            "20.32 2.03",
		"dense-100-12":           "115.24 5.03",
		"dense-100-24":           "230.48 10.05",
		"dense-bc-100-12":        "34.42 5.73",
		"dense-bc-190-40":        "341.45 36.49",
	} {
		c, err := Preset(preset)
		require.NoError(t, err)
		g, err := Build(c)
		require.NoError(t, err)
		f := g.Framework(1, ops.FP32)
		assert.Equal(t, want, fmt.Sprintf("%.2f %.2f", MiB(f.Naive), MiB(f.Efficient)), preset)
		assert.Equal(t, 64*f.Naive, g.Framework(64, ops.FP32).Naive)
	}
}

// The layered engine is no straw man: it keeps less than the naive count, which
// has every concatenation and batch norm of a whole step at once.
func TestLayeredTakesNoMoreThanAFramework(t *testing.T) {
	for _, preset := range []string{"sparse-40-24", "dense-40-12", "dense-100-12", "sparse-bc-100-24"} {
		n := network(t, preset, Options{Batch: 64, Engine: Layered})
		assert.LessOrEqual(t, n.Memory().Features(), n.Graph.Framework(64, ops.FP32).Naive, preset)
	}
}

func TestMemoryReport(t *testing.T) {
	n := network(t, "sparse-16-6", Options{Batch: 2})
	r := n.Report()
	assert.Equal(t, n.Memory(), r.Memory)
	assert.Equal(t, network(t, "dense-16-6", Options{Batch: 2}).Memory(), *r.Dense.Memory)
	assert.Equal(t, n.Graph.Framework(2, ops.FP32), r.Framework)

	var out bytes.Buffer
	r = MemoryReport{Memory: Memory{Maps: 123456789, Total: 124505365}, Dense: Wired{Memory: &Memory{Maps: 2 << 20}}, Framework: Framework{Naive: 3 << 20, Efficient: 1 << 20}}
	require.NoError(t, r.WriteText(&out))
	assert.Regexp(t, `(?m)^ *maps +123,456,789 +117\.7 +2\.0$`, out.String())
	assert.Regexp(t, `(?m)^ *total +124,505,365 +118\.7 +0\.0$`, out.String())
	assert.Contains(t, out.String(), "gradients: 117.7 MiB.")
	assert.Contains(t, out.String(), "keeps 3.0 MiB of feature maps, and 1.0 MiB if")
}

// Dense wiring may have no plan where sparse wiring has; that is said, not failed.
func TestMemoryReportWithoutDensePlan(t *testing.T) {
	n := network(t, "sparse-1000-12", Options{Batch: 1})
	r := n.Report()
	assert.Nil(t, r.Dense.Memory)
	assert.Contains(t, r.Dense.Error, "more than a bound range of 134217728")
	data, err := json.Marshal(r)
	require.NoError(t, err)
	var got struct {
		Dense map[string]any
	}
	require.NoError(t, json.Unmarshal(data, &got))
	assert.Equal(t, map[string]any{"error": r.Dense.Error}, got.Dense)
	var out bytes.Buffer
	require.NoError(t, r.WriteText(&out))
	assert.Contains(t, out.String(), "With dense wiring there is no plan: sparsenet: parameter")
}

// A channel that cannot be bound is refused by name, with the way out.
func TestPlanRefusesAChannelLargerThanARange(t *testing.T) {
	c, err := Preset("sparse-16-6")
	require.NoError(t, err)
	g, err := Build(c)
	require.NoError(t, err)
	_, err = NewNetwork(g, Options{Batch: 1 << 15})
	var large *ops.TooLargeError
	require.ErrorAs(t, err, &large)
	assert.EqualError(t, err, "sparsenet: batch 32768: ops: one channel of image of 134217728 bytes is larger than a bound range of 134217472 bytes: use a smaller batch")
}

// So is a block that no memory object takes, whatever its purpose.
func TestPlanRefusesABlockLargerThanAChunk(t *testing.T) {
	for _, e := range []Engine{Arena, Layered} {
		for _, batch := range []int{2000, 1400} {
			c, err := Preset("dense-100-24")
			require.NoError(t, err)
			g, err := Build(c)
			require.NoError(t, err)
			_, err = NewNetwork(g, Options{Batch: batch, Engine: e})
			var large *ops.TooLargeError
			require.ErrorAs(t, err, &large)
			assert.Contains(t, err.Error(), "is larger than a memory object of 1072693248 bytes: use a smaller batch")
		}
	}
}

// What a group of planes leaves behind is what all planes at once leave.
func TestGatherInGroups(t *testing.T) {
	whole := network(t, "dense-16-6", Options{Batch: 4, Scratch: 1 << 30})
	cut := network(t, "dense-16-6", Options{Batch: 4, Scratch: 3 * 4 * 4 * 32 * 32})
	assert.Greater(t, len(cut.Train.Steps()), len(whole.Train.Steps()))
	assert.Less(t, cut.Memory().Scratch, whole.Memory().Scratch)
	a, b := whole.Traffic(), cut.Traffic()
	assert.Equal(t, a.Total.MACs, b.Total.MACs)
	for _, kernel := range []string{"finalise"} {
		assert.Equal(t, a.kernels[Backward].loads[kernel].Written, b.kernels[Backward].loads[kernel].Written, "every plane once")
	}
}

func BenchmarkPlan(b *testing.B) {
	for _, preset := range []string{"sparse-40-24", "sparse-1000-12", "dense-400-12"} {
		c, err := Preset(preset)
		require.NoError(b, err)
		g, err := Build(c)
		require.NoError(b, err)
		for _, e := range []Engine{Arena, Layered} {
			b.Run(fmt.Sprintf("%s/%s", preset, e), func(b *testing.B) {
				for b.Loop() {
					_, err := NewNetwork(g, Options{Batch: 64, Engine: e})
					require.NoError(b, err)
				}
			})
		}
	}
}

// openDevice opens a device of the test's own, if SPARSEVK_GPU says that there is
// one, with the validation of the one that all tests share: others cannot be open
// beside it.
func openDevice(t *testing.T) *gpu.Device {
	t.Helper()
	optest.Device(t)
	d, err := gpu.Open(gpu.Options{Validate: gpu.Sync})
	if err != nil {
		d, err = gpu.Open(gpu.Options{})
	}
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, d.Close()) })
	return d
}
