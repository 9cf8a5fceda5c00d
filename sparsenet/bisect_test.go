package sparsenet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/ops"
	"sparsevk/ops/optest"
	"sparsevk/ops/record"
	"sparsevk/ops/ref"
)

// A bisection runs the training program of the arena engine one op at a time and
// holds what each makes against the reference on what memory held before it. So
// errors do not add up over the net, and the first that is wrong is named.
type bisection struct {
	*Model
	t             *testing.T
	h             Hyper
	parts         []part
	blocks        map[string]*ops.Block
	before, after []uint32 // the device's memory
	results       []uint32 // after
	staged        []uint32 // results before
	quad          bool     // the op runs a quad form, see expect
	ops           int
}

func bisect(t *testing.T, m *Model) *bisection {
	t.Helper()
	b := &bisection{Model: m, t: t, h: hyper(m, 3), parts: m.Train.parts, blocks: map[string]*ops.Block{}}
	for _, s := range m.Train.Steps() {
		for _, u := range s.Uses() {
			b.blocks[u.View.Block.Name] = u.View.Block
		}
	}
	feed(t, m, 1)
	m.lanes[0].setState(b.h, true)
	poison(t, m)
	return b
}

// next runs the next op, whose first kernel has the given name, and checks it. An
// op that has not run must not pass.
func (b *bisection) next(kernel string, check func() error) {
	b.t.Helper()
	require.NotEmpty(b.t, b.parts, kernel)
	steps := b.parts[0].steps()
	b.parts = b.parts[1:]
	names := ""
	b.quad = false
	for _, s := range steps {
		names += " " + s.Kernel.Name
		b.quad = b.quad || s.Kernel.Name[0] == 'q'
	}
	where := steps[0].Label + ":" + names
	require.Contains(b.t, names, kernel, where)

	b.before, b.staged = b.memory()
	b.after, b.results = b.before, b.staged
	assert.Error(b.t, check(), "%s: passes although it has not run", where)
	r, err := record.New(b.Device, b.mem, steps, record.Options{})
	require.NoError(b.t, err)
	require.NoError(b.t, errors.Join(r.Run(), r.Close()))
	b.after, b.results = b.memory()
	require.NoError(b.t, check(), where)
	b.ops++
}

func (b *bisection) memory() (device, results []uint32) {
	b.t.Helper()
	device, err := b.mem.Download(ops.Vector("everything", ops.Map, int(b.Plan.DeviceBytes()/4)).All())
	require.NoError(b.t, err)
	results, err = b.mem.Download(b.Network.results.All())
	require.NoError(b.t, err)
	return device, results
}

// block returns a block of the program by name.
func (b *bisection) block(name string) *ops.Block {
	b.t.Helper()
	require.Contains(b.t, b.blocks, name)
	return b.blocks[name]
}

// words returns what a view of the device's memory holds in an image of it.
func words(image []uint32, v ops.View) []uint32 {
	lo, hi := v.Bytes()
	return image[lo/4 : hi/4]
}

func floats(w []uint32) []float32 {
	f := make([]float32, len(w))
	for i, x := range w {
		f[i] = math.Float32frombits(x)
	}
	return f
}

// was returns what v held before the op, as planes.
func (b *bisection) was(v ops.View) *ref.Tensor {
	k := v.Block
	return ref.From32(int(v.C()), int(k.N), int(k.H), int(k.W), floats(words(b.before, v)))
}

// param returns a parameter as it was before the op, in a shape of the reference.
func (b *bisection) param(name string, shape ...int) *ref.Tensor {
	for len(shape) < 4 {
		shape = append(shape, 1)
	}
	return ref.From32(shape[0], shape[1], shape[2], shape[3], floats(words(b.before, b.regions.weight(name))))
}

// expect holds what v holds after the op against want. The quad forms err in
// proportion to the largest terms of four neighbours, and by twice as much
// (ops/optest/cases_quad.go).
func (b *bisection) expect(v ops.View, want *ref.Tensor) error {
	return b.near(v.String(), floats(words(b.after, v)), want)
}

func (b *bisection) near(what string, got []float32, want *ref.Tensor) error {
	mag, tolerance := want.Mag, optest.Tolerance{Terms: want.Len}
	if mag == nil {
		mag = make([]float64, len(want.Data))
	}
	if b.quad {
		// Winograd's forms: one element in 8192 of a gather was 33 roundings of its quad's magnitude off, with 16 lanes.
		mag, tolerance = slices.Clone(mag), optest.Tolerance{C: 3 * optest.Slack}
		for q := 0; want.Plane()%4 == 0 && q < len(mag); q += 4 {
			copy(mag[q:q+4], slices.Repeat([]float64{slices.Max(mag[q : q+4])}, 4))
		}
	}
	if _, err := optest.Compare(got, want.Data, mag, tolerance); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// mapOf returns the block of map id.
func (b *bisection) mapOf(id int) *ops.Block { return b.block(b.Graph.Maps[id].Name) }

// statsOf returns the statistics of map id.
func (b *bisection) statsOf(id int) ops.View {
	lo := 0
	for _, m := range b.Graph.Maps[1:id] {
		lo += m.C
	}
	return b.block("stats").View(uint32(lo), uint32(lo+b.Graph.Maps[id].C))
}

// stats returns the statistics of planes [lo, hi) of map id as they were.
func (b *bisection) stats(id, lo, hi int) ref.Stats {
	w := b.was(b.statsOf(id)).Slice(lo, hi)
	s := ref.Stats{Mean: ref.New(hi-lo, 1, 1, 1), Var: ref.New(hi-lo, 1, 1, 1), Istd: ref.New(hi-lo, 1, 1, 1), Count: int(b.mapOf(id).Plane())}
	for c := range hi - lo {
		s.Mean.Data[c], s.Var.Data[c], s.Istd.Data[c] = w.Data[4*c+ops.StatMean], w.Data[4*c+ops.StatVar], w.Data[4*c+ops.StatIstd]
	}
	return s
}

// inputs returns the maps that a node reads, and its links from the statistics of
// the maps and its own gamma and beta; nil without batch norm.
func (b *bisection) inputs(g *Node) (x []*ref.Tensor, l *ref.Links) {
	mean, istd := ref.New(0, 1, 1, 1), ref.New(0, 1, 1, 1)
	for _, id := range g.In {
		x = append(x, b.was(b.mapOf(id).All()))
		if g.BN != "" {
			s := b.stats(id, 0, b.Graph.Maps[id].C)
			mean, istd = ref.Vec(append(mean.Data, s.Mean.Data...)...), ref.Vec(append(istd.Data, s.Istd.Data...)...)
		}
	}
	if g.BN == "" {
		return x, nil
	}
	return x, &ref.Links{Mean: mean, Istd: istd, Gamma: b.param(g.BN+".weight", g.C), Beta: b.param(g.BN+".bias", g.C)}
}

func refGeometry(g *Node) ref.Geometry {
	return ref.Geometry{R: g.R, S: g.S, Stride: g.Stride, Pad: g.Pad, Pool: g.Pool}
}

func (b *bisection) weights(g *Node) *ref.Tensor {
	return b.param(g.Conv+".weight", g.K, g.C, g.R, g.S)
}

// forward checks the ops of a node up to the statistics of its map.
func (b *bisection) forward(g *Node) {
	if g.BN != "" {
		b.next("links", func() error { return b.links(g) })
	}
	y := b.mapOf(g.Out).All()
	b.next("fwd", func() error {
		x, l := b.inputs(g)
		return b.expect(y, ref.Conv(refGeometry(g), x, l, b.weights(g), nil))
	})
	if g.Dropout > 0 {
		b.next("dropout", func() error { return b.expect(y, b.dropout(g).Forward(b.was(y))) })
	}
	b.next("stats_merge", func() error { return b.measured(g.Out) })
}

// links checks the words of a reader's links, to the bit; where the planes lie the
// convolutions show.
func (b *bisection) links(g *Node) error {
	_, l := b.inputs(g)
	got := words(b.after, b.block(g.Name+"/links").All())
	for c := range g.C {
		for i, want := range []*ref.Tensor{l.Mean, l.Istd, l.Gamma, l.Beta} {
			if w := got[c*ops.LinkWords+ops.LinkMean+i]; w != math.Float32bits(float32(want.Data[c])) {
				return fmt.Errorf("word %d of link %d is %#x, want %g", ops.LinkMean+i, c, w, want.Data[c])
			}
		}
	}
	return nil
}

func (b *bisection) dropout(g *Node) ref.Dropout {
	return ref.Dropout{P: float32(g.Dropout), Group: 1, Seed: b.h.Seed, Step: b.h.Step, Layer: uint32(g.Out)}
}

// measured checks the statistics of a map and their share in the running ones.
func (b *bisection) measured(id int) error {
	s := ref.BatchStats(b.was(b.mapOf(id).All()))
	mean, variance := b.Network.stats.(*mapStats).views(id)
	newMean, newVar := ref.RunningUpdate(b.was(mean), b.was(variance), s, float64(float32(BNMomentum)))
	b.quad = false // the tiles have been made
	return errors.Join(b.expect(b.statsOf(id), s.Words()), b.expect(mean, newMean), b.expect(variance, newVar))
}

// head checks the ops of the head: up to the gradient of the features.
func (b *bisection) head(g *Node) {
	b.next("links", func() error { return b.links(g) })
	features, logits := b.block("features").All(), b.logits.All()
	dlogits, dfeatures := b.block("dlogits").All(), b.block("dfeatures").All()
	b.next("act_pool", func() error {
		x, l := b.inputs(g)
		return b.expect(features, ref.ActPool(x, *l))
	})
	w := func() *ref.Tensor { return b.param(g.Conv+".weight", g.K, g.C) }
	b.next("linear", func() error {
		return b.expect(logits, ref.Linear(b.was(features), w(), b.param(g.Conv+".bias", g.K)))
	})
	b.next("softmax", func() error {
		l := ref.SoftmaxCrossEntropy(b.was(logits), b.classes(), b.Batch, 1, float64(b.Smoothing))
		if got := b.results[ops.ResultHits]; int(got) != l.Correct(1) {
			return fmt.Errorf("%d hits, want %d", got, l.Correct(1))
		}
		return errors.Join(b.expect(dlogits, l.DLogits), b.near("loss", floats(b.results[ops.ResultLoss:ops.ResultLoss+1]), l.Mean))
	})
	b.next("linear", func() error {
		dx, dw, db := ref.LinearBackward(b.was(features), w(), b.was(dlogits))
		return errors.Join(b.expect(dfeatures, dx), b.expect(b.regions.grad(g.Conv+".weight"), dw), b.expect(b.regions.grad(g.Conv+".bias"), db))
	})
}

// classes returns the labels of the batch.
func (b *bisection) classes() (labels []int) {
	_, raw, _ := b.Feed()
	for i := range b.Batch {
		labels = append(labels, int(binary.LittleEndian.Uint32(raw[4*i:])))
	}
	return labels
}

// backward checks the ops from the gradient of a node's map to that of its weights.
func (b *bisection) backward(g *Node) {
	x := b.mapOf(g.Out).All()
	gradient, coef := b.block(x.Block.Name+"/gradient").All(), b.block(x.Block.Name+"/coefficients").All()
	b.next("gather", func() error { return b.gathered(g.Out, gradient, coef) })
	b.next("finalise", func() error {
		k := ref.From(g.K, 1, 1, 4, b.was(coef).Data)
		return b.expect(x, ref.Finalise(b.was(x), b.was(gradient), k, nil))
	})
	if g.Dropout > 0 {
		b.next("dropout", func() error { return b.expect(x, b.dropout(g).Forward(b.was(x))) })
	}
	b.next("w", func() error {
		in, l := b.inputs(g)
		b.quad = false // no tolerance is asked for
		return b.expect(b.regions.grad(g.Conv+".weight"), ref.ConvBackwardWeights(refGeometry(g), in, l, b.was(x)))
	})
}

// gathered checks what a map receives from its readers.
func (b *bisection) gathered(id int, gradient, coef ops.View) error {
	c := b.Graph.Maps[id].C
	var readers []ref.Reader
	for _, r := range b.Graph.Readers[id] {
		g := &b.Graph.Nodes[r.Node]
		q := ref.Reader{Geometry: refGeometry(g), C0: r.C0, Gamma: b.param(g.BN+".weight", g.C), Beta: b.param(g.BN+".bias", g.C)}
		if g.Kind == Head {
			q.GlobalPool, q.DY = true, b.was(b.block("dfeatures").All())
		} else {
			q.DY, q.W = b.was(b.mapOf(g.Out).All()), b.weights(g)
		}
		readers = append(readers, q)
	}
	want := ref.Gather(b.was(b.mapOf(id).All()), b.stats(id, 0, c), readers)
	k := *want.Coef
	k.C, k.W = 4*k.C, 1
	err := errors.Join(b.expect(gradient, want.G), b.expect(coef, &k))
	for j, r := range b.Graph.Readers[id] {
		lo, bn := uint32(r.C0), b.Graph.Nodes[r.Node].BN
		err = errors.Join(err, b.expect(b.regions.grad(bn+".weight").Slice(lo, lo+uint32(c)), want.DGamma[j]),
			b.expect(b.regions.grad(bn+".bias").Slice(lo, lo+uint32(c)), want.DBeta[j]))
	}
	return err
}

// update checks the norm of the gradient and the optimizer's step.
func (b *bisection) update() {
	grads := b.regions.grads[0].All()
	require.Len(b.t, b.regions.grads, 1)
	b.next("norm_tile", func() error {
		want, _ := ref.Norm2(b.was(grads))
		return b.near("gradient norm", floats(b.results[ops.ResultNorm2:ops.ResultNorm2+1]), want)
	})
	w, v := b.regions.weights[0].All(), b.regions.slot(SlotMomentum, 0)
	b.next("sgd", func() error {
		o := ref.SGD{Rate: float64(b.h.Rate), Momentum: float64(b.h.Momentum), Decay: float64(b.h.Decay), Factor: 1, Nesterov: true}
		newW, newV := o.Step(b.was(w), b.was(v), b.was(grads))
		return errors.Join(b.expect(w, newW), b.expect(v, newV))
	})
}

// Every op of the arena engine makes of what it finds in memory what the
// reference makes of the same, within the tolerance formula.
func TestBisection(t *testing.T) {
	for _, c := range []Config{
		{Blocks: []int{4, 2}, Growth: []int{3, 5}, Wiring: Powers(2), Dropout: 0.1, Classes: 3, Input: Input{8, 16, 2}},
		{Blocks: []int{2, 2}, Growth: []int{3}, Bottleneck: true, Wiring: Dense(), Classes: 4, Input: Input{9, 7, 1}},
		{Blocks: []int{3, 1}, Growth: []int{4}, Bottleneck: true, Wiring: crossed(), Classes: 4, Input: Input{16, 16, 3}},
	} {
		for _, class := range classes(optest.Device(t)) {
			t.Run(fmt.Sprintf("%s_%s_%s", c.Wiring, c.Input, class), func(t *testing.T) {
				o := Options{Batch: 2, Pad: 2, Flip: true, Smoothing: 0.1, Class: class}
				if c.Bottleneck { // the other ways to make planes of bytes
					o.Edge = true
					for i := range c.Input.C * c.Input.H * c.Input.W {
						o.Pixels = append(o.Pixels, float32(i%7)/8)
					}
				}
				m := open(t, c, o)
				b := bisect(t, m)
				nodes := m.Graph.Nodes
				b.next("batch", b.images)
				for i := range nodes[:len(nodes)-1] {
					b.forward(&nodes[i])
				}
				b.head(&nodes[len(nodes)-1])
				for i := len(nodes) - 2; i >= 0; i-- {
					b.backward(&nodes[i])
				}
				b.update()
				assert.Empty(t, b.parts, "ops that were not checked")
				t.Logf("%d ops", b.ops)
			})
		}
	}
}

// images checks the planes that are made of bytes.
func (b *bisection) images() error {
	in := b.Graph.Config.Input
	raw, _, index := b.Feed()
	q := ref.Batch{C: in.C, H: in.H, W: in.W, Train: true, Pad: b.Pad, Edge: b.Edge, Flip: b.Flip, Seed: b.h.Seed, Epoch: b.h.Epoch, Valid: b.Batch}
	for c := range in.C {
		q.Mean, q.Std = append(q.Mean, float64(b.Mean[c])), append(q.Std, float64(b.Std[c]))
	}
	for _, v := range b.Pixels {
		q.Pixels = append(q.Pixels, float64(v))
	}
	for i := range b.Batch {
		q.Index = append(q.Index, binary.LittleEndian.Uint32(index[4*i:]))
	}
	return b.expect(b.input.All(), q.Forward(raw))
}
