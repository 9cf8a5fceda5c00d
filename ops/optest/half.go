package optest

import (
	"fmt"
	"math"
	"slices"

	"sparsevk/ops"
	"sparsevk/shaders"
)

// inPrecision returns c with maps of precision p: every block that a kernel takes
// as a map. What c puts into them must be values that p holds, as those of a Coarse
// seed are, so that the device and the reference start from the same; what must
// come out is the same, within the roundings of what is stored.
func inPrecision(p ops.Precision, c Case) Case {
	maps, written, read := map[*ops.Block]bool{}, map[*ops.Block]int{}, map[*ops.Block]bool{}
	for _, s := range c.Steps() {
		for i, b := range s.Kernel.Bindings {
			for _, v := range s.Args[i] {
				if !b.Map {
					continue
				}
				maps[v.Block] = true
				if b.Access&shaders.Read != 0 {
					read[v.Block] = true
				}
				if b.Access&shaders.Write != 0 {
					written[v.Block]++
				}
			}
		}
	}
	out := map[*ops.Block]bool{}
	for _, w := range c.Out {
		out[w.View.Block] = true
	}
	through := 0 // blocks between the inputs and the outputs
	for b := range maps {
		b.Precision = p
		if written[b] > 0 && read[b] && !out[b] {
			through++
		}
	}
	c.Name, c.In, c.Out = p.String()+"_"+c.Name, slices.Clone(c.In), slices.Clone(c.Out)
	for i, in := range c.In {
		if maps[in.View.Block] {
			c.In[i].Words = held(c.Name, p, in.Words)
		}
	}
	for i, w := range c.Out {
		c.Out[i].Before, c.Out[i].Through = through, p
		if !maps[w.View.Block] {
			continue
		}
		c.Out[i].Before += max(0, written[w.View.Block]-1)
		c.Out[i].Stored = p
		if w.Exact != nil {
			c.Out[i].Exact = held(c.Name, p, w.Exact)
		}
	}
	return c
}

// held returns float32 values in precision p. It panics if p does not hold one.
func held(name string, p ops.Precision, words []uint32) []uint32 {
	out := make([]uint32, len(words))
	for i, w := range words {
		out[i] = p.Encode(math.Float32frombits(w))
		if math.Float32bits(p.Decode(out[i])) != w {
			panic(fmt.Sprintf("optest: %s: %v does not hold %g", name, p, math.Float32frombits(w)))
		}
	}
	return out
}
