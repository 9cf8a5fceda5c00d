package chart

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/sparsenet"
	"sparsevk/train"
)

// wellFormed demands that b is XML.
func wellFormed(t *testing.T, b []byte) {
	t.Helper()
	for d := xml.NewDecoder(bytes.NewReader(b)); ; {
		if _, err := d.Token(); err == io.EOF {
			return
		} else if !assert.NoError(t, err) {
			return
		}
	}
}

// someMetrics are n steps with an epoch and a validation every 100.
func someMetrics(n int) (list []train.Metric) {
	for i := range n {
		m := train.Metric{Kind: train.KindStep, Step: uint64(i + 1), LR: 0.1, Loss: train.Number(2 / float64(i+1)), Accuracy: 0.5}
		list = append(list, m)
		if (i+1)%100 == 0 {
			m.Kind, m.Epoch = train.KindEpoch, uint64((i+1)/100)
			list = append(list, m)
			m.Kind = train.KindValid
			list = append(list, m)
		}
	}
	return list
}

func TestCurves(t *testing.T) {
	for name, metrics := range map[string][]train.Metric{
		"none": nil, "one": someMetrics(1), "many": someMetrics(5000),
		"not finite": {{Kind: train.KindStep, Step: 1, Loss: train.Number(math.NaN()), LR: 0.1}, {Kind: train.KindStep, Step: 2, Loss: train.Number(math.Inf(1)), LR: 0.1}},
	} {
		var svg, picture bytes.Buffer
		require.NoError(t, Curves(&svg, "svg", metrics), name)
		wellFormed(t, svg.Bytes())
		assert.Contains(t, svg.String(), "learning rate", name)
		assert.NotContains(t, svg.String(), "NaN", name)
		assert.Less(t, svg.Len(), 400_000, name)
		require.NoError(t, Curves(&picture, "png", metrics), name)
		m, err := png.Decode(&picture)
		require.NoError(t, err, name)
		assert.Greater(t, m.Bounds().Dy(), 500)
	}
	assert.ErrorContains(t, Curves(failing{}, "svg", someMetrics(3)), "full disk")
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("full disk") }

// Thinned lines keep their mean and their ends within a group.
func TestPoints(t *testing.T) {
	at := points(someMetrics(5000), train.KindStep, func(m train.Metric) float64 { return float64(m.Step) })
	assert.LessOrEqual(t, len(at), mostPoints)
	assert.Equal(t, 5., at[0].X)
	assert.Equal(t, at[0].X, at[0].Y)
	assert.Len(t, points(someMetrics(500), train.KindValid, func(train.Metric) float64 { return 1 }), 5)
}

func TestConfusion(t *testing.T) {
	few := train.NewConfusion([]string{"ant", "<bee>"}, 3)
	few.Counts[0][1], few.Counts[1][1] = 3, 1
	for _, c := range []*train.Confusion{few, train.NewConfusion(nil, 100), train.NewConfusion(nil, 1)} {
		var svg, picture bytes.Buffer
		require.NoError(t, Confusion(&svg, "svg", c))
		wellFormed(t, svg.Bytes())
		assert.Equal(t, strings.Count(svg.String(), "<text "), strings.Count(svg.String(), " textLength="), "as wide as it was laid out")
		require.NoError(t, Confusion(&picture, "png", c))
		_, err := png.Decode(&picture)
		require.NoError(t, err)
	}
	assert.ErrorContains(t, Confusion(io.Discard, "gif", few), "gif")
	assert.ErrorContains(t, Confusion(failing{}, "svg", few), "full disk")
}

// The arcs are the links of the wiring.
func TestWiring(t *testing.T) {
	for _, c := range []struct {
		wiring sparsenet.Wiring
		blocks []int
		links  int
	}{
		{sparsenet.Powers(2), []int{12, 3}, 41}, {sparsenet.Dense(), []int{3, 12}, 91}, {sparsenet.Powers(2), []int{1}, 3},
	} {
		g, err := sparsenet.Build(sparsenet.Config{Blocks: c.blocks, Growth: []int{2}, Wiring: c.wiring})
		require.NoError(t, err)
		var b bytes.Buffer
		require.NoError(t, Wiring(&b, g))
		wellFormed(t, b.Bytes())
		assert.Equal(t, c.links, strings.Count(b.String(), "<path"))
		assert.Contains(t, b.String(), fmt.Sprintf("links: %d", c.links))
		assert.ErrorContains(t, Wiring(failing{}, g), "full disk")
	}
	path := filepath.Join(t.TempDir(), "mine.txt")
	require.NoError(t, os.WriteFile(path, []byte("1: 0\n2: 1 0\noutput: 2 1\nstage\n1: 0\noutput: 1\n"), 0o600))
	mine, err := sparsenet.ReadWiring(path)
	require.NoError(t, err)
	g, err := sparsenet.Build(sparsenet.Config{Blocks: []int{2, 1}, Growth: []int{2}, Wiring: mine})
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, Wiring(&b, g))
	wellFormed(t, b.Bytes())
	for _, says := range []string{"stage 0 of 2; layers: 2; links: 5", "stage 1 of 2; layers: 1; links: 2"} {
		assert.Contains(t, b.String(), says)
	}

	g, err = sparsenet.Build(sparsenet.Config{Depth: 400, Growth: []int{2}})
	require.NoError(t, err)
	b.Reset()
	require.NoError(t, Wiring(&b, g))
	assert.Contains(t, b.String(), "layers: 132, the first 32 of them")
}

// The page holds everything and asks for nothing; what a user wrote is text there.
func TestPage(t *testing.T) {
	g, err := sparsenet.Build(sparsenet.Config{Depth: 10, Growth: []int{2}})
	require.NoError(t, err)
	n, err := sparsenet.NewNetwork(g, sparsenet.Options{Batch: 2})
	require.NoError(t, err)
	c := train.NewConfusion([]string{"<script>"}, 2)
	c.Counts[0][0], c.Counts[1][0] = 3, 1
	p := Page{
		Title: "a <b> run", Made: time.Unix(0, 0).UTC(), Facts: []Fact{{"device", "<i>"}}, Commands: []string{"sparsenet train --out 'a&b'"},
		Network: n, Metrics: someMetrics(200), Evaluation: &train.Evaluation{Dataset: "toy", Split: "test", Score: train.Score{Images: 4, Hits: 3, Hits5: 4}, Confusion: c},
	}
	var b bytes.Buffer
	_, err = p.WriteTo(&b)
	require.NoError(t, err)
	html := b.String()
	for _, s := range []string{"a &lt;b&gt; run", "&lt;i&gt;", "a&amp;b", "error 25.00 %", "&lt;script&gt;", "sparse-10-2", "dense wiring, MiB", "50.00 %"} {
		assert.Contains(t, html, s)
	}
	assert.Equal(t, 4, strings.Count(html, "<svg"))
	for _, s := range []string{"<script", "src=", "href=", "@import", "url(", "<?xml", "ZgotmplZ"} {
		assert.NotContains(t, html, s)
	}
	p.Metrics, p.Evaluation = nil, nil
	b.Reset()
	_, err = p.WriteTo(&b)
	require.NoError(t, err)
	assert.NotContains(t, b.String(), "Curves")
	_, err = p.WriteTo(failing{})
	assert.ErrorContains(t, err, "full disk")
}
