package train

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestStepLRFallsAtItsEpochs(t *testing.T) {
	s := StepLR(0.1, 0.1, 150, 225)
	require.NoError(t, s.Validate())
	one, two := 0.1, 0.1 // products of constants would be exact, ours are rounded
	one *= 0.1
	two *= 0.1
	two *= 0.1
	for _, c := range []struct{ epoch, rate float64 }{
		{0, 0.1}, {149.999, 0.1}, {150, one}, {224.9, one}, {225, two}, {1e9, two},
	} {
		assert.Equal(t, c.rate, s.At(c.epoch), "epoch %g", c.epoch)
	}
}

func TestCosineAndWarmupByHand(t *testing.T) {
	c := Cosine(0.8, 0.2, 10)
	for _, p := range []struct{ epoch, rate float64 }{{0, 0.8}, {5, 0.5}, {10, 0.2}, {11, 0.2}} {
		assert.True(t, math.Abs(c.At(p.epoch)-p.rate) <= 1e-15, "epoch %g: %g, want %g", p.epoch, c.At(p.epoch), p.rate)
	}
	w := Warmup(4, 0.25, Constant(2))
	for _, p := range []struct{ epoch, rate float64 }{{0, 0.5}, {2, 1.25}, {4, 2}, {5, 2}} {
		assert.Equal(t, p.rate, w.At(p.epoch), "epoch %g", p.epoch)
	}
}

// Rates stay between the ends, and text identifies a schedule: the same text
// gives the same rates.
func TestSchedulesProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSchedule(t, "s")
		require.NoError(t, s.Validate())
		before := math.Inf(1)
		for e := 0.0; e < 40; e += 0.37 {
			rate := s.At(e)
			require.True(t, rate >= 0 && rate <= 2, "%s at %g is %g", s, e, rate)
			if _, warm := s.(warmup); !warm {
				require.True(t, rate <= before, "%s rises at %g", s, e)
			}
			before = rate
		}
		other := drawSchedule(t, "other")
		if s.String() == other.String() {
			require.Equal(t, s, other)
		}
	})
}

func drawSchedule(t *rapid.T, label string) Schedule {
	base := rapid.Float64Range(0.01, 2).Draw(t, label+" base")
	epochs := rapid.Float64Range(1, 30).Draw(t, label+" epochs")
	var s Schedule
	switch rapid.IntRange(0, 2).Draw(t, label+" kind") {
	case 0:
		s = StepLR(base, rapid.Float64Range(0.01, 1).Draw(t, label+" factor"), epochs, epochs+1)
	case 1:
		s = Cosine(base, base/10, epochs)
	default:
		s = Constant(base)
	}
	if rapid.Bool().Draw(t, label+" warm") {
		s = Warmup(3, 0.1, s)
	}
	return s
}

func TestValidateNamesWhatCannotBe(t *testing.T) {
	for _, c := range []struct {
		s    Schedule
		want string
	}{
		{Constant(0), "constant(0): rate and factor must be positive"},
		{Constant(math.NaN()), "NaN"},
		{Constant(math.Inf(1)), "+Inf"},
		{StepLR(0.1, -1, 5), "x-1 at 5"},
		{StepLR(0.1, 0.1, 5, 5), "epoch 5 does not follow 5"},
		{StepLR(0.1, 0.1, 7, 3), "epoch 3 does not follow 7"},
		{Cosine(0.1, 0.2, 5), "0 <= last <= base"},
		{Cosine(0.1, 0, 0), "epochs > 0"},
		{Warmup(0, 0.1, Constant(1)), "epochs > 0"},
		{Warmup(1, 2, Constant(1)), "a start from 0 to 1"},
		{Warmup(1, 0.1, Constant(-1)), "constant(-1)"},
	} {
		assert.ErrorContains(t, c.s.Validate(), c.want)
	}
}

func TestScheduleText(t *testing.T) {
	assert.Equal(t, "warmup(5 from x0.1) step(0.1 x0.1 at 150,225)",
		Warmup(5, 0.1, StepLR(0.1, 0.1, 150, 225)).String())
	assert.Equal(t, "cosine(0.1 to 0 over 300)", Cosine(0.1, 0, 300).String())
}
