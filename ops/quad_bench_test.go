package ops_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"sparsevk/gpu"
	"sparsevk/ops"
	"sparsevk/ops/record"
)

var (
	window3 = ops.Geometry{R: 3, S: 3, Stride: 1, Pad: 1}
	window1 = ops.Geometry{R: 1, S: 1, Stride: 1}
	pooled1 = ops.Geometry{R: 1, S: 1, Stride: 1, Pool: true}
)

// benchShapes are 3x3 layers of a SparseNet-40-12 at batch 64 with the usual
// fan-in of four, per stage, and one of growth 24; a bottleneck of a BC net; a
// transition.
var benchShapes = []struct {
	g        ops.Geometry
	c, k, hw uint32
}{{window3, 48, 12, 32}, {window3, 60, 12, 16}, {window3, 60, 12, 8}, {window3, 96, 24, 32}, {window1, 96, 48, 32}, {pooled1, 72, 72, 32}}

// BenchmarkConv reports the rate of each kernel of a layer with batch norm and
// ReLU on load, in operations of a direct convolution.
func BenchmarkConv(b *testing.B) {
	dev, err := gpu.Open(gpu.Options{})
	require.NoError(b, err)
	defer func() { require.NoError(b, dev.Close()) }()
	for _, class := range []ops.Class{ops.Quad, ops.Quad16, ops.Plain} {
		if class != ops.Plain && class.Fits(record.Traits(dev)) != nil {
			continue
		}
		for _, s := range benchShapes {
			b.Run(fmt.Sprintf("%v_r%d_pool%t_c%d_k%d_%dx%d", class, s.g.R, s.g.Pool, s.c, s.k, s.hw, s.hw), func(b *testing.B) {
				benchLayer(b, dev, class, s.g, 64, s.c, s.k, s.hw)
			})
		}
	}
}

// benchLayer runs forward with statistics, weight gradient, and the gather of a
// map of a part of the channels from as many readers as have them, over zeros.
func benchLayer(b *testing.B, dev *gpu.Device, class ops.Class, g ops.Geometry, n, c, k, hw uint32) {
	env := ops.NewEnv()
	env.Class = class
	p, q := g.Out(hw, hw)
	maps := func(name string, planes, h, w uint32) *ops.Block {
		return &ops.Block{Name: name, C: planes, N: n, H: h, W: w, Keep: true}
	}
	vector := func(name string, words uint32) *ops.Block { return ops.Vector(name, ops.Other, int(words)) }
	x, y, w := maps("x", c, hw, hw), maps("y", k, p, q), vector("w", k*c*g.R*g.S)
	bn := ops.NewLinks(ops.Links{Env: env, Label: "bn", X: ops.Planes{x.All()}, Stats: ops.Planes{ops.NewStatsBlock("all_stats", c).All()},
		Gamma: vector("gamma", c).All(), Beta: vector("beta", c).All()})
	links := bn.Out
	conv := ops.NewConv(ops.Conv{Env: env, Label: "conv", Geometry: g, Act: true, Measure: true, X: ops.Planes{x.All()}, Links: links,
		W: w.All(), Y: y.All(), DY: y.All(), DW: vector("dw", k*c*g.R*g.S).All()})
	m := min(k, c/2)
	gather := ops.Gather{Env: env, Label: "gather", X: x.View(0, m), G: maps("g", m, hw, hw).All(), Coef: vector("coef", 4*m), Stats: ops.NewStatsBlock("stats", m).All()}
	for j := range c / m {
		gather.Readers = append(gather.Readers, ops.Reader{Geometry: g, Act: true, DY: maps(fmt.Sprint("dy", j), k, p, q).All(), W: w.All(), Cj: c, C0: j * m,
			Links: links, DGamma: vector(fmt.Sprint("dgamma", j), m).All(), DBeta: vector(fmt.Sprint("dbeta", j), m).All()})
	}
	made := ops.NewGather(gather)
	benchSteps(b, dev, env, func() []ops.Step {
		return slices.Concat(bn.Steps(), conv.Forward(), conv.BackwardWeights(), made.Steps())
	})
}

// benchSteps runs steps over zeros and reports, per kernel, the best rate in GFLOP/s.
func benchSteps(b *testing.B, dev *gpu.Device, env *ops.Env, steps func() []ops.Step) {
	plan, err := ops.Place(steps(), ops.DefaultChunk, env.Tables.Blocks...)
	require.NoError(b, err)
	mem, err := record.NewMemory(dev, plan)
	require.NoError(b, err)
	defer func() { require.NoError(b, mem.Close()) }()
	list := steps()
	for i, t := range env.Tables.Blocks {
		require.NoError(b, mem.Upload(t.All(), env.Tables.Words[i]))
	}
	r, err := record.New(dev, mem, list, record.Options{Timestamps: true})
	require.NoError(b, err)
	defer func() { require.NoError(b, r.Close()) }()
	require.NoError(b, r.Run())
	best := map[string]float64{}
	b.ResetTimer()
	for range b.N {
		require.NoError(b, r.Run())
		macs, seconds := map[string]uint64{}, map[string]float64{}
		for i, t := range r.Times() {
			macs[list[i].Kernel.Name] += list[i].MACs
			seconds[list[i].Kernel.Name] += t.Seconds()
		}
		for name, n := range macs {
			best[name] = max(best[name], 2e-9*float64(n)/seconds[name])
		}
	}
	for name, rate := range best {
		if rate > 0 {
			b.ReportMetric(rate, name+"-GFLOP/s")
		}
	}
}
