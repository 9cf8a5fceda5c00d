package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sparsevk/sparsenet"
)

// netFlags are the flags that describe a network, the same for every command.
type netFlags struct {
	flags        *pflag.FlagSet
	preset       string
	depth        int
	growth       string
	wiring       string
	form         string
	bottleneck   bool
	compression  float64
	initChannels int
	blocks       string
	classes      int
	input        string
	stem         string
	dropout      float64
	adopted      *sparsenet.Config // of the model that the command reads; flags are not given then
}

// netFlagNames are all of them.
var netFlagNames = []string{
	"preset", "depth", "growth", "wiring", "form", "bottleneck", "compression",
	"init-channels", "blocks", "classes", "input", "stem", "dropout",
}

// addNetFlags gives cmd the flags of a network.
func addNetFlags(cmd *cobra.Command) *netFlags {
	f := &netFlags{flags: cmd.Flags()}
	s := f.flags
	s.SortFlags = false
	s.StringVar(&f.preset, "preset", "", "a network by name, such as sparse-40-24 (see 'sparsenet models'); other flags change it")
	s.IntVar(&f.depth, "depth", 40, "weighted layers on the longest path; 121 with the imagenet stem, 20 in the sum form")
	s.StringVar(&f.growth, "growth", "12", "maps that a layer adds: one number, or one per stage, as in 16,32,64; 32 with the imagenet stem, 16,32,64 in the sum form")
	s.StringVar(&f.wiring, "wiring", "powers", "which maps a layer reads: powers, powers:3 (any base), dense, or file:PATH with lines such as 3: 2 1 (see the README)")
	s.StringVar(&f.form, "form", "concat", "how they come together: concat, or sum as in a ResNet, where growth is the width of a stage")
	s.BoolVar(&f.bottleneck, "bottleneck", false, "1x1 convolutions before the 3x3; on with the imagenet stem")
	s.Float64Var(&f.compression, "compression", 0, "share of channels that a transition keeps (default 0.5 with bottleneck, 1 without)")
	s.IntVar(&f.initChannels, "init-channels", 0, "width of the first stage's input (default twice the growth; in the sum form the growth, or with bottleneck a quarter)")
	s.StringVar(&f.blocks, "blocks", "", "layers of each stage, as in 6,12,24,16, instead of a depth")
	s.IntVar(&f.classes, "classes", 0, "number of classes (default 10; 1000 with the imagenet stem)")
	s.StringVar(&f.input, "input", "", "height x width x channels (default 32x32x3; 224x224x3 with the imagenet stem)")
	s.StringVar(&f.stem, "stem", "cifar", "what precedes the first stage: cifar or imagenet")
	s.Float64Var(&f.dropout, "dropout", 0, "probability of dropping a value after a layer's convolutions")
	return f
}

// given reports whether the user named a network at all.
func (f *netFlags) given() bool {
	for _, name := range netFlagNames {
		if f.flags.Changed(name) {
			return true
		}
	}
	return false
}

// config returns the network of the flags, resolved. Its errors are usage errors.
func (f *netFlags) config() (sparsenet.Config, error) {
	c, err := f.base()
	if err == nil {
		err = f.change(&c)
	}
	if err == nil {
		c, err = c.Resolve()
	}
	if err != nil {
		return sparsenet.Config{}, usageError{err}
	}
	return c, nil
}

// base returns the network before single flags change it.
func (f *netFlags) base() (sparsenet.Config, error) {
	switch {
	case f.adopted != nil:
		return *f.adopted, nil
	case f.preset != "":
		return sparsenet.Preset(f.preset)
	case f.flags.Changed("preset"):
		return sparsenet.Config{}, fmt.Errorf("preset is empty; see 'sparsenet models' for names")
	case sparsenet.Form(f.form) == sparsenet.Sum:
		return sparsenet.Config{Depth: 20, Growth: []int{16, 32, 64}}, nil
	case sparsenet.Stem(f.stem) == sparsenet.ImageNet:
		return sparsenet.Config{Stem: sparsenet.ImageNet, Depth: 121, Growth: []int{32}, Bottleneck: true}, nil
	}
	return sparsenet.Config{Depth: 40, Growth: []int{12}}, nil
}

// change applies the flags that were given to c.
func (f *netFlags) change(c *sparsenet.Config) (err error) {
	on := f.flags.Changed
	if on("depth") && on("blocks") {
		return fmt.Errorf("depth %d and blocks %s: the one follows from the other; give one of --depth and --blocks", f.depth, f.blocks)
	}
	if err := f.changeShape(c); err != nil {
		return err
	}
	if on("wiring") {
		if err := f.changeWiring(c); err != nil {
			return err
		}
	}
	if on("input") {
		if c.Input, err = sparsenet.ParseInput(f.input); err != nil {
			return err
		}
	}
	if on("classes") {
		if c.Classes = f.classes; c.Classes == 0 {
			return fmt.Errorf("classes 0: out of range; use at least 1")
		}
	}
	if on("compression") {
		if c.Compression = f.compression; c.Compression == 0 {
			return fmt.Errorf("compression 0: out of range; use more than 0 and at most 1")
		}
	}
	if on("dropout") {
		c.Dropout = f.dropout
	}
	return nil
}

// changeWiring sets the wiring. One of a file says how many layers there are, unless
// the user does.
func (f *netFlags) changeWiring(c *sparsenet.Config) (err error) {
	path, ok := strings.CutPrefix(f.wiring, "file:")
	if !ok {
		c.Wiring, err = sparsenet.ParseWiring(f.wiring)
		return err
	}
	if c.Wiring, err = sparsenet.ReadWiring(path); err != nil {
		return err
	}
	if on := f.flags.Changed; !on("depth") && !on("blocks") && !on("preset") {
		c.Depth = 0
	}
	return nil
}

// changeShape applies depth, growth, stem and what follows from them.
func (f *netFlags) changeShape(c *sparsenet.Config) (err error) {
	on := f.flags.Changed
	if on("form") {
		if c.Form, err = sparsenet.ParseForm(f.form); err != nil {
			return err
		}
	}
	if on("stem") {
		c.Stem = sparsenet.Stem(f.stem)
	}
	if on("bottleneck") {
		c.Bottleneck = f.bottleneck
	}
	if on("depth") {
		c.Depth = f.depth
	}
	if on("blocks") {
		if c.Blocks, err = parseList("blocks", f.blocks, "6,12,24,16"); err != nil {
			return err
		}
	}
	if on("growth") {
		growth, err := parseList("growth", f.growth, "24 or 16,32,64")
		if err != nil {
			return err
		}
		if c.InitChannels == c.Growth[0] { // a preset whose initial channels are the growth
			c.InitChannels = growth[0]
		}
		c.Growth = growth
	}
	if on("init-channels") {
		c.InitChannels = f.initChannels
	}
	return nil
}

// parseList reads whole numbers separated by commas.
func parseList(flag, s, like string) ([]int, error) {
	var v []int
	for _, part := range strings.Split(s, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil {
			return nil, fmt.Errorf("%s %q: want whole numbers, as in %s", flag, s, like)
		}
		v = append(v, n)
	}
	return v, nil
}
