package chart

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"

	"sparsevk/sparsenet"
	"sparsevk/train"
)

// A Page is what a report says of a run. Network must have been laid out as it was
// trained.
type Page struct {
	Title      string
	Made       time.Time
	Facts      []Fact // data, recipe, seed, device, commit, …
	Commands   []string
	Network    *sparsenet.Network
	Metrics    []train.Metric
	Evaluation *train.Evaluation // nil if there was none
}

// A Fact is a line of a table.
type Fact struct{ Name, Value string }

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"percent": func(v any) string {
		switch v := v.(type) {
		case train.Number:
			return fmt.Sprintf("%.2f %%", 100*float64(v))
		case float64:
			return fmt.Sprintf("%.2f %%", 100*v)
		}
		return ""
	},
}).Parse(pageText))

// WriteTo writes the page as HTML that needs no other file.
func (p Page) WriteTo(w io.Writer) (int64, error) {
	view := struct {
		Page
		Summary, Memory                    string
		Wiring, Curves, Picture, Confusion template.HTML
		Epochs                             []train.Metric
	}{Page: p}
	var summary, memory strings.Builder
	if err := p.Network.Graph.Summary().WriteText(&summary); err != nil {
		return 0, err
	}
	if err := p.Network.Report().WriteText(&memory); err != nil {
		return 0, err
	}
	view.Summary, view.Memory = summary.String(), memory.String()
	for _, picture := range []struct {
		to   *template.HTML
		want bool
		draw func(io.Writer) error
	}{
		{&view.Wiring, true, func(w io.Writer) error { return Wiring(w, p.Network.Graph) }},
		{&view.Curves, len(p.Metrics) > 0, func(w io.Writer) error { return Curves(w, "svg", p.Metrics) }},
		{&view.Picture, true, p.Network.Picture},
		{&view.Confusion, p.Evaluation != nil && p.Evaluation.Confusion != nil, func(w io.Writer) error { return Confusion(w, "svg", p.Evaluation.Confusion) }},
	} {
		if !picture.want {
			continue
		}
		var b strings.Builder
		if err := picture.draw(&b); err != nil {
			return 0, err
		}
		*picture.to = template.HTML(inline(b.String())) // our own drawings, their texts escaped
	}
	for _, m := range p.Metrics {
		if m.Kind != train.KindStep {
			view.Epochs = append(view.Epochs, m)
		}
	}
	var b strings.Builder
	if err := page.Execute(&b, view); err != nil {
		return 0, fmt.Errorf("chart: %w", err)
	}
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}

// inline returns an SVG document without what may stand only at a file's beginning.
func inline(svg string) string {
	if i := strings.Index(svg, "<svg"); i > 0 {
		return svg[i:]
	}
	return svg
}
