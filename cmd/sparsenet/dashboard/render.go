package dashboard

import (
	"fmt"
	"math"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/guptarohit/asciigraph"

	"sparsevk/train"
)

var (
	titleStyle = lipgloss.NewStyle().Bold(true)
	faintStyle = lipgloss.NewStyle().Faint(true)
	fullStyle  = lipgloss.NewStyle().Foreground(lipgloss.Green)
)

// The colours of a curve of training and of held-out images, and their names in
// those colours. An AnsiColor is the number of a terminal's 256 colours.
var (
	curveColors = []asciigraph.AnsiColor{asciigraph.DodgerBlue, asciigraph.Orange}
	curveNames  = "  " + colored(curveColors[0], "training") + "  " + colored(curveColors[1], "held out")
)

func colored(c asciigraph.AnsiColor, text string) string {
	return lipgloss.NewStyle().Foreground(lipgloss.Color(fmt.Sprint(int(c)))).Render(text)
}

// Sizes below which parts are left out.
const (
	wideColumns = 90 // panels stand side by side
	panelRows   = 5  // the least that a panel takes: a title, four rows of curve
	tallRows    = 16 // with so many rows for panels there is a second line of them
)

// Render draws the board into w columns and at most h rows.
func (b *Board) Render(w, h int, now time.Time) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	w, h = max(w, 1), max(h, 1)
	top := b.header(w, h, now)
	foot := b.footer(w, h)
	rest := h - len(top) - len(foot)
	lines := append(top, b.panels(w, rest)...)
	for len(lines)+len(foot) < h {
		lines = append(lines, "")
	}
	lines = append(lines, foot...)
	if len(lines) > h {
		lines = lines[:h]
	}
	for i := range lines {
		lines[i] = ansi.Truncate(lines[i], w, "…")
	}
	return strings.Join(lines, "\n")
}

// header is what stands above the panels.
func (b *Board) header(w, h int, now time.Time) []string {
	head := b.head
	lines := []string{titleStyle.Render(head.Network) + fmt.Sprintf("  %s parameters, %s engine, batch %d", thousands(head.Parameters), head.Engine, head.Batch)}
	if h >= 16 {
		lines = append(lines, faintStyle.Render(head.Device+", "+head.Driver))
	}
	p := b.at
	done := 0.0
	if p.Batches > 0 {
		done = float64(p.Batch) / float64(p.Batches)
	}
	lines = append(lines, bar(w, "epoch", done, fmt.Sprintf("%d/%d  batch %d/%d", min(p.Epoch+1, head.Epochs), head.Epochs, p.Batch, p.Batches)))
	times := span(now.Sub(b.begun))
	if left, ok := b.left(now); ok {
		times += "  " + span(left) + " left"
	}
	lines = append(lines, bar(w, "run  ", b.epochs()/float64(max(head.Epochs, 1)), times))
	return append(lines, flow(w, b.numbers())...)
}

// numbers are the values of the last step and of the last evaluations.
func (b *Board) numbers() (list []string) {
	s := b.step
	if s.Kind == "" {
		return []string{"waiting for the first step"}
	}
	list = []string{
		fmt.Sprintf("loss %.4f", s.Loss), fmt.Sprintf("accuracy %.1f%%", 100*s.Accuracy), fmt.Sprintf("%.1f images/s", s.ImagesPerSecond),
		fmt.Sprintf("rate %.4g", s.LR), fmt.Sprintf("gradient %.3g", s.GradNorm), fmt.Sprintf("memory %.1f MiB", float64(s.DeviceBytes)/(1<<20)),
		fmt.Sprintf("step %d", s.Step),
	}
	for _, e := range []train.Metric{b.valid, b.test} {
		if e.Kind != "" {
			list = append(list, fmt.Sprintf("%s: loss %.4f accuracy %.2f%%", map[string]string{train.KindValid: "held out", train.KindTest: "test"}[e.Kind],
				e.Loss, 100*e.Accuracy))
		}
	}
	return list
}

// footer is the last note and how to stop.
func (b *Board) footer(w, h int) []string {
	var lines []string
	if n := len(b.notes); n > 0 && h >= 16 {
		lines = append(lines, faintStyle.Render(ansi.Truncate(b.notes[n-1], w, "…")))
	}
	stop := "Ctrl-C: stop after this step"
	if b.head.Folder != "" {
		stop += ", save in " + b.head.Folder
	}
	return append(lines, faintStyle.Render(stop))
}

// panels are the curves, as many as find room.
func (b *Board) panels(w, rows int) []string {
	c := &b.curves
	loss := func(w, h int) []string { return panel("loss", w, h, &c.loss, &c.validLoss) }
	accuracy := func(w, h int) []string { return panel("accuracy %", w, h, &c.accuracy, &c.validAccuracy) }
	speed := func(w, h int) []string { return panel("images/s", w, h, &c.speed) }
	rate := func(w, h int) []string { return panel("learning rate", w, h, &c.rate) }
	half := (w - 2) / 2
	switch {
	case rows < panelRows:
		return nil
	case w >= wideColumns && rows >= tallRows:
		low := max(panelRows, rows/3)
		return append(beside(half, loss(half, rows-low), accuracy(half, rows-low)), beside(half, speed(half, low), rate(half, low))...)
	case w >= wideColumns:
		return beside(half, loss(half, rows), accuracy(half, rows))
	case rows >= 2*panelRows:
		return append(loss(w, rows-rows/2), accuracy(w, rows/2)...)
	}
	return loss(w, rows)
}

// panel draws curves of one length under a title, in exactly h rows.
func panel(title string, w, h int, curves ...*curve) []string {
	lines := []string{titleStyle.Render(title)}
	var series [][]float64
	for _, c := range curves {
		if known(c.points) {
			series = append(series, c.points)
		}
	}
	if len(series) == 2 {
		lines[0] += curveNames
	}
	if len(series) > 0 && len(series[0]) > 1 {
		const axis = 10 // columns of a label and of the axis
		plot := asciigraph.PlotMany(series, asciigraph.Width(max(w-axis, 1)), asciigraph.Height(max(h-2, 1)), asciigraph.Offset(2),
			asciigraph.YAxisValueFormatter(func(v float64) string { return fmt.Sprintf("%7.4g", v) }), asciigraph.SeriesColors(curveColors[:len(series)]...))
		lines = append(lines, strings.Split(plot, "\n")...)
	}
	for len(lines) < h {
		lines = append(lines, "")
	}
	return lines[:h]
}

// known reports whether there is a point that is no gap.
func known(points []float64) bool {
	for _, p := range points {
		if !math.IsNaN(p) {
			return true
		}
	}
	return false
}

// beside puts two panels side by side, the left one w columns wide.
func beside(w int, left, right []string) []string {
	lines := make([]string, len(left))
	for i := range left {
		l := ansi.Truncate(left[i], w, "")
		lines[i] = l + strings.Repeat(" ", w-ansi.StringWidth(l)+2) + right[i]
	}
	return lines
}

// bar draws a share of the room that its texts leave.
func bar(w int, name string, share float64, text string) string {
	room := w - ansi.StringWidth(name) - ansi.StringWidth(text) - 8
	percent := fmt.Sprintf("%3.0f%%", 100*share)
	if room < 4 {
		return name + " " + percent + "  " + text
	}
	full := int(math.Round(min(max(share, 0), 1) * float64(room)))
	return name + " " + fullStyle.Render(strings.Repeat("━", full)) + faintStyle.Render(strings.Repeat("─", room-full)) + " " + percent + "  " + text
}

// flow puts texts into as many lines as they take.
func flow(w int, list []string) (lines []string) {
	line := ""
	for _, text := range list {
		if line != "" && ansi.StringWidth(line)+2+ansi.StringWidth(text) > w {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += "  "
		}
		line += text
	}
	return append(lines, line)
}

// span writes a duration as a person would.
func span(d time.Duration) string {
	d = d.Round(time.Second)
	switch {
	case d >= 24*time.Hour:
		return fmt.Sprintf("%dd%02dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	}
	return d.String()
}

// thousands writes n with commas.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
