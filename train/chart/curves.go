package chart

import (
	"image/color"
	"io"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"sparsevk/train"
)

// mostPoints is how many points of a line are drawn; of more, means.
const mostPoints = 600

// lines are the kinds of metrics that are drawn, in order.
var lines = []struct {
	kind, name string
	color      color.Color
	width      vg.Length
	dots       bool
}{
	{train.KindStep, "batches", color.RGBA{170, 195, 220, 255}, 0.7, false},
	{train.KindEpoch, "epochs", color.RGBA{31, 78, 121, 255}, 1.5, true},
	{train.KindValid, "held out", color.RGBA{200, 90, 20, 255}, 1.5, true},
	{train.KindTest, "test", color.RGBA{20, 130, 60, 255}, 1.5, true},
}

// Curves draws loss, accuracy and learning rate over the steps to w, one below the
// other, as "svg" or "png". Values that are not finite leave a gap in their line.
func Curves(w io.Writer, format string, metrics []train.Metric) error {
	panels := []struct {
		name  string
		kinds int  // of lines
		top   bool // where the legend is: the lines leave that corner free
		value func(train.Metric) float64
	}{
		{"loss", len(lines), true, func(m train.Metric) float64 { return float64(m.Loss) }},
		{"accuracy, %", len(lines), false, func(m train.Metric) float64 { return 100 * float64(m.Accuracy) }},
		{"learning rate", 1, true, func(m train.Metric) float64 { return float64(m.LR) }},
	}
	var column [][]*plot.Plot
	for _, panel := range panels {
		p := plot.New()
		p.Y.Label.Text = panel.name
		p.Legend.Top, p.Legend.Padding = panel.top, 0.08*vg.Centimeter
		p.X.Min, p.X.Tick.Marker, p.Y.Tick.Marker = 0, shortTicks{}, shortTicks{}
		grid := plotter.NewGrid()
		grid.Vertical.Color, grid.Horizontal.Color = color.Gray{235}, color.Gray{235}
		p.Add(grid)
		for _, l := range lines[:panel.kinds] {
			if err := addLine(p, points(metrics, l.kind, panel.value), l.name, l.color, l.width, l.dots); err != nil {
				return err
			}
		}
		if panel.kinds == 1 {
			p.Legend = plot.NewLegend()
		}
		column = append(column, []*plot.Plot{p})
	}
	column[len(column)-1][0].X.Label.Text = "step"
	return save(w, format, column, 18*vg.Centimeter, 21*vg.Centimeter)
}

// shortTicks are the default ones with as many digits as tell them apart, and without
// zeros behind the point.
type shortTicks struct{}

func (shortTicks) Ticks(least, most float64) []plot.Tick {
	ticks := plot.DefaultTicks{}.Ticks(least, most)
	for i := range ticks {
		if ticks[i].Label != "" {
			ticks[i].Label = strconv.FormatFloat(math.Round(ticks[i].Value*1e9)/1e9, 'f', -1, 64)
		}
	}
	return ticks
}

// points returns the finite values of one kind, thinned to means of neighbours. A
// learning rate's or loss's negative infinity is as absent as NaN.
func points(metrics []train.Metric, kind string, value func(train.Metric) float64) (all plotter.XYs) {
	for _, m := range metrics {
		if y := value(m); m.Kind == kind && !math.IsNaN(y) && !math.IsInf(y, 0) {
			all = append(all, plotter.XY{X: float64(m.Step), Y: y})
		}
	}
	group := (len(all) + mostPoints - 1) / mostPoints
	if group <= 1 {
		return all
	}
	var thin plotter.XYs
	for lo := 0; lo < len(all); lo += group {
		part := all[lo:min(lo+group, len(all))]
		var mean plotter.XY
		for _, p := range part {
			mean.X += p.X / float64(len(part))
			mean.Y += p.Y / float64(len(part))
		}
		thin = append(thin, mean)
	}
	return thin
}

func addLine(p *plot.Plot, at plotter.XYs, name string, c color.Color, width vg.Length, dots bool) error {
	if len(at) == 0 {
		return nil
	}
	line, marks, err := plotter.NewLinePoints(at)
	if err != nil {
		return err
	}
	line.Color, line.Width = c, width
	p.Add(line)
	p.Legend.Add(name, line)
	if dots || len(at) == 1 {
		marks.Color, marks.Shape, marks.Radius = c, draw.CircleGlyph{}, 1.8
		p.Add(marks)
	}
	return nil
}
