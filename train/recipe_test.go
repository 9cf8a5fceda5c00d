package train

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/sparsenet"
)

// The recipes that come with the program can be read, and say what the ports do.
func TestRecipes(t *testing.T) {
	assert.Equal(t, []string{"keras", "paper", "tensorpack"}, Recipes())
	paper, err := OpenRecipe("paper")
	require.NoError(t, err)
	want := DefaultRecipe().Tuned
	assert.Equal(t, want, paper.Tuned, "the defaults are the paper's")

	keras, err := OpenRecipe("keras")
	require.NoError(t, err)
	assert.Equal(t, sparsenet.AMSGrad, keras.Optimizer)
	assert.Equal(t, &Plateau{0.31622776601683794, 5, 1e-5, PlateauOnAccuracy}, keras.Plateau())
	assert.Equal(t, 5000, keras.Valid)
	assert.Equal(t, "edge", keras.Fill)
	rates, err := keras.Rates()
	require.NoError(t, err)
	assert.Equal(t, "constant(0.001)", rates.String())

	port, err := OpenRecipe("tensorpack")
	require.NoError(t, err)
	assert.Equal(t, sparsenet.DecayWeights, port.DecayOn)
	mean, deviation, err := port.Normalisation([]float32{0.5}, []float32{0.25})
	require.NoError(t, err)
	assert.Equal(t, []float32{0}, mean)
	assert.Equal(t, []float32{128. / 255}, deviation)
	assert.True(t, port.OfPixels())
	port.Normalize = "mean/128"
	mean, _, err = port.Normalisation([]float32{0.5}, []float32{0.25})
	require.NoError(t, err)
	assert.Equal(t, []float32{0.5}, mean)
	assert.False(t, port.OfPixels() || paper.OfPixels())
}

// No bug is in force unless it is named.
func TestRecipeBugs(t *testing.T) {
	keras, err := OpenRecipe("keras")
	require.NoError(t, err)
	assert.Equal(t, sparsenet.BNMomentum, keras.BNMomentum)
	assert.Equal(t, 2, keras.InitGrowths)
	buggy, err := keras.WithBugs("bn-momentum", "initial-channels", "decay")
	require.NoError(t, err)
	assert.Equal(t, 0.9, buggy.BNMomentum)
	assert.Equal(t, 1, buggy.InitGrowths)
	assert.Equal(t, sparsenet.DecayPoints, buggy.DecayOn)

	port, err := OpenRecipe("tensorpack")
	require.NoError(t, err)
	port, err = port.WithBugs("double-shift")
	require.NoError(t, err)
	mean, deviation, err := port.Normalisation([]float32{0.5}, []float32{0.25})
	require.NoError(t, err)
	off := float64((0.5-(mean[0]+0.5))/deviation[0]) + 1 // a pixel at its mean becomes -1
	assert.False(t, !(math.Abs(off) <= 1e-6), "%g", off)

	_, err = keras.WithBugs("test-selection")
	assert.ErrorContains(t, err, "is not offered: the best checkpoint")
	_, err = keras.WithBugs("colour")
	assert.ErrorContains(t, err, `no bug "colour": it has decay, bn-momentum`)
}

// What is wrong with a file is said with its key and line.
func TestBadRecipes(t *testing.T) {
	for text, want := range map[string]string{
		"epochs = 10\nlearning_rate = 3\n": "unknown keys learning_rate (line 2): a recipe has epochs, batch",
		"epochs = 0":                       "epochs is 0: want at least 1",
		"lr = nan":                         "lr is NaN: want more than 0",
		"momentum = 1.0":                   "momentum is 1: want at least 0 and less than 1",
		"epochs = \"many\"":                "line 1: ",
		"epochs = ":                        "line 1: ",
		"optimizer = \"lamb\"":             `unknown optimizer "lamb"`,
		"decay_on = \"no\"":                `unknown rule of weight decay "no"`,
		"init = \"zero\"":                  `unknown initialisation "zero"`,
		"normalize = \"max\"":              `normalize "max": use deviation`,
		"fill = \"white\"":                 `fill "white": use black or edge`,
		"plateau_on = \"time\"":            `plateau_on "time": use loss or accuracy`,
		"schedule = \"up\"":                `schedule "up": use step`,
		"drops = [0.5, 0.2]":               "does not follow",
		"[[bugs]]\nname=\"b\"\nset.x = 1":  "",
	} {
		path := filepath.Join(t.TempDir(), "mine.toml")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		r, err := OpenRecipe(path)
		if want == "" {
			require.NoError(t, err)
			_, err = r.WithBugs("b")
			want = "bug b: unknown keys x (line 1)"
		}
		assert.ErrorContains(t, err, want, text)
		assert.ErrorContains(t, err, path)
	}
	_, err := OpenRecipe("papr")
	assert.ErrorContains(t, err, `recipe "papr": neither one of keras, paper, tensorpack nor a file`)
}

// The sequence is torch.optim.lr_scheduler.ReduceLROnPlateau's for factor 0.5,
// patience 1, threshold 1e-4.
func TestPlateau(t *testing.T) {
	p := &Plateau{Factor: 0.5, Patience: 1, Least: 0.2}
	var s PlateauState
	var rates []float64
	for _, loss := range []float64{3, 2, 2, 2, 1.9999, 1.9, 1.9, 1.9, 1.9, 1.9, 1.9, 1.9, 1.9} {
		p.observe(&s, loss, 1/loss)
		rates = append(rates, p.rate(1, s))
	}
	assert.Equal(t, []float64{1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.2, 0.2, 0.2, 0.2}, rates)
	assert.Equal(t, 0.1, p.rate(0.1, s), "a rate below the least stays")

	p, s, rates = &Plateau{Factor: 0.5, Patience: 1, On: PlateauOnAccuracy}, PlateauState{}, nil
	for _, accuracy := range []float64{0, 0.1, 0.3, 0.2, 0.30005, 0.3002, 0.3002, math.NaN()} { // worse losses do not matter
		p.observe(&s, 1+accuracy, accuracy)
		rates = append(rates, p.rate(1, s))
	}
	assert.Equal(t, []float64{1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25}, rates)

	var none *Plateau
	none.observe(&s, 1, 0)
	assert.Equal(t, 0.7, none.rate(0.7, s))
}

func FuzzRecipe(f *testing.F) {
	for _, name := range Recipes() {
		text, err := recipes.ReadFile("recipes/" + name + ".toml")
		require.NoError(f, err)
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r := DefaultRecipe()
		if decodeRecipe(text, &r) != nil || r.Validate() != nil {
			return
		}
		if _, err := r.Rates(); err != nil {
			t.Error(err)
		}
	})
}
