package sparsenet

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// presetNames are the networks that Presets lists; Preset knows more.
var presetNames = strings.Fields(`
sparse-40-12 sparse-40-24
sparse-100-12 sparse-100-24 sparse-100-36 sparse-100-16x32x64
sparse-400-12 sparse-1000-12
sparse-bc-100-12 sparse-bc-100-24 sparse-bc-100-16x32x64 sparse-bc-100-32x64x128
sparse-bc-190-40 sparse-bc-250-24 sparse-bc-1000-12
dense-40-12 dense-40-24
dense-100-12 dense-100-24 dense-100-36 dense-100-16x32x64
dense-400-12 dense-1000-12
dense-bc-100-12 dense-bc-100-24 dense-bc-100-16x32x64 dense-bc-100-32x64x128
dense-bc-190-40 dense-bc-250-24
sparse-sum-20-16x32x64 sparse-sum-56-16x32x64 sparse-sum-110-16x32x64 sparse-sum-bc-164-64x128x256 sparse-sum-bc-1001-64x128x256
dense-sum-20-16x32x64 dense-sum-56-16x32x64 dense-sum-110-16x32x64 dense-sum-bc-164-64x128x256 dense-sum-bc-1001-64x128x256
imagenet-sparse-121-32-init2k imagenet-sparse-161-48-init2k imagenet-sparse-169-32-init2k
imagenet-sparse-201-32-init2k imagenet-sparse-264-32-init2k
imagenet-sparse-121-32-paper imagenet-sparse-169-32-paper imagenet-sparse-201-32-paper imagenet-sparse-201-48-paper
imagenet-dense-121-32 imagenet-dense-161-48 imagenet-dense-169-32 imagenet-dense-201-32 imagenet-dense-264-32
`)

// Presets returns the names of the published networks and their siblings.
func Presets() []string { return slices.Clone(presetNames) }

// presetForm is the grammar of preset names.
var presetForm = regexp.MustCompile(`^(imagenet-)?(sparse|dense|powers[0-9]+)(-sum)?(-bc)?-([0-9]+)-([0-9]+(?:x[0-9]+)*)(-init[12]k|-paper)?(?:-c([0-9]+))?$`)

const presetGrammar = "[imagenet-]sparse|dense|powersBASE[-sum][-bc]-DEPTH-GROWTH[xGROWTH...][-init1k|-init2k|-paper][-cCLASSES]"

// Preset returns the network that name describes, which need not be one of
// Presets:
//
//	[imagenet-]sparse|dense|powersBASE[-sum][-bc]-DEPTH-GROWTH[xGROWTH...][-init1k|-init2k|-paper][-cCLASSES]
//
// sparse is powers2, sum the sum form, in which dense is ResNet. ImageNet networks always have bottlenecks. init1k and
// init2k are initial channels of one or two times the growth (the default);
// paper is init1k with the 3×3 head that the SparseNet paper's ImageNet counts
// imply. An unknown name is an error with suggestions; one that fits the grammar
// and makes no network is a *ConfigError.
func Preset(name string) (Config, error) {
	m := presetForm.FindStringSubmatch(name)
	if m == nil {
		return Config{}, fmt.Errorf("sparsenet: unknown preset %q; did you mean %s? (any %s will do)", name, suggest(name, presetNames), presetGrammar)
	}
	var c Config
	c.Bottleneck = m[4] != ""
	if m[3] != "" {
		c.Form = Sum
	}
	if m[1] != "" {
		c.Stem, c.Bottleneck = ImageNet, true
	}
	var err error
	if c.Wiring, err = presetWiring(m[2]); err != nil {
		return Config{}, fmt.Errorf("%w (preset %q)", err, name)
	}
	growth, err := parseInts(m[6], "x")
	if err != nil {
		return Config{}, fmt.Errorf("sparsenet: preset %q: growth %s is out of range", name, m[6])
	}
	c.Growth = growth
	if c.Depth, err = strconv.Atoi(m[5]); err != nil {
		return Config{}, fmt.Errorf("sparsenet: preset %q: depth %s is out of range", name, m[5])
	}
	switch m[7] {
	case "-paper":
		c.InitChannels, c.HeadGrid = growth[0], 3
	case "-init1k":
		c.InitChannels = growth[0]
	}
	if m[8] != "" {
		if c.Classes, err = strconv.Atoi(m[8]); err != nil || c.Classes == 0 {
			return Config{}, fmt.Errorf("sparsenet: preset %q: %s classes are out of range", name, m[8])
		}
	}
	return c, c.Validate()
}

func presetWiring(word string) (Wiring, error) {
	switch word {
	case "sparse":
		return Powers(2), nil
	case "dense":
		return Dense(), nil
	}
	return ParseWiring("powers:" + strings.TrimPrefix(word, "powers"))
}

// Name returns the preset name of c, with "+" where c differs from that preset
// in more than classes, input and dropout, or "custom" where there is none.
func (c Config) Name() string {
	c, err := c.Resolve()
	if err != nil {
		return "invalid"
	}
	name := c.stemName()
	p, err := Preset(name)
	if err != nil {
		return "custom"
	}
	if p, err = p.Resolve(); err != nil || !p.sameLayers(c) {
		return name + "+"
	}
	return name
}

// stemName builds the preset name of a resolved c.
func (c Config) stemName() string {
	name := "sparse"
	if base, ok := strings.CutPrefix(c.Wiring.Name, "powers:"); ok {
		name = "powers" + base
	} else if c.Wiring.Name != "powers" {
		name = c.Wiring.Name
	}
	if c.Form == Sum {
		name += "-sum"
	}
	if c.Stem == ImageNet {
		name = "imagenet-" + name
	} else if c.Bottleneck {
		name += "-bc"
	}
	name += fmt.Sprintf("-%d-%s", c.Depth, strings.ReplaceAll(join(c.briefGrowth()), ",", "x"))
	switch {
	case c.Form == Sum:
	case c.HeadGrid == 3 && c.InitChannels == c.Growth[0]:
		name += "-paper"
	case c.InitChannels == c.Growth[0]:
		name += "-init1k"
	case c.Stem == ImageNet && c.Wiring.Name != "dense":
		name += "-init2k"
	}
	return name
}

// briefGrowth returns one number if all stages of a resolved c grow alike.
func (c Config) briefGrowth() []int {
	if slices.Min(c.Growth) == slices.Max(c.Growth) {
		return c.Growth[:1]
	}
	return c.Growth
}

// sameLayers reports whether two resolved networks have the same layers.
func (c Config) sameLayers(d Config) bool {
	return slices.Equal(c.Growth, d.Growth) && slices.Equal(c.Blocks, d.Blocks) && c.Bottleneck == d.Bottleneck &&
		c.Form == d.Form && c.Compression == d.Compression && c.InitChannels == d.InitChannels && c.Stem == d.Stem && c.HeadGrid == d.HeadGrid
}

// suggest returns the three names nearest to s, as "a, b or c": those that share
// its numbers first, then by edit distance.
func suggest(s string, names []string) string {
	numbers := numberForm.FindAllString(s, -1)
	far := func(name string) int {
		d := distance(s, name)
		for _, n := range numbers {
			if !slices.Contains(numberForm.FindAllString(name, -1), n) {
				d += 100
			}
		}
		return d
	}
	near := slices.Clone(names)
	slices.SortStableFunc(near, func(a, b string) int { return cmp.Compare(far(a), far(b)) })
	return near[0] + ", " + near[1] + " or " + near[2]
}

var numberForm = regexp.MustCompile(`[0-9]+`)

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
