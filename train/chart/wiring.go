package chart

import (
	"fmt"
	"html"
	"io"

	"sparsevk/sparsenet"
)

// drawnLayers is the most layers of a stage that the diagram shows.
const drawnLayers = 32

// Wiring draws which maps the layers of the longest stage read, as SVG: a dot for each
// map, an arc for each link, and the stage's output at the end. Of a longer stage than
// 32 layers the beginning is drawn.
func Wiring(w io.Writer, g *sparsenet.Graph) error {
	c := g.Config
	stage := 0
	for s, n := range c.Blocks {
		if n > c.Blocks[stage] {
			stage = s
		}
	}
	layers := min(c.Blocks[stage], drawnLayers)
	step := min(44, 840/float64(layers+1))
	base := 40 + step*float64(layers+1)*0.36
	width, height := max(420, 60+step*float64(layers+1)), base+50 // no narrower than its words
	x := func(m int) float64 { return 30 + step*float64(m) }
	var err error
	printf := func(format string, args ...any) {
		if err == nil {
			_, err = fmt.Fprintf(w, format, args...)
		}
	}
	printf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" font-family="Helvetica, Arial, sans-serif" font-size="12" role="img">`+"\n",
		width, height, width)
	what := fmt.Sprintf("wiring %s: stage %d of %d, %d layers", c.Wiring.Name, stage, len(c.Blocks), c.Blocks[stage])
	if layers < c.Blocks[stage] {
		what += fmt.Sprintf(", the first %d of them", layers)
	}
	printf(`<title>%s</title>`+"\n", html.EscapeString(what))
	links := 0
	last := layers + 1 // the stage's output
	if layers < c.Blocks[stage] {
		last = layers
	}
	for l := 1; l <= last; l++ {
		for _, m := range c.Wiring.Reads(l) {
			links++
			r := (x(l) - x(m)) / 2
			printf(`<path d="M%.1f %.1f A%.1f %.1f 0 0 1 %.1f %.1f" fill="none" stroke="#1f4e79" stroke-opacity="0.55"/>`+"\n", x(m), base, r, 0.72*r, x(l), base)
		}
	}
	for m := 0; m <= last; m++ {
		fill := "#1f4e79"
		if m == 0 || m > layers {
			fill = "#c85a14"
		}
		printf(`<circle cx="%.1f" cy="%.1f" r="%.1f" fill="%s"/>`+"\n", x(m), base, min(5, step/3), fill)
		if m == 0 || m == last || m%4 == 0 && step > 8 {
			name := fmt.Sprint(m)
			if m > layers {
				name = "out"
			}
			printf(`<text x="%.1f" y="%.1f" text-anchor="middle" fill="#333">%s</text>`+"\n", x(m), base+20, name)
		}
	}
	printf(`<text x="30" y="%.1f" fill="#333">%s; %d links</text>`+"\n</svg>\n", base+42, html.EscapeString(what), links)
	return err
}
