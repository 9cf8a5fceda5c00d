package main

import (
	"bytes"
	"fmt"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// plot draws the time of a step over its multiply-accumulates as SVG: points, and
// the line through the origin and the first of them. Where points lie near that
// line, time grows as arithmetic does.
func (d *Depths) plot() ([]byte, error) {
	p := plot.New()
	p.Title.Text = fmt.Sprintf("sparsenet, growth 12, batch %d", d.Batch)
	p.X.Label.Text, p.Y.Label.Text = "multiply-accumulates of a training step / 10⁹", "time of a step / ms"
	p.X.Min, p.Y.Min = 0, 0
	var points plotter.XYs
	var labels []string
	most := 0.0
	for _, q := range d.Points {
		x := float64(q.MACs) / 1e9
		points, most = append(points, plotter.XY{X: x, Y: q.StepMS}), max(most, x)
		labels = append(labels, fmt.Sprintf("  depth %d", q.Depth))
	}
	if len(points) == 0 {
		return nil, fmt.Errorf("no depths to plot")
	}
	slope := points[0].Y / points[0].X
	line, err := plotter.NewLine(plotter.XYs{{X: 0, Y: 0}, {X: most, Y: slope * most}})
	if err != nil {
		return nil, err
	}
	line.Dashes = []vg.Length{vg.Points(4), vg.Points(3)}
	dots, err := plotter.NewScatter(points)
	if err != nil {
		return nil, err
	}
	dots.Shape, dots.Radius = draw.CircleGlyph{}, vg.Points(3)
	text, err := plotter.NewLabels(plotter.XYLabels{XYs: points, Labels: labels})
	if err != nil {
		return nil, err
	}
	p.Add(plotter.NewGrid(), line, dots, text)
	p.Legend.Add("in proportion to depth "+fmt.Sprint(d.Points[0].Depth), line)
	p.Legend.Top, p.Legend.Left = true, true
	p.X.Max = 1.15 * most
	w, err := p.WriterTo(16*vg.Centimeter, 10*vg.Centimeter, "svg")
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	_, err = w.WriteTo(&b)
	return b.Bytes(), err
}
