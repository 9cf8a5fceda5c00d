package optest

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/ops"
	"sparsevk/ops/record"
)

func TestMain(m *testing.M) { Main(m) }

// What is left when a package's tests end is named: here a device that is open,
// and a goroutine that waits for nothing.
func TestLeaksAreNamed(t *testing.T) {
	Device(t)
	end := make(chan struct{})
	go planted(end)
	err := leaks()
	assert.ErrorContains(t, err, "VkDevice:1")
	assert.ErrorContains(t, err, "optest.planted")
	close(end)
	assert.NotContains(t, leaks().Error(), "optest.planted")
}

func planted(end chan struct{}) { <-end }

func TestCompareCatches(t *testing.T) {
	want, mag := []float64{1, -2, 0, 4}, []float64{1, 2, 1, 4}
	good := []float32{1, -2, 0, 4}
	_, err := Compare(good, want, mag, Tolerance{})
	require.NoError(t, err)
	faults := map[string][]float32{
		"empty":             {},
		"too short":         good[:3],
		"nan":               {1, -2, float32(math.NaN()), 4},
		"infinity":          {1, -2, float32(math.Inf(1)), 4},
		"off by 4 tol":      {1 + 4*Slack*Unit, -2, 0, 4},
		"two swapped":       {-2, 1, 0, 4},
		"all zero":          {0, 0, 0, 0},
		"last one missing":  {1, -2, 0, 0},
		"sign of one wrong": {1, 2, 0, 4},
	}
	for name, got := range faults {
		_, err := Compare(got, want, mag, Tolerance{})
		assert.Error(t, err, name)
	}
	_, err = Compare(good, []float64{1, -2, math.NaN(), 4}, mag, Tolerance{})
	assert.Error(t, err, "the reference is NaN")
	_, err = Compare(nil, nil, nil, Tolerance{})
	assert.Error(t, err, "nothing compared with nothing")
	_, err = Compare(good, want, []float64{1, 2, 1, math.NaN()}, Tolerance{})
	assert.Error(t, err, "the magnitude is NaN")
}

// reluCase is a case whose parts the planted faults replace.
func reluCase(change func(c *Case, x, y *ops.Block)) Case {
	x, y := NewBlock("x", 3, 2, 5, 7), NewBlock("y", 3, 2, 5, 7)
	v := NewRand(1).Clear(210, 0.1)
	want := make([]float64, len(v))
	mag := make([]float64, len(v))
	for i := range v {
		want[i], mag[i] = max(v[i], 0), math.Abs(v[i])
	}
	op := ops.ReLU{Env: ops.NewEnv(), Label: "fault", X: x.All(), Y: y.All()}
	c := Case{Name: "relu", Steps: op.Forward, In: []Input{Floats(x.All(), v)}, Out: []Want{Near("y", y.All(), want, mag)}}
	if change != nil {
		change(&c, x, y)
	}
	return c
}

func TestHarnessCatches(t *testing.T) {
	dev := Device(t)
	_, err := Check(dev, reluCase(nil))
	require.NoError(t, err)
	faults := map[string]func(c *Case, x, y *ops.Block){
		"last row unwritten": func(c *Case, x, y *ops.Block) {
			c.Steps = ops.ReLU{Env: ops.NewEnv(), Label: "f", X: x.View(0, 2), Y: y.View(0, 2)}.Forward
		},
		"write past the end": func(c *Case, x, y *ops.Block) {
			// the step takes y for a block of four planes, x for one as well
			c.Steps = func() []ops.Step {
				wideX, wideY := *x, *y
				wideX.C, wideY.C = 4, 4
				return ops.ReLU{Env: ops.NewEnv(), Label: "f", X: wideX.All(), Y: wideY.All()}.Forward()
			}
		},
		"wrong reference": func(c *Case, x, y *ops.Block) { c.Out[0].Value[17] += 0.01 },
		"reads what nobody wrote": func(c *Case, x, y *ops.Block) {
			c.In = nil
		},
		"no output": func(c *Case, x, y *ops.Block) { c.Out = nil },
		"read-only input written": func(c *Case, x, y *ops.Block) {
			c.Steps = func() []ops.Step {
				alias := *x // another block at the same place
				s := ops.ReLU{Env: ops.NewEnv(), Label: "f", X: x.All(), Y: y.All()}.Forward()
				return append(s, ops.ReLU{Env: ops.NewEnv(), Label: "g", X: y.All(), Y: alias.All()}.Forward()...)
			}
		},
		"exact value": func(c *Case, x, y *ops.Block) {
			c.Out = []Want{Exactly("y", y.All(), make([]uint32, 210))}
		},
	}
	for name, change := range faults {
		_, err := Check(dev, reluCase(change))
		assert.Error(t, err, name)
		dev.Messages()
	}
}

func TestBarrierCheckerAgreesAndCatches(t *testing.T) {
	env := ops.NewEnv()
	x, y, z := NewBlock("x", 4, 1, 8, 8), NewBlock("y", 4, 1, 8, 8), NewBlock("z", 4, 1, 8, 8)
	x.Off, y.Off, z.Off = 0, 1024, 2048
	relu := func(a, b ops.View) []ops.Step { return ops.ReLU{Env: env, Label: b.String(), X: a, Y: b}.Forward() }
	var steps []ops.Step
	steps = append(steps, relu(x.View(0, 2), y.View(0, 2))...) // independent of the next
	steps = append(steps, relu(x.View(2, 4), y.View(2, 4))...)
	steps = append(steps, relu(y.All(), z.All())...) // read after write
	steps = append(steps, relu(x.All(), y.All())...) // write after read
	got := record.Barriers(steps)
	assert.Equal(t, []bool{false, false, true, true}, got)
	require.NoError(t, CheckBarriers(steps, got))
	for i, b := range got {
		if b {
			dropped := append([]bool(nil), got...)
			dropped[i] = false
			assert.Error(t, CheckBarriers(steps, dropped), "dropped barrier %d", i)
		}
	}
	assert.Error(t, CheckBarriers(steps, got[:3]))
}
