package optest

import (
	"errors"
	"fmt"
	"slices"

	"sparsevk/gpu"
	"sparsevk/ops"
	"sparsevk/ops/ref"
)

// ErrShape says that a variant does not take the shape of a task.
var ErrShape = errors.New("does not take the shape")

// ErrWrong says that a variant computes something else than the reference.
var ErrWrong = errors.New("wrong results")

// A Trial compares the variants of one task with the reference, in two steps:
//
//  1. [Check], so with the reference in float64, with the task's height, width and
//     window, but few images, and no more channels than that reference has time for;
//  2. at the task's own shape, or as many images of it as maps of 256 MiB hold,
//     with the plain form, whose own step 1 ties it to the reference. The magnitudes
//     of the tolerance are what the plain form makes of absolute values.
//
// A variant is compiled and run by this, so what a device lacks for it shows too.
type Trial struct {
	ops.Task
	Class     ops.Class
	Matrix    ops.Matrix // what the device multiplies
	Precision ops.Precision
	Act       bool // forward and weights: batch norm and ReLU are applied to what is read
	Views     bool // what is read lies in several places
	// Alter, if not nil, changes the steps of a variant: a planted fault.
	Alter func(v ops.Variant, steps []ops.Step) []ops.Step

	plain, mags [][]float32 // outputs of the plain form, and of absolute values; nil until they are needed
}

// Limits of a trial.
const (
	trialTerms = 4 << 20   // products of step 1
	trialBytes = 256 << 20 // of a map in step 2
)

// Run tries v. The error is ErrShape, ErrWrong with what is wrong where, or what the
// device said.
func (t *Trial) Run(dev *gpu.Device, v ops.Variant) error {
	if t.build(v, 1).misfits(t.Role, v) {
		return ErrShape
	}
	if err := t.reference(dev, v); err != nil {
		return err
	}
	if v == ops.PlainForm {
		return nil
	}
	return t.whole(dev, v)
}

// reference is step 1.
func (t *Trial) reference(dev *gpu.Device, v ops.Variant) error {
	var c Case
	if err := caught(func() error { c = t.reduced(v); return nil }); err != nil {
		return err
	}
	if t.Alter != nil {
		steps := c.Steps
		c.Steps = func() []ops.Step { return t.Alter(v, steps()) }
	}
	if res, err := Check(dev, c); err != nil {
		if res.Ran {
			return fmt.Errorf("%w: %w", ErrWrong, err)
		}
		return err
	}
	if !slices.ContainsFunc(c.Env.Choices(), func(q ops.Choice) bool { return q.Role == t.Role && q.Variant == v }) {
		return ErrShape
	}
	return nil
}

// reduced returns the case of step 1.
func (t *Trial) reduced(v ops.Variant) Case {
	s := convShape{n: int(min(t.N, 4)), c: int(t.C), h: int(t.H), w: int(t.W), k: int(t.K),
		g: ref.Geometry{R: int(t.R), S: int(t.S), Stride: int(t.Stride), Pad: int(t.Pad), Pool: t.Pool}}
	outs := int(trialTerms / (uint64(s.n) * uint64(s.h) * uint64(s.w) * uint64(t.R) * uint64(t.S)))
	s.k = min(s.k, max(2, outs/min(s.c, 8)))
	s.c = min(s.c, max(2, outs/s.k))
	o := convOptions{seed: 600, limit: ops.DefaultRange, class: t.Class, act: t.Act, many: t.Views && s.c > 2, form: v, precision: t.Precision, matrix: t.Matrix}
	half := t.Precision != ops.FP32
	if half {
		o.seed |= Coarse
	}
	var c Case
	switch {
	case t.Role == ops.GatherRole:
		c = t.reducedGather(s, o)
	case t.Role == ops.WeightsRole:
		c = convWeights(s, o)
	case t.Role == ops.DataRole:
		c = tileData(s, o)
	case half:
		c = convForward(s, o)
	default:
		c = measured(s, o)
	}
	if v == ops.QuadForm && t.Role == ops.WeightsRole && s.g.R == 3 {
		widenTaps(&c.Out[0])
	}
	if half {
		c = inPrecision(t.Precision, c)
	}
	if v.Rounds() {
		for i := range c.Out {
			narrowed(&c.Out[i])
		}
	}
	return c
}

// reducedGather has one reader, or two of which one reads other maps too.
func (t *Trial) reducedGather(s convShape, o convOptions) Case {
	readers := []gatherReader{{s.k, s.c, 0, s.g, true}}
	if s.k > 3 {
		readers = []gatherReader{{s.k - s.k/2, s.c + 2, 1, s.g, true}, {s.k / 2, s.c, 0, s.g, true}}
	}
	return gatherOf(o.env(), o.precision, o.form, o.seed, [4]int{s.c, s.n, s.h, s.w}, readers)
}
