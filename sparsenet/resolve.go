package sparsenet

import (
	"fmt"
	"slices"
	"strconv"
)

// Validate returns nil or a *ConfigError with every fault.
func (c Config) Validate() error {
	_, err := c.Resolve()
	return err
}

// Resolve returns c with every default filled in (Depth and Blocks agree, Growth
// has one entry per stage), or a *ConfigError with every fault.
func (c Config) Resolve() (Config, error) {
	e := new(ConfigError)
	c.Growth, c.Blocks = slices.Clone(c.Growth), slices.Clone(c.Blocks)
	c.resolveStem(e)
	c.resolveForm(e)
	c.findWiring(e)
	c.resolveBlocks(e)
	c.resolveGrowth(e)
	c.resolveWiring(e)
	c.resolveNumbers(e)
	c.checkSize(e)
	if len(e.Faults) > 0 {
		return Config{}, e
	}
	return c, nil
}

func (c *Config) resolveStem(e *ConfigError) {
	setDefault(&c.Stem, CIFAR)
	if c.Stem == ImageNet {
		setDefault(&c.Classes, 1000)
		setDefault(&c.Input, Input{224, 224, 3})
		return
	}
	setDefault(&c.Classes, 10)
	setDefault(&c.Input, Input{32, 32, 3})
	if c.Stem != CIFAR {
		e.add("stem", strconv.Quote(string(c.Stem)), "unknown", "use cifar or imagenet")
	}
}

func (c *Config) resolveForm(e *ConfigError) {
	setDefault(&c.Form, Concat)
	if c.Form != Concat && c.Form != Sum {
		e.add("form", strconv.Quote(string(c.Form)), "unknown", "use concat or sum")
		c.Form = Concat
	}
	if c.Form == Concat {
		return
	}
	if c.Compression != 0 && c.Compression != 1 {
		e.add("compression", c.Compression, "the sum form has no transitions", "leave it out")
	}
	setDefault(&c.Compression, 1)
	for _, k := range c.Growth {
		if c.Bottleneck && k%4 != 0 {
			e.add("growth", k, "a bottleneck of the sum form is a quarter as wide", "use a multiple of 4")
			return
		}
	}
}

// perLayer returns the convolutions of a layer.
func (c *Config) perLayer() int {
	n := 1
	if c.Form == Sum {
		n++
	}
	if c.Bottleneck {
		n++
	}
	return n
}

// resolveBlocks makes Blocks out of Depth, or Depth out of Blocks.
func (c *Config) resolveBlocks(e *ConfigError) {
	per := c.perLayer()
	if len(c.Blocks) > 0 {
		c.checkBlocks(e)
		c.Depth = c.countDepth(per)
		return
	}
	if c.Stem == ImageNet && c.Form == Sum {
		e.add("depth", c.Depth, "says nothing of the stages with the ImageNet stem and the sum form", "give the layers of each stage as blocks, such as 3,4,6,3")
		return
	}
	if c.Stem == ImageNet {
		blocks, ok := imagenetBlocks[c.Depth]
		switch {
		case !ok:
			e.add("depth", c.Depth, "unknown with the ImageNet stem", "use 121, 161, 169, 201 or 264, or give the layers of each stage as blocks")
		case !c.Bottleneck:
			e.add("bottleneck", false, fmt.Sprintf("depth %d counts two convolutions per layer", c.Depth), "switch bottleneck on, or give the layers of each stage as blocks")
		default:
			c.Blocks = slices.Clone(blocks)
		}
		return
	}
	unit, rest := 3*per, c.unstaged(3)
	if n := (c.Depth - rest) / unit; n >= 1 && (c.Depth-rest)%unit == 0 && 3*n <= maxLayers {
		c.Blocks = []int{n, n, n}
		return
	}
	c.depthFault(e, unit, rest)
}

// unstaged returns the weighted layers outside of the stages: stem, classifier,
// and the transitions between as many stages.
func (c *Config) unstaged(stages int) int {
	if c.Form == Sum {
		return 2
	}
	return 1 + stages
}

// countDepth returns the depth of Blocks with per convolutions per layer.
func (c *Config) countDepth(per int) int {
	if c.Stem == ImageNet && c.Bottleneck && slices.Equal(c.Blocks, imagenetBlocks[264]) {
		return 264 // as published, though it counts to 265
	}
	depth := c.unstaged(len(c.Blocks))
	for _, n := range c.Blocks {
		depth += per * n
	}
	return depth
}

func (c *Config) depthFault(e *ConfigError, unit, rest int) {
	what := [...]string{3: "one convolution", 6: "two convolutions", 9: "three convolutions"}[unit] + " per layer in each of three stages"
	bound := fmt.Sprintf("does not fit, (depth-%d) must be a multiple of %d, %s", rest, unit, what)
	low, high := rest+unit, rest+maxLayers/3*unit
	way := fmt.Sprintf("nearest is %d", low)
	switch n := (c.Depth - rest) / unit; {
	case c.Depth > high:
		bound, way = fmt.Sprintf("more than %d layers", maxLayers), fmt.Sprintf("at most %d", high)
	case c.Depth > low:
		way = fmt.Sprintf("nearest are %d and %d", rest+n*unit, rest+(n+1)*unit)
	}
	e.add("depth", c.Depth, bound, way)
}

func (c *Config) checkBlocks(e *ConfigError) {
	sum := 0
	for _, n := range c.Blocks {
		if n < 1 || n > maxLayers {
			e.add("blocks", join(c.Blocks), "every stage needs a layer", fmt.Sprintf("use numbers from 1 to %d, as in 6,12,24,16", maxLayers))
			return
		}
		sum += n
	}
	if sum > maxLayers || len(c.Blocks) > maxStages {
		e.add("blocks", join(c.Blocks), fmt.Sprintf("%d layers in %d stages", sum, len(c.Blocks)), fmt.Sprintf("at most %d layers in %d stages", maxLayers, maxStages))
	}
}

// stages returns the number of stages, also where Blocks could not be resolved.
func (c *Config) stages() int {
	switch {
	case len(c.Blocks) > 0:
		return len(c.Blocks)
	case c.Stem == ImageNet:
		return 4
	}
	return 3
}

func (c *Config) resolveGrowth(e *ConfigError) {
	n := c.stages()
	switch {
	case len(c.Growth) == 0:
		e.add("growth", "missing", "a layer must add maps", "give one number, or one per stage, as in 24 or 16,32,64")
		return
	case len(c.Growth) == 1:
		c.Growth = slices.Repeat(c.Growth, n)
	case len(c.Growth) != n:
		e.add("growth", join(c.Growth), fmt.Sprintf("%d numbers for %d stages", len(c.Growth), n), fmt.Sprintf("give one number, or %d", n))
	}
	for _, k := range c.Growth {
		if k < 1 || k > maxGrowth {
			e.add("growth", k, "out of range", fmt.Sprintf("use 1 to %d", maxGrowth))
			setDefault(&c.InitChannels, 1)
			return
		}
	}
	switch {
	case c.Form == Concat:
		setDefault(&c.InitChannels, 2*c.Growth[0])
	case c.Bottleneck:
		setDefault(&c.InitChannels, max(1, c.Growth[0]/4))
	default:
		setDefault(&c.InitChannels, c.Growth[0])
	}
}

// findWiring makes sure that the wiring has a function.
func (c *Config) findWiring(e *ConfigError) {
	if c.Wiring.Reads == nil && c.Wiring.ReadsAt == nil {
		setDefault(&c.Wiring.Name, "powers")
		w, err := ParseWiring(c.Wiring.Name)
		if err != nil {
			e.add("wiring", strconv.Quote(c.Wiring.Name), "has no function and no known name", "use Powers(2), Dense() or set Reads")
			w = Powers(2)
		}
		c.Wiring = w
	}
	setDefault(&c.Wiring.Name, "custom")
	if c.Depth == 0 && len(c.Blocks) == 0 && c.Wiring.table != nil {
		c.Blocks = c.Wiring.table.blocks(c.stages())
	}
}

func (c *Config) resolveWiring(e *ConfigError) {
	checked := make(map[int]bool)
	for s, n := range c.Blocks {
		if n < 1 || n > maxLayers || checked[n] && c.Wiring.ReadsAt == nil {
			continue
		}
		checked[n] = true
		if fault := c.Wiring.check(s, n+1); fault != "" {
			e.add("wiring", c.Wiring.String(), fault, "correct its file or function")
			return
		}
	}
	if _, err := ParseWiring(c.Wiring.Name); err != nil && len(e.Faults) == 0 {
		c.Wiring = c.Wiring.writeOut(c.Blocks)
	}
}

func (c *Config) resolveNumbers(e *ConfigError) {
	if c.Compression == 0 {
		c.Compression = 1
		if c.Bottleneck {
			c.Compression = 0.5
		}
	}
	if !(c.Compression > 0 && c.Compression <= 1) {
		e.add("compression", c.Compression, "out of range", "use more than 0 and at most 1")
	}
	if !(c.Dropout >= 0 && c.Dropout < 1) {
		e.add("dropout", c.Dropout, "out of range", "use at least 0 and less than 1")
	}
	if c.Classes < 1 || c.Classes > maxClasses {
		e.add("classes", c.Classes, "out of range", fmt.Sprintf("use 1 to %d", maxClasses))
	}
	if len(c.Growth) > 0 && (c.InitChannels < 1 || c.InitChannels > maxChannels) {
		e.add("init_channels", c.InitChannels, "out of range", fmt.Sprintf("use 1 to %d, or 0 for the default: twice the growth, in the sum form the growth", maxChannels))
	}
	setDefault(&c.HeadGrid, 1)
}

// checkSize follows the image down to the last stage.
func (c *Config) checkSize(e *ConfigError) {
	in := c.Input
	if min(in.H, in.W, in.C) < 1 || max(in.H, in.W) > maxSide || in.C > maxChannels {
		e.add("input", in, "out of range", fmt.Sprintf("use sides of 1 to %d and at least one channel", maxSide))
		return
	}
	h, w := c.Stem.stageSize(in.H, in.W)
	for range c.stages() - 1 {
		h, w = c.nextSide(h), c.nextSide(w)
	}
	if least := c.leastSide(1); h < 1 || w < 1 {
		e.add("input", in, fmt.Sprintf("shrinks to nothing over %d stages", c.stages()), fmt.Sprintf("use sides of at least %d, or fewer stages", least))
		return
	}
	if c.HeadGrid < 1 || c.HeadGrid > min(h, w) {
		e.add("head_grid", c.HeadGrid, fmt.Sprintf("the last stage has %d×%d pixels", h, w), fmt.Sprintf("use 1 to %d", min(h, w)))
	}
}

// nextSide returns the side of a stage that follows one of n pixels.
func (c *Config) nextSide(n int) int {
	if c.Form == Sum {
		return ceil(n, 2)
	}
	return n / 2
}

// stageSize returns the size of the first stage for an image of h×w.
func (s Stem) stageSize(h, w int) (int, int) {
	if s == ImageNet {
		return half(half(h)), half(half(w))
	}
	return h, w
}

// half is what a window of odd size with stride 2 and half its size as padding
// leaves of n pixels.
func half(n int) int { return (n + 1) / 2 }

// leastSide returns the smallest image side whose last stage has n pixels.
func (c *Config) leastSide(n int) int {
	side := 1
	for {
		if h, _ := c.Stem.stageSize(side, side); h>>(c.stages()-1) >= n {
			return side
		}
		side++
	}
}

func setDefault[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}
