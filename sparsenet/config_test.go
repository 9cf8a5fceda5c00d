package sparsenet

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestDefaults(t *testing.T) {
	c, err := Config{Depth: 40, Growth: []int{24}}.Resolve()
	require.NoError(t, err)
	assert.Equal(t, []int{24, 24, 24}, c.Growth)
	assert.Equal(t, []int{12, 12, 12}, c.Blocks)
	assert.Equal(t, "powers", c.Wiring.Name)
	assert.Equal(t, 48, c.InitChannels)
	assert.Equal(t, Input{32, 32, 3}, c.Input)
	assert.Equal(t, 10, c.Classes)
	assert.Equal(t, CIFAR, c.Stem)
	assert.Equal(t, 1.0, c.Compression)
	assert.Equal(t, 1, c.HeadGrid)

	c, err = Config{Depth: 121, Growth: []int{32}, Stem: ImageNet, Bottleneck: true}.Resolve()
	require.NoError(t, err)
	assert.Equal(t, []int{6, 12, 24, 16}, c.Blocks)
	assert.Equal(t, Input{224, 224, 3}, c.Input)
	assert.Equal(t, 1000, c.Classes)
	assert.Equal(t, 0.5, c.Compression)

	c, err = Config{Blocks: []int{6, 12, 24, 16}, Growth: []int{32}, Stem: ImageNet, Bottleneck: true}.Resolve()
	require.NoError(t, err)
	assert.Equal(t, 121, c.Depth)
}

// Resolving twice is resolving once, and JSON keeps all of it.
func TestResolveIsIdempotent(t *testing.T) {
	for _, name := range Presets() {
		p, err := Preset(name)
		require.NoError(t, err)
		once, err := p.Resolve()
		require.NoError(t, err)
		twice, err := once.Resolve()
		require.NoError(t, err)
		a, err := json.Marshal(once)
		require.NoError(t, err)
		b, err := json.Marshal(twice)
		require.NoError(t, err)
		assert.JSONEq(t, string(a), string(b))
		var back Config
		require.NoError(t, json.Unmarshal(a, &back))
		require.NoError(t, back.Validate())
		c, err := json.Marshal(back)
		require.NoError(t, err)
		assert.JSONEq(t, string(a), string(c))
	}
}

func TestEveryFaultIsNamed(t *testing.T) {
	good := Config{Depth: 40, Growth: []int{12}}
	for _, f := range []struct {
		field, want string
		edit        func(*Config)
	}{
		{"depth", "nearest are 40 and 43", func(c *Config) { c.Depth = 41 }},
		{"depth", "nearest is 7", func(c *Config) { c.Depth = 0 }},
		{"depth", "nearest is 7", func(c *Config) { c.Depth = -8 }},
		{"depth", "nearest is 10", func(c *Config) { c.Depth, c.Bottleneck = 7, true }},
		{"depth", "multiple of 6", func(c *Config) { c.Depth, c.Bottleneck = 43, true }},
		{"depth", "at most 5002", func(c *Config) { c.Depth = math.MaxInt }},
		{"depth", "121, 161, 169, 201 or 264", func(c *Config) { c.Stem, c.Bottleneck = ImageNet, true }},
		{"bottleneck", "two convolutions per layer", func(c *Config) { c.Stem, c.Depth = ImageNet, 121 }},
		{"growth", "missing", func(c *Config) { c.Growth = nil }},
		{"growth", "2 numbers for 3 stages; give one number, or 3", func(c *Config) { c.Growth = []int{1, 2} }},
		{"growth", "out of range", func(c *Config) { c.Growth = []int{4, 0, 4} }},
		{"growth", "out of range", func(c *Config) { c.Growth = []int{1 << 20} }},
		{"growth", "2 numbers for 1 stages", func(c *Config) { c.Blocks, c.Growth = []int{3}, []int{4, 4} }},
		{"growth", "more than 68719476736 parameters", func(c *Config) { c.Depth, c.Growth = 4000, []int{8000} }},
		{"blocks", "every stage needs a layer", func(c *Config) { c.Blocks = []int{3, 0, 3} }},
		{"blocks", "every stage needs a layer", func(c *Config) { c.Blocks = []int{-3} }},
		{"blocks", "at most 5000 layers in 8 stages", func(c *Config) { c.Blocks, c.Input = []int{1, 1, 1, 1, 1, 1, 1, 1, 1}, Input{512, 512, 1} }},
		{"blocks", "10000 layers", func(c *Config) { c.Blocks = []int{5000, 5000} }},
		{"wiring", "no known name", func(c *Config) { c.Wiring.Name = "tree" }},
		{"compression", "more than 0 and at most 1", func(c *Config) { c.Compression = -1 }},
		{"compression", "more than 0 and at most 1", func(c *Config) { c.Compression = math.NaN() }},
		{"compression", "more than 0 and at most 1", func(c *Config) { c.Compression = 1.5 }},
		{"compression", "leaves none of the 48 channels", func(c *Config) { c.Compression = 0.001 }},
		{"dropout", "less than 1", func(c *Config) { c.Dropout = 1 }},
		{"dropout", "less than 1", func(c *Config) { c.Dropout = math.NaN() }},
		{"classes", "out of range", func(c *Config) { c.Classes = -1 }},
		{"init_channels", "twice the growth", func(c *Config) { c.InitChannels = -1 }},
		{"input", "out of range", func(c *Config) { c.Input = Input{-1, 32, 3} }},
		{"input", "out of range", func(c *Config) { c.Input = Input{32, 1 << 20, 3} }},
		{"input", "sides of at least 4", func(c *Config) { c.Input = Input{3, 32, 3} }},
		{"input", "sides of at least 29", func(c *Config) {
			c.Input, c.Stem, c.Blocks, c.Bottleneck = Input{28, 28, 3}, ImageNet, []int{1, 1, 1, 1}, true
		}},
		{"stem", "cifar or imagenet", func(c *Config) { c.Stem = "mnist" }},
		{"head_grid", "use 1 to 8", func(c *Config) { c.HeadGrid = 9 }},
	} {
		c := good
		f.edit(&c)
		_, err := Build(c)
		var e *ConfigError
		if assert.ErrorAs(t, err, &e, "%s: %s", f.field, f.want) {
			assert.Equal(t, f.field, e.Faults[0].Field, e)
			assert.ErrorContains(t, err, f.want)
			assert.NotContains(t, err.Error(), "\n", "one fault is one line")
		}
	}
	require.NoError(t, good.Validate())
}

func TestFaultsAreCollected(t *testing.T) {
	err := Config{Depth: 41, Growth: []int{1, 2}, Compression: 2, Dropout: 3, Classes: -4}.Validate()
	var e *ConfigError
	require.True(t, errors.As(err, &e))
	assert.Len(t, e.Faults, 5)
	assert.Equal(t, 6, len(strings.Split(err.Error(), "\n")))
	assert.ErrorContains(t, err, "5 faults")
}

// Whatever a Config holds, Build returns a network that holds together or a
// ConfigError whose every fault has all of its parts; it never panics.
func TestAnyConfig(t *testing.T) { rapid.Check(t, anyConfig) }

func FuzzConfig(f *testing.F) { f.Fuzz(rapid.MakeFuzz(anyConfig)) }

func anyConfig(t *rapid.T) {
	small := rapid.IntRange(-2, 9)
	c := Config{
		Depth:        rapid.IntRange(-10, 80).Draw(t, "depth"),
		Growth:       rapid.SliceOfN(small, 0, 4).Draw(t, "growth"),
		Wiring:       Wiring{Name: rapid.SampledFrom([]string{"", "powers", "powers:3", "dense", "ring"}).Draw(t, "wiring")},
		Bottleneck:   rapid.Bool().Draw(t, "bottleneck"),
		Compression:  rapid.Float64Range(-0.1, 1.1).Draw(t, "compression"),
		InitChannels: rapid.IntRange(-1, 40).Draw(t, "init"),
		Blocks:       rapid.SliceOfN(small, 0, 5).Draw(t, "blocks"),
		Classes:      small.Draw(t, "classes"),
		Input:        Input{rapid.IntRange(-1, 70).Draw(t, "h"), rapid.IntRange(-1, 70).Draw(t, "w"), small.Draw(t, "c")},
		Form:         rapid.SampledFrom([]Form{"", Concat, Sum, Sum, "y"}).Draw(t, "form"),
		Stem:         rapid.SampledFrom([]Stem{"", CIFAR, ImageNet, "x"}).Draw(t, "stem"),
		HeadGrid:     rapid.IntRange(-1, 4).Draw(t, "grid"),
	}
	g, err := Build(c)
	if err == nil {
		checkGraph(t, g)
		return
	}
	var e *ConfigError
	require.True(t, errors.As(err, &e))
	for _, f := range e.Faults {
		assert.NotEmpty(t, f.Field)
		assert.NotEmpty(t, f.Value)
		assert.NotEmpty(t, f.Bound)
		assert.NotEmpty(t, f.Way)
	}
}

func TestParseInput(t *testing.T) {
	i, err := ParseInput("28x30x1")
	require.NoError(t, err)
	assert.Equal(t, Input{28, 30, 1}, i)
	for _, bad := range []string{"", "32", "32x32", "32x32x3x1", "ax3x3", "-1x2x3", "32 x32x3", "99999999999x1x1"} {
		_, err := ParseInput(bad)
		assert.ErrorContains(t, err, "32x32x3", bad)
	}
}

// A preset's name is a network, a ConfigError or an error that suggests names.
func FuzzPreset(f *testing.F) {
	for _, seed := range []string{"sparse-40-12", "imagenet-dense-121-32", "powers3-bc-22-8x16x32-init1k-c7", "sparse-0-0", "x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if c, err := Preset(name); err == nil {
			require.NoError(t, c.Validate())
			again, err := Preset(strings.TrimSuffix(c.Name(), "+"))
			require.NoError(t, err)
			require.Equal(t, c.Name(), again.Name())
		}
	})
}

// Means of pixels must be those of an image, and fit into one bound range.
func TestPixelMeansMustFit(t *testing.T) {
	g, err := Build(Config{Blocks: []int{1}, Growth: []int{2}, Input: Input{4, 4, 2}})
	require.NoError(t, err)
	_, err = NewNetwork(g, Options{Batch: 1, Pixels: make([]float32, 31)})
	assert.ErrorContains(t, err, "means of 31 pixels for images of 4x4x2: want 32")
	_, err = NewNetwork(g, Options{Batch: 1, Pixels: make([]float32, 32)})
	assert.NoError(t, err)
	_, err = NewNetwork(g, Options{Batch: 1, Pixels: make([]float32, 32), Range: 64})
	assert.ErrorContains(t, err, "and at most 16")
}
