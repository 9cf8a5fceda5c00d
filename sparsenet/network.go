package sparsenet

import (
	"fmt"
	"math"
	"slices"

	"sparsevk/ops"
)

// An Engine says how a network is computed. Both hold the same parameters under
// the same names.
type Engine string

// The engines.
const (
	// Layered is the network as frameworks run it: concatenations are copied, and
	// batch norm and ReLU outputs stored for the backward pass.
	Layered Engine = "layered"
	// Arena writes every feature map once, takes its statistics once and reads it
	// in place; the backward pass runs in the forward's memory.
	Arena Engine = "arena"
)

// ParseEngine reads the name of an engine.
func ParseEngine(s string) (Engine, error) {
	switch e := Engine(s); e {
	case Layered, Arena:
		return e, nil
	}
	return "", fmt.Errorf("sparsenet: unknown engine %q: use arena or layered", s)
}

// Epsilon is added to the variance of a batch norm, as PyTorch does by default.
const Epsilon = 1e-5

// Options say how a Config is run.
type Options struct {
	Batch     int    // images in a step
	Engine    Engine // the default is Arena
	Inference bool   // no training: neither gradients nor optimizer state
	// Floats: images are uploaded as normalised floats (Model.SetInput), not made
	// from bytes on the device.
	Floats bool
	// Accumulate: the gradients of several batches make one update, see Hyper.Parts.
	Accumulate bool
	// Features: what the classifier reads is kept for Model.Features. Inference only.
	Features  bool
	Pad       int       // pixels around a training image before its random crop: zeros
	Edge      bool      // those pixels are the nearest of the image instead
	Flip      bool      // mirror training images at random
	Mean, Std []float32 // per channel, of images whose bytes are divided by 255; the default is 0 and 1
	Pixels    []float32 // [C][H][W], added to Mean: a mean for each pixel; nil: none
	Smoothing float32   // label smoothing
	// Class says which kernels to take; it is a part of the plan, which no device
	// changes by itself. For sets what suits a device. The default, ops.Plain, runs on
	// every device.
	Class ops.Class
	// Matrix is what the device multiplies at a time, for kernels of float16 maps that
	// can use it. It is a part of the plan like Class, and For sets it too.
	Matrix ops.Matrix
	Tuning ops.Tuning // variants of kernels for some shapes, whatever the class prefers
	// WideEval: also an evaluation of several batches at once, in bytes that there are
	// anyway, see Network.EvalBatch.
	WideEval bool
	// Limit is how many bytes WideEval may make the plan take in all. For sets what a
	// device has. The default is any number.
	Limit uint64
	Range uint64 // largest bound range in bytes; the default is ops.DefaultRange
	Chunk uint64 // size of a memory object in bytes; the default is ops.DefaultChunk
	// Scratch is how many bytes of a map's gradient the arena engine gathers at a
	// time. The default is the largest map of a layer, and at least 8 MiB.
	Scratch uint64
	// Precision is how feature maps are stored, and the gradients that lie where maps
	// lie; sums, statistics, parameters and momentum are float32. The default is
	// ops.FP32. Training in ops.FP16 needs a loss scale (Hyper).
	Precision ops.Precision
	// Recompute: the arena engine does not keep the outputs of bottlenecks, most of a
	// bottleneck network's memory, for the backward pass, but computes them again. The
	// results are the same to the bit.
	Recompute bool
	Optimizer Optimizer // the default is SGD
	Decays    DecayRule // which parameters weight decay applies to; the default is DecayAll
	Average   bool      // keep a moving average of the parameters, see Model.UseAverage
	Init      InitRule  // how weights of convolutions start; the default is FanOut
	// BNMomentum is the weight of a batch in the running statistics; the default is
	// the constant of that name.
	BNMomentum float64
}

func (o *Options) setDefaults(g *Graph) error {
	setDefault(&o.Engine, Arena)
	setDefault(&o.Range, ops.DefaultRange)
	setDefault(&o.Chunk, ops.DefaultChunk)
	setDefault(&o.Optimizer, SGD)
	setDefault(&o.Decays, DecayAll)
	setDefault(&o.Init, FanOut)
	setDefault(&o.BNMomentum, BNMomentum)
	if !(o.BNMomentum > 0 && o.BNMomentum <= 1) {
		return fmt.Errorf("sparsenet: batch-norm momentum %g: want more than 0 and at most 1", o.BNMomentum)
	}
	if _, err := ParseInitRule(string(o.Init)); err != nil {
		return err
	}
	if _, err := ParseOptimizer(string(o.Optimizer)); err != nil {
		return err
	}
	if _, err := ParseDecayRule(string(o.Decays)); err != nil {
		return err
	}
	if o.Batch < 1 || o.Batch > 1<<20 {
		return fmt.Errorf("sparsenet: batch %d: want 1 to %d images", o.Batch, 1<<20)
	}
	channels := g.Config.Input.C
	if o.Mean == nil {
		o.Mean = make([]float32, channels)
	}
	if o.Std == nil {
		for range channels {
			o.Std = append(o.Std, 1)
		}
	}
	if len(o.Mean) != channels || len(o.Std) != channels {
		return fmt.Errorf("sparsenet: %d means and %d deviations for %d channels", len(o.Mean), len(o.Std), channels)
	}
	in := g.Config.Input
	if n := in.C * in.H * in.W; o.Pixels != nil && (len(o.Pixels) != n || uint64(4*n) > o.Range) {
		return fmt.Errorf("sparsenet: means of %d pixels for images of %v: want %d, and at most %d", len(o.Pixels), in, n, o.Range/4)
	}
	if channels > 4 && !o.Floats {
		return fmt.Errorf("sparsenet: images of %d channels: bytes are fed for at most 4", channels)
	}
	if o.Recompute && g.Config.Form == Sum {
		return fmt.Errorf("sparsenet: recompute is for the concat form; leave it out")
	}
	if o.Features && !o.Inference {
		return fmt.Errorf("sparsenet: features are kept for inference only")
	}
	if o.Recompute && (o.Engine != Arena || !g.Config.Bottleneck) {
		return fmt.Errorf("sparsenet: recompute is for the arena engine and networks with bottlenecks, whose outputs it computes again; leave it out")
	}
	if g.Config.HeadGrid != 1 {
		return fmt.Errorf("sparsenet: a head that pools to %d×%d can be counted, but not run: use head_grid 1", g.Config.HeadGrid, g.Config.HeadGrid)
	}
	return nil
}

// A Network is a graph with an engine and a place in memory for everything: all
// that can be known without a device.
type Network struct {
	Graph *Graph
	Options
	Train, Eval *Program // Train is nil for inference
	// Wide evaluates EvalBatch images at once, as the rule of fitsIn has it; nil where
	// that is no more than Batch.
	Wide      *Program
	EvalBatch int
	Plan      *ops.Plan

	env       *ops.Env
	regions   *regions
	exchange                  // of lane 0, which the programs' steps name
	exchanges [Lanes]exchange // of all lanes
	input     *ops.Block      // the image, map 0
	pixels    *ops.Block      // Options.Pixels; nil without
	logits    *ops.Block
	wide      *ops.Block // logits of Wide; nil without
	features  *ops.Block // nil without Options.Features
	stats     runningStats
	evaluate  func(n *Network, p *Program) // adds to p the engine's evaluation of n.Batch images that were fed
}

// runningStats is how an engine keeps the running statistics of the readers'
// batch norms.
type runningStats interface {
	// blocks returns what holds them from step to step.
	blocks() []*ops.Block
	// load and store exchange them with the readers' entries, by name.
	load(m *Model, values map[string][]float32) error
	store(m *Model) (map[string][]float32, error)
	// prepare makes them ready for an evaluation; trained says that a training
	// step has run.
	prepare(m *Model) error
	trained()
	// imported and setImported exchange what a checkpoint needs beside them.
	imported() Imported
	setImported(i Imported)
}

// NewNetwork lays out the steps of g and plans their memory.
func NewNetwork(g *Graph, o Options) (*Network, error) {
	if err := o.setDefaults(g); err != nil {
		return nil, err
	}
	n, err := layOut(g, o, 1)
	if err != nil || !o.WideEval {
		return n, err
	}
	return n.widest()
}

// layOut is NewNetwork with a given number of batches in a wide evaluation: 1 for
// none.
func layOut(g *Graph, o Options, batches int) (*Network, error) {
	n := &Network{Graph: g, Options: o, EvalBatch: batches * o.Batch}
	if err := n.checkPlanes(); err != nil {
		return nil, err
	}
	n.env = &ops.Env{Range: o.Range, Chunk: o.Chunk, Class: o.Class, Matrix: o.Matrix, Tuning: o.Tuning, Tables: &ops.Tables{}}
	var err error
	if n.regions, err = newRegions(g, &o); err != nil {
		return nil, err
	}
	n.newStaging()
	switch o.Engine {
	case Layered:
		n.buildLayered()
	case Arena:
		if g.Config.Form == Sum {
			n.buildSumArena()
		} else {
			n.buildArena()
		}
	default:
		return nil, fmt.Errorf("sparsenet: unknown engine %q", o.Engine)
	}
	n.evaluation()
	if err := n.place(); err != nil {
		return nil, err
	}
	if err := n.checkTuning(); err != nil {
		return nil, err
	}
	return n, nil
}

// Steps returns the steps of all programs: of training, of evaluation, and of the wide
// one.
func (n *Network) Steps() (all []ops.Step) {
	for _, p := range []*Program{n.Train, n.Eval, n.Wide} {
		if p != nil {
			all = append(all, p.Steps()...)
		}
	}
	return all
}

// place plans the memory of training and evaluations together: no two run
// at the same time, so the blocks of one lie where those of the other lay.
func (n *Network) place() (err error) {
	steps := n.Steps()                                                                 // first: packing weights adds tables
	always := slices.Concat(n.regions.blocks(), n.stats.blocks(), n.env.Tables.Blocks) // of an op whose weights are packed ahead, too
	for k := range n.exchanges {
		always = append(always, n.exchanges[k].blocks()...)
	}
	n.Plan, err = ops.Place(steps, n.Chunk, always...)
	if err != nil {
		return fmt.Errorf("sparsenet: batch %d: %w", n.Batch, err)
	}
	return nil
}

func (n *Network) newStaging() {
	for k := range n.exchanges {
		n.exchanges[k] = n.newExchange()
	}
	n.exchange = n.exchanges[0]
	if n.Pixels != nil && !n.Floats {
		n.pixels = n.env.Tables.Add("input/pixels", len(n.Pixels))
		words := make([]uint32, len(n.Pixels))
		for i, v := range n.Pixels {
			words[i] = math.Float32bits(v)
		}
		n.env.Tables.Set(n.pixels, words)
	}
	n.newInput()
}

func (n *Network) newInput() {
	n.input = n.mapBlock("image", 0)
	n.input.Keep = n.Floats // the host fills it before a step
}

// mapBlock returns a block of the shape of map id.
func (n *Network) mapBlock(name string, id int) *ops.Block {
	m := n.Graph.Maps[id]
	return n.block(name, m.C, m.H, m.W)
}

// block returns a block for a map of c channels of h by w.
func (n *Network) block(name string, c, h, w int) *ops.Block {
	return &ops.Block{Name: name, Purpose: ops.Map, Precision: n.Precision, C: uint32(c), N: uint32(n.Batch), H: uint32(h), W: uint32(w)}
}

// feed adds the step that makes planes of bytes.
func (n *Network) feed(p *Program) {
	if n.Floats {
		return
	}
	b := ops.Batch{
		Env: n.env, Label: "input", Pad: uint32(n.Pad), Edge: n.Edge, Flip: n.Flip, Mean: n.Mean, Std: n.Std,
		Bytes: n.images.View(0, n.imageWords(n.Batch)), Index: n.index.View(0, uint32(n.Batch)), State: n.state.All(), Y: n.input.All(),
	}
	if n.pixels != nil {
		b.Pixels = n.pixels.All()
	}
	p.add(Feed, b.Forward)
}

// classify adds the linear layer and the loss over features, and returns the
// linear op, whose DX a training engine sets before its backward.
func (n *Network) classify(p *Program, features *ops.Block, training bool) *ops.Linear {
	head := n.Graph.Nodes[len(n.Graph.Nodes)-1]
	vector := func(name string, c int) *ops.Block {
		return &ops.Block{Name: name, Purpose: ops.Map, C: uint32(c), N: uint32(n.Batch), H: 1, W: 1}
	}
	if n.logits == nil {
		n.logits = vector("logits", head.K)
		n.logits.Keep = true // the host reads them
	}
	if n.Features {
		features.Keep = true
		n.features = features
	}
	dlogits := vector("dlogits", head.K)
	lin := &ops.Linear{
		Env: n.env, Label: head.Name, X: features.All(), Y: n.logits.All(), DY: dlogits.All(),
		W: n.regions.weight(head.Conv + ".weight"), B: n.regions.weight(head.Conv + ".bias"),
		DW: n.regions.grad(head.Conv + ".weight"), DB: n.regions.grad(head.Conv + ".bias"),
	}
	if training { // in the precision of maps: a map gathers it as it does the gradients of others
		lin.DX = n.block("dfeatures", head.C, 1, 1).All()
	}
	loss := ops.NewSoftmaxLoss(ops.SoftmaxLoss{
		Env: n.env, Label: "loss", Smoothing: n.Smoothing, X: n.logits.All(), DX: dlogits.All(),
		Labels: n.labels.View(0, uint32(n.Batch)), State: n.state.All(), Results: n.results.All(),
	})
	p.add(Forward, lin.Forward, loss.Forward)
	if training {
		p.add(Backward, lin.Backward)
	}
	return lin
}
