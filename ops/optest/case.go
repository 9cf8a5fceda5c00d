package optest

import (
	"fmt"
	"math"
	"slices"
	"sort"

	"sparsevk/ops"
)

// A Case is one thing to run and what must come of it.
type Case struct {
	Name  string
	Env   *ops.Env // its tables are uploaded before the run; nil if the steps use none
	Steps func() []ops.Step
	In    []Input
	Out   []Want
}

// An Input is what a view holds before the steps run.
type Input struct {
	View  ops.View
	Words []uint32
}

// Floats is an input of float32 values, given as float64.
func Floats(v ops.View, values []float64) Input {
	w := make([]uint32, len(values))
	for i, x := range values {
		w[i] = math.Float32bits(float32(x))
	}
	return Input{v, w}
}

// Words is an input of integers.
func Words(v ops.View, words []uint32) Input { return Input{v, words} }

// A Want is what a view must hold after the steps.
type Want struct {
	Name       string
	View       ops.View
	Value, Mag []float64 // compared within Tolerance, or
	Exact      []uint32  // compared to the bit
	Tolerance
}

// Near is a Want with the default tolerance.
func Near(name string, v ops.View, value, mag []float64) Want {
	return Want{Name: name, View: v, Value: value, Mag: mag}
}

// Exactly is a Want to the bit.
func Exactly(name string, v ops.View, words []uint32) Want {
	return Want{Name: name, View: v, Exact: words}
}

// NewBlock returns a block for a case.
func NewBlock(name string, c, n, h, w int) *ops.Block {
	return &ops.Block{Name: name, Purpose: ops.Map, C: uint32(c), N: uint32(n), H: uint32(h), W: uint32(w), Keep: true}
}

var tables = map[string]func() []Case{}

// Register adds an op's table of cases under its name.
func Register(name string, cases func() []Case) {
	if tables[name] != nil {
		panic("optest: cases of " + name + " registered twice")
	}
	tables[name] = cases
}

// Names lists the registered tables in order.
func Names() []string {
	var n []string
	for k := range tables {
		n = append(n, k)
	}
	sort.Strings(n)
	return n
}

// Cases returns the table registered under name. It panics if there is none or
// if it is empty: a table that matches nothing must not pass.
func Cases(name string) []Case {
	f := tables[name]
	if f == nil {
		panic("optest: no cases registered as " + name)
	}
	c := f()
	if len(c) == 0 {
		panic("optest: no cases in the table of " + name)
	}
	return c
}

// blocks returns every block of the case once, in order of first use.
func (c *Case) blocks(steps []ops.Step) []*ops.Block {
	var bs []*ops.Block
	add := func(b *ops.Block) {
		if b != nil && !slices.Contains(bs, b) {
			bs = append(bs, b)
		}
	}
	for _, in := range c.In {
		add(in.View.Block)
	}
	for i := range steps {
		for _, u := range steps[i].Uses() {
			add(u.View.Block)
		}
	}
	for _, o := range c.Out {
		add(o.View.Block)
	}
	return bs
}

func (c *Case) errorf(format string, a ...any) error {
	return fmt.Errorf("%s: %w", c.Name, fmt.Errorf(format, a...))
}
