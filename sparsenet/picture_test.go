package sparsenet

import (
	"bytes"
	"encoding/xml"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/ops"
)

// draw returns the picture of n and its elements, and fails if it is no XML.
func draw(t *testing.T, n *Network) (svg string, elements int) {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, n.Picture(&out))
	d := xml.NewDecoder(strings.NewReader(out.String()))
	for {
		token, err := d.Token()
		if err == io.EOF {
			return out.String(), elements
		}
		require.NoError(t, err)
		if _, ok := token.(xml.StartElement); ok {
			elements++
		}
	}
}

func TestPicture(t *testing.T) {
	n := network(t, "sparse-40-24", Options{Batch: 64})
	svg, elements := draw(t, n)
	assert.Greater(t, elements, 500)
	assert.NotContains(t, svg, "NaN")
	assert.NotContains(t, svg, `"-`, "nothing sticks out at the left or the top")
	for _, want := range []string{"sparse-40-24, batch 64", ">arena: 138 MiB<", ">layered: ", "times as much", "copied concatenations", "forward, 1", "backward, 2"} {
		assert.Contains(t, svg, want)
	}
	again, _ := draw(t, n)
	assert.Equal(t, svg, again, "the same every time")
	assert.NotContains(t, svg, "http://www.w3.org/1999/xlink", "self-contained")
}

func TestPictureOfInference(t *testing.T) {
	svg, _ := draw(t, network(t, "sparse-16-6", Options{Batch: 4, Inference: true}))
	assert.Contains(t, svg, "Memory over inference")
	assert.NotContains(t, svg, "backward,")
}

// An engine without a plan leaves its place to the reason.
func TestPictureWithoutAPlan(t *testing.T) {
	n := network(t, "dense-40-12", Options{Batch: 64, Chunk: 16 << 20})
	svg, _ := draw(t, n)
	assert.Contains(t, svg, "is larger than a memory object of 16777216 bytes")
	assert.Contains(t, svg, ">arena: ")
	n.Chunk = 1 << 10
	assert.ErrorContains(t, n.Picture(io.Discard), "neither engine has a plan")
}

func TestPictureThatCannotBeWritten(t *testing.T) {
	assert.ErrorContains(t, network(t, "sparse-16-6", Options{Batch: 1}).Picture(brokenPipe{}), "sparsenet: picture: no room")
}

// Bars that meet in time do not meet in bytes: what is drawn is a plan.
func TestPictureBarsDoNotOverlap(t *testing.T) {
	for _, e := range []Engine{Arena, Layered} {
		tl := newTimeline(network(t, "sparse-22-8", Options{Batch: 2, Engine: e}))
		require.NotEmpty(t, tl.bars)
		a, b := meeting(tl.bars)
		assert.Nil(t, a, "%+v %+v", a, b)
		tl.bars = append(tl.bars, tl.bars[0])
		a, _ = meeting(tl.bars)
		assert.NotNil(t, a, "a planted fault is noticed")
		assert.NotZero(t, tl.peak[barMap])
		assert.NotZero(t, tl.peak[barGradient])
		assert.Equal(t, e == Layered, tl.peak[barConcat] > 0)
		assert.Equal(t, e == Layered, tl.peak[barNorm] > 0)
		assert.Equal(t, e == Arena, tl.peak[barScratch] > 0)
	}
}

func meeting(bars []bar) (a, b *bar) {
	for i := range bars {
		for j := range bars[:i] {
			x, y := &bars[i], &bars[j]
			if x.first <= y.last && y.first <= x.last && x.off < y.off+y.bytes && y.off < x.off+x.bytes {
				return x, y
			}
		}
	}
	return nil, nil
}

// In the arena every map but the image becomes its gradient in place.
func TestPictureTurnsMapsIntoGradients(t *testing.T) {
	n := network(t, "sparse-22-8", Options{Batch: 2})
	tl := newTimeline(n)
	for _, m := range n.Graph.Maps[1:] {
		var kinds []barKind
		for _, l := range n.Plan.Lifetimes {
			if l.Block.Name != m.Name || l.Block.Purpose != ops.Map {
				continue
			}
			for _, b := range tl.bars {
				if b.off == l.Block.Off && b.bytes == l.Block.Bytes() && b.kind <= barGradient {
					kinds = append(kinds, b.kind)
				}
			}
			break
		}
		require.GreaterOrEqual(t, len(kinds), 2, m.Name)
		assert.Contains(t, kinds, barGradient, m.Name)
		assert.Less(t, kinds[0], barGradient, m.Name)
	}
}

func TestNiceStep(t *testing.T) {
	for _, c := range []struct{ most, count, want float64 }{
		{138, 12, 20}, {758, 12, 100}, {7171, 12, 1000}, {0.5, 5, 0.1}, {19973, 12, 2000}, {272, 0.5, 200},
	} {
		assert.Equal(t, c.want, niceStep(c.most, c.count), "%v", c)
	}
}
