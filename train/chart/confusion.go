package chart

import (
	"fmt"
	"image/color"
	"io"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"sparsevk/train"
)

// namedClasses is the most classes whose names and counts are written into the
// picture of a matrix.
const namedClasses = 25

// Confusion draws the matrix to w as "svg" or "png": a row for each class, a column for
// what its images were taken for, darker the larger the share of the row.
func Confusion(w io.Writer, format string, c *train.Confusion) error {
	n := len(c.Classes)
	p := plot.New()
	p.Title.Text = "Confusion"
	p.X.Label.Text, p.Y.Label.Text = "taken for", "of class"
	p.Y.Scale = plot.InvertedScale{Normalizer: plot.LinearScale{}}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = -0.5, float64(n)-0.5, -0.5, float64(n)-0.5
	for i, row := range c.Counts {
		total := 0
		for _, v := range row {
			total += v
		}
		for j, v := range row {
			if v > 0 {
				if err := cell(p, i, j, float64(v)/float64(total)); err != nil {
					return err
				}
			}
		}
	}
	if n <= namedClasses {
		if err := name(p, c); err != nil {
			return err
		}
	}
	side := 12*vg.Centimeter + vg.Length(min(n, namedClasses))*0.5*vg.Centimeter
	return save(w, format, [][]*plot.Plot{{p}}, side, side)
}

// cell fills one place of the matrix.
func cell(p *plot.Plot, row, column int, share float64) error {
	x, y := float64(column), float64(row)
	box, err := plotter.NewPolygon(plotter.XYs{{X: x - 0.5, Y: y - 0.5}, {X: x + 0.5, Y: y - 0.5}, {X: x + 0.5, Y: y + 0.5}, {X: x - 0.5, Y: y + 0.5}})
	if err != nil {
		return err
	}
	box.LineStyle.Width = 0
	fade := func(dark float64) uint8 { return uint8(math.Round(255 - share*(255-dark))) }
	box.Color = color.RGBA{fade(31), fade(78), fade(121), 255}
	p.Add(box)
	return nil
}

// name writes the classes on the axes and the counts into the cells.
func name(p *plot.Plot, c *train.Confusion) error {
	var at plotter.XYs
	var text []string
	ticks := make(plot.ConstantTicks, len(c.Classes))
	for i, row := range c.Counts {
		ticks[i] = plot.Tick{Value: float64(i), Label: c.Classes[i]}
		for j, v := range row {
			if v > 0 {
				at, text = append(at, plotter.XY{X: float64(j), Y: float64(i)}), append(text, fmt.Sprint(v))
			}
		}
	}
	p.X.Tick.Marker, p.Y.Tick.Marker = ticks, ticks
	p.X.Tick.Label.Rotation, p.X.Tick.Label.XAlign, p.X.Tick.Label.YAlign = math.Pi/4, -1, -0.5
	if len(at) == 0 {
		return nil
	}
	labels, err := plotter.NewLabels(plotter.XYLabels{XYs: at, Labels: text})
	if err != nil {
		return err
	}
	for i := range labels.TextStyle {
		s := &labels.TextStyle[i]
		s.XAlign, s.YAlign, s.Font.Size = -0.5, -0.5, 8
		row := c.Counts[int(at[i].Y)]
		total := 0
		for _, v := range row {
			total += v
		}
		if 2*row[int(at[i].X)] > total { // on a dark cell
			s.Color = color.White
		}
	}
	p.Add(labels)
	return nil
}
