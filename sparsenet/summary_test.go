package sparsenet

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSummaryTable(t *testing.T) {
	g, err := Build(Config{Depth: 10, Growth: []int{4}})
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, g.Summary().WriteText(&out))
	assert.Equal(t, strings.TrimLeft(`
sparse-10-4: wiring powers, growth 4, layers 2,2,2, 10 classes, input 32x32x3, cifar stem

layer          reads  width  output   parameters  MMACs
stem           -      3      8x32x32  216         0.221
stage0/layer1  0      8      4x32x32  304         0.295
stage0/layer2  1 0    12     4x32x32  456         0.442
transition0    2 1    8      8x16x16  80          0.066
stage1/layer1  0      8      4x16x16  304         0.074
stage1/layer2  1 0    12     4x16x16  456         0.111
transition1    2 1    8      8x8x8    80          0.016
stage2/layer1  0      8      4x8x8    304         0.018
stage2/layer2  1 0    12     4x8x8    456         0.028
head           2 1    8      10x1x1   106         0.000

parameters            2,762      running statistics not counted
multiply-accumulates  1,270,864  an image, forward, pooling after the 1x1 as published
  as executed         1,209,424  pooling before the 1x1
links                 15         maps read by layers and stage outputs
distinct floats       31,752     an image; every map once
concatenated floats   37,632     an image; what copying concatenations moves
`, "\n"), out.String())
}

func TestSummaryJSON(t *testing.T) {
	data, err := json.Marshal(build(t, "sparse-bc-100-24").Summary())
	require.NoError(t, err)
	var s map[string]any
	require.NoError(t, json.Unmarshal(data, &s))
	want := goldens(t)["sparse-bc-100-24-c10"]
	assert.Equal(t, float64(want.Params), s["parameters"])
	assert.Equal(t, float64(want.MACs), s["multiply_accumulates"])
	assert.Equal(t, float64(want.Links), s["links"])
	assert.Equal(t, float64(want.Distinct), s["distinct_floats"])
	assert.Equal(t, float64(want.Concat), s["concatenated_floats"])
	assert.Len(t, s["layer_widths"], len(want.Widths))
	assert.Equal(t, "sparse-bc-100-24", s["name"])
	var back Summary
	require.NoError(t, json.Unmarshal(data, &back))
	assert.Equal(t, want.Widths, back.LayerWidths)
	g, err := Build(back.Config)
	require.NoError(t, err)
	assert.Equal(t, want.Params, g.Counts().Parameters)
}

// The rows of the table add up to the totals.
func TestSummaryRows(t *testing.T) {
	for _, name := range Presets() {
		s := build(t, name).Summary()
		var params, macs, links int64
		for _, l := range s.Layers {
			params, macs, links = params+l.Parameters, macs+l.MACs, links+int64(len(l.Reads))
		}
		assert.Equal(t, s.Parameters, params, name)
		assert.Equal(t, s.MACs, macs, name)
		assert.Equal(t, s.Links, links, name)
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("no room") }

func TestSummaryReportsWriteErrors(t *testing.T) {
	assert.ErrorContains(t, build(t, "sparse-40-12").Summary().WriteText(brokenPipe{}), "no room")
}

func TestFormats(t *testing.T) {
	assert.Equal(t, "-", runs(nil))
	assert.Equal(t, "12 11 9 5", runs([]int{12, 11, 9, 5}))
	assert.Equal(t, "0-11", runs([]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}))
	assert.Equal(t, "3 0-1", runs([]int{3, 0, 1}))
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1234567: "-1,234,567", -123: "-123"} {
		assert.Equal(t, want, Thousands(n))
	}
}
