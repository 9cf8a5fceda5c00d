package ops

import (
	"fmt"

	"sparsevk/shaders"
)

// Sum computes y = Σ_t X[t] over views of equal shape, in their order. What a
// layer of the sum form reads is such a sum: its terms are read where they lie.
type Sum struct {
	Env   *Env
	Label string
	X     []View // the terms, one at least
	Y     View   // shape of each term, written

	table *Block // the first element of each term, for each run of planes
}

// NewSum completes s: it creates its table. It panics if the shapes differ.
func NewSum(s Sum) *Sum {
	o := &s
	for _, v := range o.X {
		if a, b := v.Block, o.Y.Block; v.C() != o.Y.C() || a.N != b.N || a.H != b.H || a.W != b.W {
			panic(fmt.Sprintf("ops: %s: adds %v of %d images of %dx%d to a sum %v of %d of %dx%d", o.Label, v, a.N, a.H, a.W, o.Y, b.N, b.H, b.W))
		}
	}
	o.table = o.Env.Tables.Add(o.Label+"/terms", len(o.X)*len(o.runs()))
	return o
}

// runs cuts the sum and its terms into planes that can be bound.
func (o *Sum) runs() [][]View { return o.Env.runs(append([]View{o.Y}, o.X...)...) }

// Steps reads X and writes Y. Terms that cannot be bound together with the first
// are added one after the other, in the same order.
func (o *Sum) Steps() []Step {
	var steps []Step
	var words []uint32
	for _, run := range o.runs() {
		y, terms := run[0], Planes(run[1:])
		near := o.near(terms)
		at, x := uint32(len(words)), terms[:near]
		words = append(words, x.Bases()...)
		table, n := Planes{o.table.View(at, at+uint32(near))}, y.Elems()
		steps = append(steps, Step{
			Label: o.Label + "/sum_fwd", Kernel: &shaders.SumFwd, Args: []Planes{x, table, {y}},
			Push:   &shaders.SumFwdPush{N: uint32(n), Terms: uint32(near), Table: table.Base(table[0]), Y: where(y)},
			Groups: elementGroups(n),
		})
		for _, far := range terms[near:] {
			steps = append(steps, Add{Env: o.Env, Label: o.Label, X: far, Y: y}.Steps()...)
		}
	}
	o.Env.Tables.Set(o.table, words)
	return steps
}

// near returns how many of the first terms one descriptor takes.
func (o *Sum) near(terms Planes) int {
	all := nothing
	for i, v := range terms {
		if all = all.with(v); i > 0 && !o.Env.binds(all) {
			return i
		}
	}
	return len(terms)
}
