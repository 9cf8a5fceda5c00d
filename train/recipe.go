package train

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"sparsevk/sparsenet"
)

// A Recipe is how a network is trained: all that a paper's section on training
// says. Files of recipes are TOML with these names; what a file leaves out is as
// in DefaultRecipe.
type Recipe struct {
	Name  string `toml:"-" json:"name"`
	About string `toml:"about" json:"about"`
	Tuned

	// Bugs are the known ones of the port that a recipe follows: none is in force
	// unless Apply names it.
	Bugs []Bug `toml:"bugs" json:"bugs"`
}

// Tuned are the numbers of a recipe.
type Tuned struct {
	Epochs int `toml:"epochs" json:"epochs"`
	Batch  int `toml:"batch" json:"batch"`

	Optimizer sparsenet.Optimizer `toml:"optimizer" json:"optimizer"`
	Rate      float64             `toml:"lr" json:"lr"`
	Momentum  float64             `toml:"momentum" json:"momentum"` // Adam's beta1
	Beta2     float64             `toml:"beta2" json:"beta2"`
	Epsilon   float64             `toml:"epsilon" json:"epsilon"`
	Decay     float64             `toml:"decay" json:"decay"`
	DecayOn   sparsenet.DecayRule `toml:"decay_on" json:"decay_on"`
	Clip      float64             `toml:"clip" json:"clip"`       // largest norm of the gradient, 0 for any
	Average   float64             `toml:"average" json:"average"` // weight of the old value in the parameters' moving average, 0 for none

	Schedule        string    `toml:"schedule" json:"schedule"`       // step, cosine, constant or plateau
	Drops           []float64 `toml:"drops" json:"drops"`             // of step: shares of the epochs
	DropFactor      float64   `toml:"drop_factor" json:"drop_factor"` // of step
	Warmup          float64   `toml:"warmup" json:"warmup"`           // epochs over which the rate rises from a tenth
	PlateauFactor   float64   `toml:"plateau_factor" json:"plateau_factor"`
	PlateauPatience int       `toml:"plateau_patience" json:"plateau_patience"` // epochs
	PlateauLeast    float64   `toml:"plateau_least" json:"plateau_least"`       // lowest rate
	PlateauOn       string    `toml:"plateau_on" json:"plateau_on"`             // what no longer improves: loss or accuracy

	Pad       int     `toml:"pad" json:"pad"`   // pixels around a training image before its random crop
	Fill      string  `toml:"fill" json:"fill"` // what they are: black, or edge for the nearest of the image
	Flip      bool    `toml:"flip" json:"flip"`
	Normalize string  `toml:"normalize" json:"normalize"` // deviation: mean and deviation of each channel; mean/128: its mean, then 128/255; pixels/128: the mean of each pixel; none
	Shift     float64 `toml:"shift" json:"shift"`         // added after normalisation
	Smoothing float64 `toml:"smoothing" json:"smoothing"`
	Dropout   float64 `toml:"dropout" json:"dropout"`

	Init        sparsenet.InitRule `toml:"init" json:"init"`
	InitGrowths int                `toml:"init_growths" json:"init_growths"` // channels of the stem, in growths of the first stage
	BNMomentum  float64            `toml:"bn_momentum" json:"bn_momentum"`   // weight of a batch in the running statistics
	Valid       int                `toml:"valid" json:"valid"`               // training images to hold out
}

// A Bug is something that a port did wrong, as it says itself or as its results
// show. Set has the values that bring it back; a bug without any is named, but not
// offered.
type Bug struct {
	Name  string         `toml:"name" json:"name"`
	About string         `toml:"about" json:"about"`
	Set   map[string]any `toml:"set" json:"set"`
}

// DefaultRecipe is what a recipe does not say.
func DefaultRecipe() Recipe {
	return Recipe{Tuned: Tuned{
		Epochs: 300, Batch: 64, Optimizer: sparsenet.SGD, Rate: 0.1, Momentum: 0.9, Beta2: 0.999, Epsilon: 1e-8, Decay: 1e-4,
		DecayOn: sparsenet.DecayAll, Schedule: "step", Drops: []float64{0.5, 0.75}, DropFactor: 0.1,
		PlateauFactor: 0.1, PlateauPatience: 10, PlateauOn: PlateauOnLoss, Pad: 4, Fill: "black", Flip: true, Normalize: "deviation", Init: sparsenet.FanOut, InitGrowths: 2,
		BNMomentum: sparsenet.BNMomentum,
	}}
}

//go:embed recipes/*.toml
var recipes embed.FS

// Recipes lists the names of the recipes that come with the program.
func Recipes() []string {
	files, _ := recipes.ReadDir("recipes") // an embedded directory is always there
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(f.Name(), ".toml"))
	}
	return names
}

// OpenRecipe returns the recipe of a name of Recipes, or of a file. A key that is
// not one of a recipe's is an error.
func OpenRecipe(name string) (Recipe, error) {
	var text []byte
	var err error
	if slices.Contains(Recipes(), name) {
		text, err = recipes.ReadFile("recipes/" + name + ".toml")
	} else if text, err = os.ReadFile(name); errors.Is(err, os.ErrNotExist) {
		return Recipe{}, fmt.Errorf("train: recipe %q: neither one of %s nor a file", name, strings.Join(Recipes(), ", "))
	}
	if err != nil {
		return Recipe{}, fmt.Errorf("train: recipe: %w", err)
	}
	r := DefaultRecipe()
	r.Name = name
	if err := decodeRecipe(text, &r); err != nil {
		return Recipe{}, fmt.Errorf("train: recipe %s: %w", name, err)
	}
	if err := r.Validate(); err != nil {
		return Recipe{}, fmt.Errorf("train: recipe %s: %w", name, err)
	}
	return r, nil
}

// decodeRecipe reads TOML into r, and says which keys r does not have.
func decodeRecipe(text []byte, r any) error {
	d := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields()
	err := d.Decode(r)
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) {
		var keys []string
		for _, e := range unknown.Errors {
			line, _ := e.Position()
			keys = append(keys, fmt.Sprintf("%s (line %d)", strings.Join(e.Key(), "."), line))
		}
		return fmt.Errorf("unknown keys %s: a recipe has %s", strings.Join(keys, ", "), strings.Join(recipeKeys(), ", "))
	}
	var bad *toml.DecodeError
	if errors.As(err, &bad) {
		line, _ := bad.Position()
		return fmt.Errorf("line %d: %s", line, strings.TrimPrefix(bad.Error(), "toml: "))
	}
	return err
}

// recipeKeys lists the names of Tuned.
func recipeKeys() []string {
	t := reflect.TypeFor[Tuned]()
	var keys []string
	for i := range t.NumField() {
		keys = append(keys, t.Field(i).Tag.Get("toml"))
	}
	return keys
}

// WithBugs returns r with the bugs of these names in force.
func (r Recipe) WithBugs(names ...string) (Recipe, error) {
	for _, name := range names {
		i := slices.IndexFunc(r.Bugs, func(b Bug) bool { return b.Name == name })
		if i < 0 {
			return r, fmt.Errorf("train: recipe %s has no bug %q: it has %s", r.Name, name, r.bugNames())
		}
		if len(r.Bugs[i].Set) == 0 {
			return r, fmt.Errorf("train: bug %q of recipe %s is not offered: %s", name, r.Name, r.Bugs[i].About)
		}
		text, err := toml.Marshal(r.Bugs[i].Set)
		if err != nil {
			return r, fmt.Errorf("train: recipe %s: bug %s: %w", r.Name, name, err)
		}
		if err := decodeRecipe(text, &r.Tuned); err != nil {
			return r, fmt.Errorf("train: recipe %s: bug %s: %w", r.Name, name, err)
		}
	}
	return r, r.Validate()
}

func (r Recipe) bugNames() string {
	var names []string
	for _, b := range r.Bugs {
		names = append(names, b.Name)
	}
	if names == nil {
		return "none"
	}
	return strings.Join(names, ", ")
}

// Rates returns the learning rate's schedule, without what a plateau does to it.
func (t Tuned) Rates() (Schedule, error) {
	var s Schedule
	switch t.Schedule {
	case "step":
		var at []float64
		for _, d := range t.Drops {
			at = append(at, d*float64(t.Epochs))
		}
		s = StepLR(t.Rate, t.DropFactor, at...)
	case "cosine":
		s = Cosine(t.Rate, 0, float64(t.Epochs))
	case "constant", "plateau":
		s = Constant(t.Rate)
	default:
		return nil, fmt.Errorf("schedule %q: use step, cosine, constant or plateau", t.Schedule)
	}
	if t.Warmup > 0 {
		s = Warmup(t.Warmup, 0.1, s)
	}
	return s, s.Validate()
}

// Plateau returns what follows the loss, nil for another schedule.
func (t Tuned) Plateau() *Plateau {
	if t.Schedule != "plateau" {
		return nil
	}
	return &Plateau{t.PlateauFactor, t.PlateauPatience, t.PlateauLeast, t.PlateauOn}
}

// Normalisation returns mean and deviation of the channels for sparsenet.Options, of
// images whose bytes are divided by 255, from those of a training set. Under OfPixels
// the means of the pixels are subtracted beside.
func (t Tuned) Normalisation(mean, deviation []float32) (m, d []float32, err error) {
	for c := range mean {
		m, d = append(m, mean[c]), append(d, deviation[c])
		switch t.Normalize {
		case "deviation":
		case "mean/128":
			d[c] = 128. / 255
		case ofPixels:
			m[c], d[c] = 0, 128./255
		case "none":
			m[c], d[c] = 0, 1
		default:
			return nil, nil, fmt.Errorf("normalize %q: use deviation, mean/128, pixels/128 or none", t.Normalize)
		}
		m[c] -= float32(t.Shift) * d[c] // (x - m)/d + shift
	}
	return m, d, nil
}

const ofPixels = "pixels/128"

// OfPixels reports whether each pixel has a mean of its own, data.Set.PixelMeans of the
// training set.
func (t Tuned) OfPixels() bool { return t.Normalize == ofPixels }

// Validate returns an error that names the first number that cannot be.
func (t Tuned) Validate() error {
	for _, c := range []struct {
		key   string
		value float64
		fine  bool
		want  string
	}{
		{"epochs", float64(t.Epochs), t.Epochs >= 1, "at least 1"},
		{"batch", float64(t.Batch), t.Batch >= 1, "at least 1"},
		{"lr", t.Rate, positive(t.Rate), "more than 0"},
		{"momentum", t.Momentum, share(t.Momentum), "at least 0 and less than 1"},
		{"beta2", t.Beta2, share(t.Beta2), "at least 0 and less than 1"},
		{"epsilon", t.Epsilon, positive(t.Epsilon), "more than 0"},
		{"decay", t.Decay, share(t.Decay), "at least 0 and less than 1"},
		{"clip", t.Clip, t.Clip >= 0, "0 or more"},
		{"average", t.Average, share(t.Average), "at least 0 and less than 1"},
		{"warmup", t.Warmup, t.Warmup >= 0, "0 or more epochs"},
		{"plateau_factor", t.PlateauFactor, t.PlateauFactor > 0 && t.PlateauFactor < 1, "more than 0 and less than 1"},
		{"plateau_patience", float64(t.PlateauPatience), t.PlateauPatience >= 0, "0 or more epochs"},
		{"plateau_least", t.PlateauLeast, t.PlateauLeast >= 0, "0 or more"},
		{"pad", float64(t.Pad), t.Pad >= 0, "0 or more pixels"},
		{"smoothing", t.Smoothing, share(t.Smoothing), "at least 0 and less than 1"},
		{"dropout", t.Dropout, share(t.Dropout), "at least 0 and less than 1"},
		{"init_growths", float64(t.InitGrowths), t.InitGrowths >= 1, "at least 1"},
		{"bn_momentum", t.BNMomentum, t.BNMomentum > 0 && t.BNMomentum <= 1, "more than 0 and at most 1"},
		{"valid", float64(t.Valid), t.Valid >= 0, "0 or more images"},
	} {
		if !c.fine {
			return fmt.Errorf("%s is %g: want %s", c.key, c.value, c.want)
		}
	}
	for _, d := range t.Drops {
		if !(d > 0 && d < 1) {
			return fmt.Errorf("drops has %g: want shares of the epochs between 0 and 1, as in 0.5,0.75", d)
		}
	}
	if t.PlateauOn != PlateauOnLoss && t.PlateauOn != PlateauOnAccuracy {
		return fmt.Errorf("plateau_on %q: use %s or %s", t.PlateauOn, PlateauOnLoss, PlateauOnAccuracy)
	}
	if t.Fill != "black" && t.Fill != "edge" {
		return fmt.Errorf("fill %q: use black or edge", t.Fill)
	}
	if _, err := sparsenet.ParseOptimizer(string(t.Optimizer)); err != nil {
		return err
	}
	if _, err := sparsenet.ParseDecayRule(string(t.DecayOn)); err != nil {
		return err
	}
	if _, err := sparsenet.ParseInitRule(string(t.Init)); err != nil {
		return err
	}
	if _, _, err := t.Normalisation([]float32{0}, []float32{1}); err != nil {
		return err
	}
	_, err := t.Rates()
	return err
}

func share(x float64) bool { return x >= 0 && x < 1 }
