package chart

import (
	"bytes"
	"fmt"
	"io"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

func init() { // as the rest of a report has it; there is no other place to say so
	plot.DefaultFont.Variant = "Sans"
	plotter.DefaultFont = plot.DefaultFont
}

// svg is a canvas whose texts are as wide as they were laid out, whatever font the
// one who looks at them has.
type svg struct {
	*vgsvg.Canvas
	widths []vg.Length // of the texts, in order
}

// FillString draws a text.
func (s *svg) FillString(face font.Face, at vg.Point, text string) {
	s.widths = append(s.widths, face.Width(text))
	s.Canvas.FillString(face, at, text)
}

// WriteTo writes the document.
func (s *svg) WriteTo(w io.Writer) (int64, error) {
	var b bytes.Buffer
	if _, err := s.Canvas.WriteTo(&b); err != nil {
		return 0, err
	}
	parts := bytes.Split(b.Bytes(), []byte("<text "))
	if len(parts) != len(s.widths)+1 {
		return 0, fmt.Errorf("chart: %d texts in a picture of %d", len(parts)-1, len(s.widths))
	}
	var out bytes.Buffer
	for i, part := range parts {
		if i > 0 {
			fmt.Fprintf(&out, `<text textLength="%.2f" lengthAdjust="spacingAndGlyphs" `, s.widths[i-1].Points())
		}
		out.Write(part)
	}
	return out.WriteTo(w)
}

// save lays plots out in rows, their axes in line, and writes them to w as "svg" or
// "png".
func save(w io.Writer, format string, rows [][]*plot.Plot, width, height vg.Length) error {
	tiles := draw.Tiles{Rows: len(rows), Cols: 1, PadY: 0.3 * vg.Centimeter, PadTop: 0.2 * vg.Centimeter, PadRight: 0.3 * vg.Centimeter}
	var to interface {
		vg.CanvasSizer
		io.WriterTo
	}
	switch format {
	case "png":
		to = vgimg.PngCanvas{Canvas: vgimg.New(width, height)}
	case "svg":
		to = &svg{Canvas: vgsvg.New(width, height)}
	default:
		return fmt.Errorf("chart: pictures of format %q: use svg or png", format)
	}
	for i, row := range plot.Align(rows, tiles, draw.New(to)) {
		rows[i][0].Draw(row[0])
	}
	if _, err := to.WriteTo(w); err != nil {
		return fmt.Errorf("chart: %w", err)
	}
	return nil
}
