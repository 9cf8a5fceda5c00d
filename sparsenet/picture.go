package sparsenet

import (
	"bufio"
	"fmt"
	"html"
	"io"

	"sparsevk/ops"
)

// Picture draws the memory of a training step (or of inference) as SVG: bytes
// upwards, dispatches to the right, a bar for every block while its contents
// matter. Both engines stand side by side at one scale, and the arena engine
// again below, magnified. An engine that has no plan leaves its place to the
// reason.
func (n *Network) Picture(w io.Writer) error {
	p := picture{w: bufio.NewWriter(w)}
	arena, layered := n.with(Arena), n.with(Layered)
	most := max(arena.bytes, layered.bytes)
	if most == 0 {
		return fmt.Errorf("sparsenet: neither engine has a plan: %w", arena.err)
	}
	scale := 440 / float64(most)                         // pixels per byte
	base := 560 + max(0, scale*float64(arena.bytes)-200) // the arena's panel stands below the legend
	p.open(n, base+570)
	p.panel(arena, frame{x: 90, y: base, w: 520, scale: scale}, ratio(layered, arena))
	p.panel(layered, frame{x: 740, y: base, w: 575, scale: scale}, "")
	p.legend(arena, layered)
	if arena.err == nil {
		p.text(90, base+80, "head", "The arena again, %.1f times as high: a map is written once, and its gradient takes its place", 400/float64(arena.bytes)/scale)
		p.panel(arena, frame{x: 90, y: base + 510, w: 1200, scale: 400 / float64(arena.bytes), labels: true}, "")
	}
	p.printf("</svg>\n")
	if err := p.w.Flush(); err != nil {
		return fmt.Errorf("sparsenet: picture: %w", err)
	}
	return nil
}

// ratio says how much more memory b takes than a.
func ratio(b, a timeline) string {
	if a.err != nil || b.err != nil {
		return ""
	}
	return fmt.Sprintf("layered takes %.1f times as much", float64(b.bytes)/float64(a.bytes))
}

// with lays n's network out for an engine.
func (n *Network) with(e Engine) timeline {
	o := n.Options
	o.Engine, o.Recompute = e, o.Recompute && e == Arena
	other, err := NewNetwork(n.Graph, o)
	if err != nil {
		return timeline{engine: e, err: err}
	}
	return newTimeline(other)
}

// picture writes SVG; bufio keeps the first error.
type picture struct{ w *bufio.Writer }

func (p picture) printf(format string, args ...any) { fmt.Fprintf(p.w, format, args...) }

func (p picture) text(x, y float64, class, format string, args ...any) {
	p.printf(`<text x="%.1f" y="%.1f" class="%s">%s</text>`+"\n", x, y, class, html.EscapeString(fmt.Sprintf(format, args...)))
}

func (p picture) rect(x, y, w, h float64, fill string) {
	p.printf(`<rect x="%.2f" y="%.2f" width="%.2f" height="%.2f" fill="%s"/>`+"\n", x, y, w, h, fill)
}

func (p picture) open(n *Network, height float64) {
	what := "a training step"
	if n.Inference {
		what = "inference"
	}
	p.printf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1400 %.0[1]f" width="1400" height="%.0[1]f" font-family="Helvetica, Arial, 'DejaVu Sans', sans-serif">
<style>text{fill:#333;font-size:13px}.title{font-size:24px;font-weight:bold;fill:#111}.head{font-size:16px;font-weight:bold;fill:#111}.axis{fill:#666;font-size:12px}.end{text-anchor:end;fill:#666;font-size:12px}.mid{text-anchor:middle;fill:#666;font-size:12px}.num{text-anchor:end}.why{fill:#a33}</style>
<rect width="1400" height="%.0[1]f" fill="#ffffff"/>
`, height)
	p.text(40, 44, "title", "Memory over %s: %s, batch %d", what, n.Graph.Config.Name(), n.Batch)
	p.text(40, 68, "axis", "Upwards: where each block lies, in MiB. To the right: the dispatches of the step. A bar lasts while its contents matter. Both engines at the same scale.")
}

// frame is where a panel stands: its lower left corner, width, and pixels per byte.
type frame struct {
	x, y, w, scale float64
	labels         bool // name the regions at the right
}

// panel draws one engine.
func (p picture) panel(t timeline, f frame, note string) {
	if t.err != nil {
		p.text(f.x, f.y-40, "head", "%s", t.engine)
		p.text(f.x, f.y-16, "why", "%v", t.err)
		return
	}
	top := f.y - f.scale*float64(t.bytes)
	if !f.labels {
		p.text(f.x, top-12, "head", "%s: %s MiB", t.engine, number(MiB(t.bytes)))
		p.text(f.x+190, top-12, "", "%s", note)
	}
	p.phases(t, f, top)
	p.grid(t, f)
	px := f.w / float64(t.steps)
	for _, b := range t.bars {
		h := f.scale * float64(b.bytes)
		gap := 0.0
		if h > 4 {
			gap = 0.6
		}
		p.rect(f.x+px*float64(b.first), f.y-f.scale*float64(b.off)-h, px*float64(b.last+1-b.first), h-gap, b.kind.colour())
	}
	p.printf(`<path d="M%.1f %.1fV%.1fH%.1f" fill="none" stroke="#444"/>`+"\n", f.x, top, f.y, f.x+f.w)
}

// phases shades the backward pass and names the phases below the axis.
func (p picture) phases(t timeline, f frame, top float64) {
	px := f.w / float64(t.steps)
	for phase, s := range t.phases {
		x, w := f.x+px*float64(s.first), px*float64(s.last-s.first)
		if Phase(phase) == Backward {
			p.rect(x, top, w, f.y-top, "#f6f1ea")
		}
		if w > 60 {
			p.text(x+w/2, f.y+17, "mid", "%s, %s dispatches", Phase(phase), Thousands(int64(s.last-s.first)))
		}
	}
}

// grid draws the axis of bytes.
func (p picture) grid(t timeline, f frame) {
	step := niceStep(MiB(t.bytes), f.scale*float64(t.bytes)/36)
	for v := 0.0; v <= MiB(t.bytes); v += step {
		y := f.y - f.scale*v*(1<<20)
		p.printf(`<path d="M%.1f %.1fH%.1f" stroke="#e3e3e3"/>`+"\n", f.x-5, y, f.x+f.w)
		p.text(f.x-9, y+4, "end", "%s", number(v))
	}
	if f.labels {
		p.regions(t, f)
	}
}

// niceStep returns the least of 1, 2 or 5 times a power of ten that goes into most
// at most count times.
func niceStep(most, count float64) float64 {
	for decade := 1e-3; ; decade *= 10 {
		for _, m := range []float64{1, 2, 5} {
			if most/(m*decade) <= max(count, 2) {
				return m * decade
			}
		}
	}
}

// number writes v with as few digits as tell it apart.
func number(v float64) string {
	switch {
	case v >= 1000:
		return Thousands(int64(v + 0.5))
	case v >= 10 || v == float64(int64(v)):
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.1f", v)
}

// regions names the regions that are high enough at the right of the magnified
// panel.
func (p picture) regions(t timeline, f frame) {
	for purpose, r := range t.regions {
		if h := f.scale * float64(r.Bytes()); h >= 12 {
			p.text(f.x+f.w+4, f.y-f.scale*float64(r.Lo)-h/2+4, "axis", "%s", ops.Purpose(purpose))
		}
	}
}

// legend explains the colours, with the bytes of each engine by purpose.
func (p picture) legend(arena, layered timeline) {
	y := 100.0
	p.text(392, y, "num", "arena")
	p.text(482, y, "num", "layered")
	p.text(502, y, "axis", "MiB at most")
	for _, e := range legend {
		y += 19
		p.rect(90, y-11, 14, 13, e.kind.colour())
		p.text(112, y, "", "%s", e.text)
		for i, t := range []timeline{arena, layered} {
			if t.peak[e.kind] > 0 {
				p.text(392+90*float64(i), y, "num", "%s", number(MiB(t.peak[e.kind])))
			}
		}
	}
}
