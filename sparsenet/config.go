package sparsenet

import (
	"fmt"
	"strconv"
	"strings"
)

// A Stem is what stands between the image and the first stage.
type Stem string

// The stems.
const (
	// CIFAR is a 3×3 convolution with padding 1, straight into stage 0.
	CIFAR Stem = "cifar"
	// ImageNet is a 7×7 convolution with stride 2 and padding 3, batch norm,
	// ReLU, and 3×3 max pooling with stride 2 and padding 1.
	ImageNet Stem = "imagenet"
)

// A Form says how the maps that a layer reads come together.
type Form string

// The forms.
const (
	// Concat reads maps side by side: SparseNet[⊕] and DenseNet.
	Concat Form = "concat"
	// Sum adds them: SparseNet[+], and with dense wiring ResNet, whose identity
	// shortcuts make the input of a block the sum of all outputs before it. All maps
	// of a stage then have one width.
	Sum Form = "sum"
)

// ParseForm reads the name of a form.
func ParseForm(s string) (Form, error) {
	switch f := Form(s); f {
	case Concat, Sum:
		return f, nil
	}
	return "", fmt.Errorf("sparsenet: unknown form %q: use concat or sum", s)
}

// An Input is the size of one image.
type Input struct{ H, W, C int }

// ParseInput reads "HxWxC", for example "32x32x3".
func ParseInput(s string) (Input, error) {
	v, err := parseInts(s, "x")
	if err != nil || len(v) != 3 {
		return Input{}, fmt.Errorf("sparsenet: input %q: want height x width x channels, as in 32x32x3", s)
	}
	return Input{v[0], v[1], v[2]}, nil
}

// String writes height, width and channels as 32x32x3.
func (i Input) String() string { return fmt.Sprintf("%dx%dx%d", i.H, i.W, i.C) }

// MarshalText stores i as "HxWxC".
func (i Input) MarshalText() ([]byte, error) { return []byte(i.String()), nil }

// UnmarshalText is ParseInput.
func (i *Input) UnmarshalText(text []byte) (err error) {
	*i, err = ParseInput(string(text))
	return err
}

// A Config describes a network. Its zero fields stand for defaults; only Growth
// and one of Depth and Blocks must be given.
type Config struct {
	// Depth counts the weighted layers on the longest path. With the CIFAR stem
	// there are three stages of (Depth-4)/3 layers each, half as many with
	// Bottleneck; in the sum form of (Depth-2)/6, or with Bottleneck (Depth-2)/9.
	// With the ImageNet stem it is 121, 161, 169, 201 or 264.
	Depth int `json:"depth"`
	// Growth is the number of maps that a layer adds: one for all stages, or one
	// per stage. In the sum form it is the width of the stage.
	Growth []int `json:"growth"`
	// Wiring says which maps a layer reads. The default is Powers(2).
	Wiring Wiring `json:"wiring"`
	// Form says how they come together. The default is Concat. In the sum form a
	// layer is the residual function of a pre-activation ResNet: batch norm, ReLU and
	// a 3×3 convolution, twice.
	Form Form `json:"form"`
	// Bottleneck puts a 1×1 convolution to four times the growth before each 3×3. In
	// the sum form a layer is then 1×1 to a quarter of the growth, 3×3, and 1×1.
	Bottleneck bool `json:"bottleneck"`
	// Compression is the share of its input channels that a transition keeps,
	// rounded down. The default is 0.5 with Bottleneck and 1 without. The sum form
	// has no transitions.
	Compression float64 `json:"compression"`
	// InitChannels is the width of the first stage's input. The default is twice
	// the growth of the first stage; in the sum form the growth, with Bottleneck a
	// quarter of it.
	InitChannels int `json:"init_channels"`
	// Blocks is the number of layers of each stage. It overrides Depth.
	Blocks []int `json:"blocks"`
	// Classes is the number of classes. The default is 10, 1000 with the ImageNet stem.
	Classes int `json:"classes"`
	// Input is the size of an image. The default is 32x32x3, 224x224x3 with the
	// ImageNet stem. Every 2×2 pooling drops an odd last row or column.
	Input Input `json:"input"`
	// Stem is what precedes the first stage. The default is CIFAR.
	Stem Stem `json:"stem"`
	// Dropout is the probability of dropping a value after each convolution of a
	// layer while training. The default is 0: none.
	Dropout float64 `json:"dropout"`
	// HeadGrid is the side of the map that the head pools to, averaging window i
	// over rows floor(i·H/g) to ceil((i+1)·H/g). The default is 1, global average
	// pooling; the paper's ImageNet counts come out with 3, which gives the
	// classifier nine times the features.
	HeadGrid int `json:"head_grid"`
}

// Bounds of what can be described; they keep counts within 64 bits.
const (
	maxLayers   = 5000
	maxGrowth   = 8192
	maxChannels = 1 << 16
	maxClasses  = 1 << 20
	maxSide     = 4096
	maxStages   = 8
)

// imagenetBlocks is the number of layers per stage for the published depths.
var imagenetBlocks = map[int][]int{
	121: {6, 12, 24, 16}, 161: {6, 12, 36, 24}, 169: {6, 12, 32, 32}, 201: {6, 12, 48, 32}, 264: {6, 12, 64, 48},
}

// A Fault is one thing that is wrong with a Config.
type Fault struct {
	Field string // as in the JSON form
	Value string
	Bound string // what was demanded
	Way   string // what would do
}

// String says what is wrong with the field, and the way out.
func (f Fault) String() string { return fmt.Sprintf("%s %s: %s; %s", f.Field, f.Value, f.Bound, f.Way) }

// A ConfigError lists everything that is wrong with a Config.
type ConfigError struct{ Faults []Fault }

// Error lists every fault.
func (e *ConfigError) Error() string {
	if len(e.Faults) == 1 {
		return "sparsenet: " + e.Faults[0].String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "sparsenet: %d faults in the network's configuration:", len(e.Faults))
	for _, f := range e.Faults {
		b.WriteString("\n  " + f.String())
	}
	return b.String()
}

func (e *ConfigError) add(field string, value any, bound, way string) {
	e.Faults = append(e.Faults, Fault{field, fmt.Sprint(value), bound, way})
}

// join writes 16,32,64.
func join(v []int) string {
	s := make([]string, len(v))
	for i, n := range v {
		s[i] = strconv.Itoa(n)
	}
	return strings.Join(s, ",")
}

// parseInts reads whole numbers separated by sep.
func parseInts(s, sep string) ([]int, error) {
	var v []int
	for _, f := range strings.Split(s, sep) {
		n, err := strconv.ParseUint(f, 10, 31)
		if err != nil {
			return nil, fmt.Errorf("sparsenet: %q is not a whole number", f)
		}
		v = append(v, int(n))
	}
	return v, nil
}
