package optest

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"

	"sparsevk/gpu"
	"sparsevk/ops"
	"sparsevk/ops/record"
	"sparsevk/shaders"
)

// A Result says how a case went.
type Result struct {
	Case  string
	Steps int
	Share float64 // largest share of a tolerance that was used
	Worst string  // the output that used it

	Ran     bool              // the device ran it, so an error is of what came out
	Kernels []*shaders.Kernel // that the steps dispatch, each once; nil if it did not come to steps
}

// Check runs c on dev and returns what it found. The error names the first
// thing that is wrong.
func Check(dev *gpu.Device, c Case) (Result, error) {
	res := Result{Case: c.Name}
	m, err := layout(&c)
	if err != nil {
		return res, err
	}
	steps := c.Steps()
	res.Steps, res.Kernels = len(steps), kernels(steps)
	barriers := record.Barriers(steps)
	if err := CheckBarriers(steps, barriers); err != nil {
		return res, c.errorf("%w", err)
	}
	dev.Messages()
	got, err := execute(dev, m, steps)
	if err != nil {
		return res, c.errorf("%w", err)
	}
	res.Ran = true
	if msgs := dev.Messages(); len(msgs) > 0 {
		return res, c.errorf("%d validation messages:\n%s", len(msgs), strings.Join(msgs, "\n"))
	}
	if err := m.intact(got[0], steps); err != nil {
		return res, c.errorf("%w", err)
	}
	for i := 1; i < len(got); i++ {
		for s := range got[i].bytes {
			if !bytes.Equal(got[0].bytes[s], got[i].bytes[s]) {
				return res, c.errorf("run %d gave other bits than run 1", i+1)
			}
		}
	}
	return res, judge(&c, got[0], &res)
}

// kernels returns the kernels that run steps, each once, in their order.
func kernels(steps []ops.Step) (list []*shaders.Kernel) {
	for _, s := range steps {
		if k := s.Code(); !slices.Contains(list, k) {
			list = append(list, k)
		}
	}
	return list
}

func execute(dev *gpu.Device, m *image, steps []ops.Step) (got [3]*image, err error) {
	mem, err := record.NewMemory(dev, m.plan)
	if err != nil {
		return got, err
	}
	defer func() { err = firstOf(err, mem.Close()) }()
	r, err := record.New(dev, mem, steps, record.Options{})
	if err != nil {
		return got, err
	}
	defer func() { err = firstOf(err, r.Close()) }()
	return m.run(mem, r.Recording)
}

func firstOf(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// judge compares every output.
func judge(c *Case, got *image, res *Result) error {
	if len(c.Out) == 0 {
		return c.errorf("no output to compare")
	}
	for _, w := range c.Out {
		words := got.of(w.View)
		if w.Exact != nil {
			if !slices.Equal(words, w.Exact) {
				return c.errorf("%s: %s", w.Name, firstDifference(words, w.Exact))
			}
			continue
		}
		f := make([]float32, len(words))
		for i, x := range words {
			f[i] = w.View.Block.Precision.Decode(x)
		}
		d, err := Compare(f, w.Value, w.Mag, w.Tolerance)
		if d.Share > res.Share {
			res.Share, res.Worst = d.Share, w.Name
		}
		if err != nil {
			return c.errorf("%s %s: %w", w.Name, place(w.View, d.Index), err)
		}
	}
	return nil
}

func firstDifference(got, want []uint32) string {
	if len(got) != len(want) {
		return fmt.Sprintf("%d words, want %d", len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			return fmt.Sprintf("word %d is %#x, want %#x", i, got[i], want[i])
		}
	}
	return "equal"
}

// place names element i of v by its coordinates.
func place(v ops.View, i int) string {
	b := v.Block
	plane := int(b.Plane())
	p := i % plane
	w, h := int(b.W), int(b.H)
	return fmt.Sprintf("(c%d n%d y%d x%d)", i/plane, p/(h*w), p/w%h, p%w)
}

// intact reports sentinels that changed and blocks that no step may write.
func (m *image) intact(got *image, steps []ops.Step) error {
	written := map[*ops.Block]bool{}
	for i := range steps {
		for _, u := range steps[i].Uses() {
			if u.Access&shaders.Write != 0 {
				written[u.View.Block] = true
			}
		}
	}
	inside := [2][]bool{make([]bool, len(m.bytes[0])), make([]bool, len(m.bytes[1]))}
	for _, b := range m.blocks {
		lo, hi := b.All().Bytes()
		for i := lo; i < hi; i++ {
			inside[space(b)][i] = true
		}
		if !written[b] && !slices.Equal(m.of(b.All()), got.of(b.All())) {
			return fmt.Errorf("%s is read only, but changed: %s", b.Name, firstDifference(got.of(b.All()), m.of(b.All())))
		}
	}
	for s := range inside {
		for i, in := range inside[s] {
			if !in && got.bytes[s][i] != guard {
				return fmt.Errorf("a write outside of every block, near %s", m.near(s, uint64(i)))
			}
		}
	}
	return nil
}

func (m *image) near(s int, off uint64) string {
	best, name := uint64(math.MaxUint64), ""
	for _, b := range m.blocks {
		lo, hi := b.All().Bytes()
		for _, edge := range []uint64{lo, hi} {
			if d := max(edge, off) - min(edge, off); space(b) == s && d < best {
				best, name = d, fmt.Sprintf("%s (%d bytes from its edge)", b.Name, d)
			}
		}
	}
	return name
}
