package optest

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/ops"
)

// plant registers a table for a test.
func plant(t *testing.T, name string, cases func() []Case) {
	Register(name, cases)
	t.Cleanup(func() { delete(tables, name) })
}

// survey runs a table.
func survey(t *testing.T, op, match string) TableReport {
	r := TableReport{Op: op}
	for res, err := range Survey(Device(t), op, match) {
		r.Add(res, err)
	}
	return r
}

// named is reluCase under another name.
func named(name string, change func(c *Case, x, y *ops.Block)) Case {
	c := reluCase(change)
	c.Name = name
	return c
}

func TestSurvey(t *testing.T) {
	plant(t, "planted", func() []Case {
		return []Case{
			named("good", nil),
			named("wrong value", func(c *Case, _, _ *ops.Block) { c.Out[0].Value[17] += 0.01 }),
			named("wrong bits", func(c *Case, _, y *ops.Block) {
				words := make([]uint32, y.C*uint32(y.Plane()))
				words[3] = math.Float32bits(-1)
				c.Out = []Want{Exactly("y", y.All(), words)}
			}),
			named("panics", func(c *Case, _, _ *ops.Block) { c.Steps = func() []ops.Step { panic("ops: no such shape") } }),
			named("good too", nil),
		}
	})
	r := survey(t, "planted", "")
	assert.Equal(t, 5, r.Cases)
	require.Len(t, r.Failures, 3)
	assert.Regexp(t, `^wrong value: y \(c0 n0 y2 x3\): .*element 17: got .* want .* tolerance .*1 of 210 elements fail`, r.Failures[0].Error)
	assert.Regexp(t, `^wrong bits: y: word \d+ is 0x[0-9a-f]+, want 0x`, r.Failures[1].Error)
	assert.Equal(t, Failure{"panics", "panics: panic: ops: no such shape"}, r.Failures[2])
	r.Add(Result{Case: "c3", Share: 0.5, Worst: "dx"}, nil)
	r.Add(Result{Case: "c4", Share: 0.4, Worst: "dw"}, nil)
	r.Add(Result{Case: "c5", Share: math.Inf(1), Worst: "y"}, assert.AnError)
	assert.Equal(t, 0.5, r.Share, "of cases that pass, so that it can be written as JSON")
	assert.Equal(t, "c3 dx", r.Worst)

	assert.Equal(t, 2, survey(t, "planted", "good").Cases)
	assert.Empty(t, survey(t, "planted", "good").Failures)
	assert.Zero(t, survey(t, "planted", "no such case").Cases)
}

// A table that cannot be made, or has nothing in it, is a failure of its own.
func TestSurveyOfBrokenTables(t *testing.T) {
	plant(t, "panics", func() []Case { panic("ops: shapes differ") })
	plant(t, "empty", func() []Case { return nil })
	for op, want := range map[string]string{
		"panics":  "table of panics: panic: ops: shapes differ",
		"empty":   "table of empty: panic: optest: no cases in the table of empty",
		"unknown": "table of unknown: panic: optest: no cases registered as unknown",
	} {
		assert.Equal(t, []Failure{{"table", want}}, survey(t, op, "").Failures, op)
	}
}

func TestSurveyEndsEarly(t *testing.T) {
	n := 0
	for range Survey(Device(t), "relu", "") {
		if n++; n == 2 {
			break
		}
	}
	assert.Equal(t, 2, n)
}

func TestUnfit(t *testing.T) {
	dev := Device(t)
	assert.NoError(t, Unfit(dev, "relu"))
	class, err := QuadClass(dev)
	assert.Equal(t, err, Unfit(dev, class.String()+"_gather"))
	assert.Error(t, Unfit(dev, "quads_gather"), "of no class")
	for _, c := range quadClasses {
		if c != class {
			assert.ErrorContains(t, Unfit(dev, c.String()), "the "+c.String()+" kernels need subgroups of")
		}
	}
}
