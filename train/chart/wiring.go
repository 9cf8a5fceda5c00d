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
// map, an arc for each link, and the stage's output at the end. Stages that are wired
// each in its own way are drawn one below the other. Of a longer stage than 32 layers
// the beginning is drawn.
func Wiring(w io.Writer, g *sparsenet.Graph) error {
	c := g.Config
	longest := 0
	for s, n := range c.Blocks {
		if n > c.Blocks[longest] {
			longest = s
		}
	}
	stages := []int{longest}
	if c.Wiring.ReadsAt != nil {
		stages = nil
		for s := range c.Blocks {
			stages = append(stages, s)
		}
	}
	d := diagram{w: w, step: min(44, 840/float64(min(c.Blocks[longest], drawnLayers)+1))}
	width, height := 640., 0. // no narrower than its words
	for _, s := range stages {
		layers := min(c.Blocks[s], drawnLayers)
		width, height = max(width, 60+d.step*float64(layers+1)), height+d.height(layers)
	}
	d.printf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" font-family="Helvetica, Arial, sans-serif" font-size="12" role="img">`+"\n",
		width, height, width)
	d.printf("<title>wiring %s</title>\n", html.EscapeString(c.Wiring.String()))
	for _, s := range stages {
		d.stage(c, s)
	}
	d.printf("</svg>\n")
	return d.err
}

// A diagram writes SVG, one stage below the other.
type diagram struct {
	w    io.Writer
	err  error   // the first of writing
	step float64 // from map to map
	top  float64 // of the next stage
}

func (d *diagram) printf(format string, args ...any) {
	if d.err == nil {
		_, d.err = fmt.Fprintf(d.w, format, args...)
	}
}

// height is that of a stage of so many layers, with the words below.
func (d *diagram) height(layers int) float64 { return 90 + d.step*float64(layers+1)*0.36 }

// stage draws a stage and goes on below it.
func (d *diagram) stage(c sparsenet.Config, stage int) {
	layers, all := min(c.Blocks[stage], drawnLayers), c.Blocks[stage]
	base := d.top + d.height(layers) - 50
	d.top += d.height(layers)
	x := func(m int) float64 { return 30 + d.step*float64(m) }
	last := layers + 1 // the stage's output
	if layers < all {
		last = layers
	}
	links := 0
	for l := 1; l <= last; l++ {
		for _, m := range c.Wiring.Inputs(stage, l) {
			links++
			r := (x(l) - x(m)) / 2
			d.printf(`<path d="M%.1f %.1f A%.1f %.1f 0 0 1 %.1f %.1f" fill="none" stroke="#1f4e79" stroke-opacity="0.55"/>`+"\n", x(m), base, r, 0.72*r, x(l), base)
		}
	}
	for m := 0; m <= last; m++ {
		fill := "#1f4e79"
		if m == 0 || m > layers {
			fill = "#c85a14"
		}
		d.printf(`<circle cx="%.1f" cy="%.1f" r="%.1f" fill="%s"/>`+"\n", x(m), base, min(5, d.step/3), fill)
		if m == 0 || m == last || m%4 == 0 && d.step > 8 {
			name := fmt.Sprint(m)
			if m > layers {
				name = "out"
			}
			d.printf(`<text x="%.1f" y="%.1f" text-anchor="middle" fill="#333">%s</text>`+"\n", x(m), base+20, name)
		}
	}
	what := fmt.Sprintf("wiring %s, stage %d of %d; layers: %d", c.Wiring, stage, len(c.Blocks), all)
	if layers < all {
		what += fmt.Sprintf(", the first %d of them", layers)
	}
	d.printf(`<text x="30" y="%.1f" fill="#333">%s; links: %d</text>`+"\n", base+42, html.EscapeString(what), links)
}
