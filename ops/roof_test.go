package ops_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"sparsevk/ops"
	"sparsevk/ops/optest"
)

func TestRoof(t *testing.T) { optest.RunAll(t, "roof") }

func TestRoofCounts(t *testing.T) {
	y := optest.NewBlock("y", 1000, 1, 1, 1)
	s := ops.RoofFma{Env: ops.NewEnv(), Label: "r", Rounds: 3, Y: y.All()}.Steps()[0]
	assert.EqualValues(t, 1000*10*16*3, s.MACs)
	assert.EqualValues(t, 4000, s.Writes())
}

func TestRoofRefuses(t *testing.T) {
	x, y, env := optest.NewBlock("x", 8, 1, 1, 1), optest.NewBlock("y", 8, 1, 1, 1), ops.NewEnv()
	long := &ops.Block{Name: "long", C: 128*ops.MaxGroups + 1, N: 1, H: 1, W: 1}
	assert.Panics(t, func() { ops.RoofCopy{Env: env, X: x.View(0, 6), Y: y.View(0, 6)}.Steps() })
	assert.Panics(t, func() { ops.RoofCopy{Env: env, X: x.View(1, 5), Y: y.View(0, 4)}.Steps() })
	assert.Panics(t, func() { ops.RoofCopy{Env: env, X: x.All(), Y: y.View(0, 4)}.Steps() })
	assert.Panics(t, func() { ops.RoofFma{Env: env, Rounds: 1, Y: long.All()}.Steps() })
}
