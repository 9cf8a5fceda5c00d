package sparsenet

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
)

// A Summary is a network as a table, for users and as JSON.
type Summary struct {
	Name   string `json:"name"`
	Config Config `json:"config"`
	Counts
	Layers []LayerSummary `json:"layers"`
}

// A LayerSummary is one row: a node with its batch norm.
type LayerSummary struct {
	Name       string `json:"name"`
	Reads      []int  `json:"reads"`  // maps of its stage, by their number in the wiring; empty for stem and inner convolutions
	Width      int    `json:"width"`  // input channels
	Output     [3]int `json:"output"` // channels, height, width
	Parameters int64  `json:"parameters"`
	MACs       int64  `json:"multiply_accumulates"` // as published
}

// Summary describes g.
func (g *Graph) Summary() Summary {
	s := Summary{Name: g.Config.Name(), Config: g.Config, Counts: g.Counts(), Layers: make([]LayerSummary, len(g.Nodes))}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		row := LayerSummary{Name: n.Name, Reads: []int{}, Width: n.C, Output: [3]int{n.K, 1, 1}}
		if n.Out >= 0 {
			m := g.Maps[n.Out]
			row.Output = [3]int{m.C, m.H, m.W}
		}
		if g.aggregates(n) {
			for _, m := range n.In {
				row.Reads = append(row.Reads, g.Maps[m].Index)
			}
		}
		row.MACs, _ = g.macs(n)
		s.Layers[i] = row
	}
	for _, p := range g.Params.Trained {
		s.Layers[p.Node].Parameters += int64(p.Elems())
	}
	return s
}

// WriteText prints s as an aligned table with totals.
func (s Summary) WriteText(w io.Writer) error {
	c := s.Config
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "%s: wiring %s, growth %s, layers %s, %d classes, input %v, %s stem\n\n",
		s.Name, c.Wiring, join(c.briefGrowth()), join(c.Blocks), c.Classes, c.Input, c.Stem)
	fmt.Fprintln(t, "layer\treads\twidth\toutput\tparameters\tMMACs")
	for _, l := range s.Layers {
		fmt.Fprintf(t, "%s\t%s\t%d\t%dx%dx%d\t%s\t%.3f\n",
			l.Name, runs(l.Reads), l.Width, l.Output[0], l.Output[1], l.Output[2], Thousands(l.Parameters), float64(l.MACs)/1e6)
	}
	fmt.Fprintln(t)
	for _, total := range []struct {
		what string
		n    int64
		note string
	}{
		{"parameters", s.Parameters, "running statistics not counted"},
		{"multiply-accumulates", s.MACs, "an image, forward, pooling after the 1x1 as published"},
		{"  as executed", s.ExecutedMACs, "pooling before the 1x1"},
		{"links", s.Links, "maps read by layers and stage outputs"},
		{"distinct floats", s.DistinctFloats, "an image; every map once"},
		{"concatenated floats", s.ConcatenatedFloats, "an image; what copying concatenations moves"},
	} {
		fmt.Fprintf(t, "%s\t%s\t%s\n", total.what, Thousands(total.n), total.note)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("sparsenet: summary: %w", err)
	}
	return nil
}

// runs writes map numbers compactly, in their order: "12 11 9 5", "0-11", "-".
func runs(maps []int) string {
	if len(maps) == 0 {
		return "-"
	}
	var parts []string
	for i := 0; i < len(maps); {
		j := i
		for j+1 < len(maps) && maps[j+1] == maps[j]+1 {
			j++
		}
		if part := strconv.Itoa(maps[i]); j > i {
			parts = append(parts, part+"-"+strconv.Itoa(maps[j]))
		} else {
			parts = append(parts, part)
		}
		i = j + 1
	}
	return strings.Join(parts, " ")
}

// Thousands writes n with commas: 7,189,468.
func Thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	start := 0
	if n < 0 {
		start = 1
	}
	for i := len(s) - 3; i > start; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
