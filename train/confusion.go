package train

import (
	"context"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"sparsevk/sparsenet"
	"sparsevk/train/data"
)

// A Confusion counts what images of each class were taken for.
type Confusion struct {
	Classes []string `json:"classes"`
	Counts  [][]int  `json:"counts"` // [label][predicted]
}

// A ClassScore is how a model does on one class. A share of nothing is 0.
type ClassScore struct {
	Class     string  `json:"class"`
	Images    int     `json:"images"`
	Recall    float64 `json:"recall"`    // share of the class's images that were found
	Precision float64 `json:"precision"` // share of what was taken for the class that is of it
	F1        float64 `json:"f1"`        // harmonic mean of both
}

// NewConfusion returns counts of 0. Classes without a name are called by number.
func NewConfusion(names []string, classes int) *Confusion {
	c := &Confusion{}
	for i := range classes {
		name := fmt.Sprint(i)
		if i < len(names) {
			name = names[i]
		}
		c.Classes = append(c.Classes, name)
		c.Counts = append(c.Counts, make([]int, classes))
	}
	return c
}

// EvaluateClasses is Evaluate that also counts what was taken for what.
func EvaluateClasses(ctx context.Context, m *sparsenet.Model, l data.Loader) (Score, *Confusion, error) {
	classes := m.Graph.Config.Classes
	c := NewConfusion(l.Set.ClassNames, classes)
	s, err := EvaluateEach(ctx, m, l, func(b data.Batch) error {
		logits, err := m.Logits()
		if err != nil {
			return err
		}
		for i, image := range b.Index {
			c.Counts[l.Set.Labels[image]][First(logits[i*classes:(i+1)*classes])]++
		}
		return nil
	})
	return s, c, err
}

// First returns the index of the largest value, the first of equal ones.
func First(v []float32) int {
	best := 0
	for i := range v {
		if v[i] > v[best] {
			best = i
		}
	}
	return best
}

// PerClass returns the scores of all classes.
func (c *Confusion) PerClass() []ClassScore {
	share := func(n, of int) float64 {
		if of == 0 {
			return 0
		}
		return float64(n) / float64(of)
	}
	var list []ClassScore
	for k, name := range c.Classes {
		images, taken, hits := 0, 0, c.Counts[k][k]
		for i := range c.Classes {
			images += c.Counts[k][i]
			taken += c.Counts[i][k]
		}
		list = append(list, ClassScore{name, images, share(hits, images), share(hits, taken), share(2*hits, images+taken)})
	}
	return list
}

// A Mistake is how often one class was taken for another.
type Mistake struct {
	Class, For string
	Images     int
}

// Mistakes returns the most frequent mistakes, at most n.
func (c *Confusion) Mistakes(n int) []Mistake {
	var list []Mistake
	for i, row := range c.Counts {
		for j, count := range row {
			if i != j && count > 0 {
				list = append(list, Mistake{c.Classes[i], c.Classes[j], count})
			}
		}
	}
	slices.SortStableFunc(list, func(a, b Mistake) int { return b.Images - a.Images })
	return list[:min(n, len(list))]
}

// wideMatrix is the most classes of which WriteText prints the whole matrix.
const wideMatrix = 20

// WriteText prints the classes' scores and the matrix, or of many classes the most
// frequent mistakes.
func (c *Confusion) WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "class\timages\trecall\tprecision\tF1\t")
	for _, s := range c.PerClass() {
		fmt.Fprintf(t, "%s\t%d\t%.2f%%\t%.2f%%\t%.2f%%\t\n", s.Class, s.Images, 100*s.Recall, 100*s.Precision, 100*s.F1)
	}
	fmt.Fprintln(t)
	if len(c.Classes) > wideMatrix {
		fmt.Fprintln(t, "images\tof\ttaken for\t")
		for _, m := range c.Mistakes(wideMatrix) {
			fmt.Fprintf(t, "%d\t%s\t%s\t\n", m.Images, m.Class, m.For)
		}
		return t.Flush()
	}
	fmt.Fprint(t, "of \\ taken for\t")
	for _, name := range c.Classes {
		fmt.Fprintf(t, "%s\t", name)
	}
	for i, row := range c.Counts {
		fmt.Fprintf(t, "\n%s\t", c.Classes[i])
		for _, n := range row {
			fmt.Fprintf(t, "%d\t", n)
		}
	}
	fmt.Fprintln(t)
	return t.Flush()
}
