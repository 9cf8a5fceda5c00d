package sparsenet

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// golden is one network of testdata/networks.json.
type golden struct {
	Params   int64 `json:"params"`
	MACs     int64 `json:"macs"`
	Links    int64 `json:"links"`
	Distinct int64 `json:"distinct_floats"`
	Concat   int64 `json:"cat_floats"`
	BN       int64 `json:"bn_channels"`
	Features int   `json:"features"`
	Widths   []int `json:"layer_widths"`
}

// difference names the first count of c that is not g's.
func (g golden) difference(c Counts) string {
	got := golden{c.Parameters, c.MACs, c.Links, c.DistinctFloats, c.ConcatenatedFloats, c.BatchNormChannels, c.Features, c.LayerWidths}
	if a, b := fmt.Sprint(got), fmt.Sprint(g); a != b {
		return "got " + a + ", want " + b
	}
	return ""
}

func goldens(t *testing.T) map[string]golden {
	data, err := os.ReadFile("testdata/networks.json")
	require.NoError(t, err)
	var nets map[string]golden
	require.NoError(t, json.Unmarshal(data, &nets))
	require.Len(t, nets, 62)
	return nets
}

func build(t *testing.T, preset string) *Graph {
	t.Helper()
	c, err := Preset(preset)
	require.NoError(t, err)
	g, err := Build(c)
	require.NoError(t, err)
	return g
}

func TestCountsOfPublishedNetworks(t *testing.T) {
	nets := goldens(t)
	for _, name := range slices.Sorted(maps.Keys(nets)) {
		assert.Empty(t, nets[name].difference(build(t, name).Counts()), name)
	}
}

// The comparison above must notice every single count.
func TestCountComparisonCatches(t *testing.T) {
	want, c := goldens(t)["sparse-40-12-c10"], build(t, "sparse-40-12").Counts()
	require.Empty(t, want.difference(c))
	for name, fault := range map[string]func(*Counts){
		"parameters":   func(c *Counts) { c.Parameters++ },
		"macs":         func(c *Counts) { c.MACs-- },
		"links":        func(c *Counts) { c.Links++ },
		"distinct":     func(c *Counts) { c.DistinctFloats -= 48 },
		"concatenated": func(c *Counts) { c.ConcatenatedFloats++ },
		"batch norm":   func(c *Counts) { c.BatchNormChannels++ },
		"features":     func(c *Counts) { c.Features++ },
		"a width":      func(c *Counts) { c.LayerWidths[7]++ },
		"no widths":    func(c *Counts) { c.LayerWidths = nil },
		"fewer widths": func(c *Counts) { c.LayerWidths = c.LayerWidths[1:] },
	} {
		broken := c
		broken.LayerWidths = slices.Clone(c.LayerWidths)
		fault(&broken)
		assert.NotEmpty(t, want.difference(broken), name)
	}
}

// Networks that networks.json lacks, from NETWORKS sections 1 and 2; "M" and "G"
// as printed there.
func TestCountsOfOtherNetworks(t *testing.T) {
	for _, n := range []struct {
		preset       string
		params, macs string
		links        int64
	}{
		{"powers3-100-24-c100", "1.620532M", "0.695G", 288},
		{"powers4-100-24-c100", "1.322164M", "0.577G", 243},
		{"sparse-400-12", "3.38M", "1.46G", 0},
		{"sparse-1000-12", "10.07M", "4.39G", 0},
		{"sparse-bc-1000-12", "4.62M", "2.01G", 0},
		{"dense-400-12", "117M", "29.4G", 0},
		{"dense-1000-12", "737M", "184.5G", 0},
		{"imagenet-sparse-121-32-init1k", "3.233576M", "", 0},
		{"imagenet-sparse-201-48-init1k", "12.603736M", "", 0},
		{"imagenet-sparse-201-48-init2k", "12.638824M", "", 0},
		{"sparse-40-24-init1k", "0.726946M", "", 0}, // the Keras port's own count
		{"sparse-100-24-init1k", "2.477314M", "", 0},
	} {
		c := build(t, n.preset).Counts()
		assert.True(t, printed(n.params, c.Parameters), "%s has %d parameters, want %s", n.preset, c.Parameters, n.params)
		if n.macs != "" {
			assert.True(t, printed(n.macs, c.MACs), "%s has %d multiply-accumulates, want %s", n.preset, c.MACs, n.macs)
		}
		if n.links != 0 {
			assert.Equal(t, n.links, c.Links, n.preset)
		}
	}
}

func TestPoolingFirstSaves(t *testing.T) {
	// Two transitions of 48x48 channels at 32 and 16 pixels lose three quarters of
	// their multiply-accumulates.
	c := build(t, "sparse-40-12").Counts()
	assert.Equal(t, int64(3*(48*48*16*16+48*48*8*8)), c.MACs-c.ExecutedMACs)
	for _, p := range Presets() {
		g := build(t, p)
		c, transitions := g.Counts(), int64(0)
		for i := range g.Nodes {
			if n := &g.Nodes[i]; n.Kind == Transition {
				m, _ := g.macs(n)
				transitions += m
			}
		}
		assert.Equal(t, transitions*3/4, c.MACs-c.ExecutedMACs, p)
	}
}

func TestPublished(t *testing.T) {
	off := map[string]bool{"sparse-bc-100-16x32x64": true, "sparse-bc-100-32x64x128": true}
	for _, p := range published {
		c := build(t, fmt.Sprintf("%s-c%d", p.Preset, p.Classes)).Counts()
		assert.Equal(t, !off[p.Preset], p.Agrees(c), "%s: printed %v, ours %d and %d FLOPs", p.Preset, p, c.Parameters, c.FLOPs())
		assert.True(t, p.Agrees(c) || p.Explained != "", p.Preset)
		c.Parameters += c.Parameters / 10
		assert.False(t, p.Agrees(c), "%s: a tenth more must not agree", p.Preset)
	}
	// The explanation of the first row that is off.
	g := build(t, "sparse-bc-100-16x32x64-c100")
	g.Config.InitChannels = 64
	g, err := Build(g.Config)
	require.NoError(t, err)
	assert.Equal(t, int64(4376852), g.Counts().Parameters)
}

func TestPresets(t *testing.T) {
	class := regexp.MustCompile(`-c\d+$`)
	for name := range goldens(t) {
		assert.Contains(t, Presets(), class.ReplaceAllString(name, ""))
	}
	for _, name := range Presets() {
		c, err := Preset(name)
		require.NoError(t, err, name)
		assert.Equal(t, name, c.Name(), "the name of a preset's network")
	}
	for _, p := range published {
		assert.Contains(t, Presets(), p.Preset)
	}
	c, err := Preset("imagenet-sparse-121-32")
	require.NoError(t, err)
	assert.Equal(t, "imagenet-sparse-121-32-init2k", c.Name())
	c.Compression = 0.7
	assert.Equal(t, "imagenet-sparse-121-32-init2k+", c.Name())
}

func TestUnknownPresets(t *testing.T) {
	for name, want := range map[string]string{
		"sparse-40-42x":                     "sparse-40-24",
		"sparce-40-24":                      "did you mean sparse-40-24",
		"densenet-121":                      "imagenet-dense-121-32",
		"":                                  "did you mean",
		"sparse-41-24":                      "nearest are 40 and 43",
		"sparse-bc-44-24":                   "nearest are 40 and 46",
		"sparse-40-24x24":                   "2 numbers for 3 stages",
		"powers1-40-12":                     "at least 2",
		"imagenet-dense-40-32":              "121, 161, 169, 201 or 264",
		"sparse-40-12-c0":                   "0 classes",
		"sparse-40-99999999999999999999":    "out of range",
		"sparse-99999999999999999999999-12": "out of range",
	} {
		_, err := Preset(name)
		assert.ErrorContains(t, err, want, name)
	}
}
