package sparsenet

import (
	"errors"
	"fmt"

	"sparsevk/gpu"
	"sparsevk/ops"
	"sparsevk/ops/record"
)

// A Model is a network on a device. It is not safe for concurrent use.
type Model struct {
	*Network
	Device     *gpu.Device
	mem        *record.Memory
	lanes      [Lanes]Lane
	swapper    *record.Recording // exchanges parameters and averages; nil without Average
	averaged   bool              // the averages are in the parameters' place
	wideLast   bool              // the last step was a wide evaluation
	ready      bool              // running statistics are prepared for evaluation
	bnMomentum float64           // weight of a batch in the running statistics
}

// BNMomentum is the weight of a batch in the running statistics, PyTorch's
// default.
const BNMomentum = 0.1

// Open allocates the memory that n plans on dev and makes the recordings.
// Parameters and statistics are those of Params.Init with the given seed until
// they are loaded. A plan that cannot fit is refused before the first
// allocation.
func (n *Network) Open(dev *gpu.Device, seed uint64) (*Model, error) {
	if err := n.fits(dev); err != nil {
		return nil, err
	}
	mem, err := n.allocate(dev)
	if err != nil {
		return nil, err
	}
	m := &Model{Network: n, Device: dev, mem: mem, bnMomentum: n.BNMomentum}
	if err := m.start(seed); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

// start fills what must not hold garbage and records the programs.
func (m *Model) start(seed uint64) error {
	for _, b := range m.regions.blocks() {
		if err := m.mem.Upload(b.All(), make([]uint32, b.C)); err != nil {
			return err
		}
	}
	values := map[string][]float32{}
	for _, p := range m.Graph.Params.All {
		values[p.Name] = make([]float32, p.Elems())
		p.FillBy(m.Init, values[p.Name], seed)
	}
	if err := m.Load(values); err != nil {
		return err
	}
	var train, update []ops.Step
	switch {
	case m.Train == nil:
	case m.Accumulate:
		train, update = m.Train.gradient(), m.Train.Phase(Update)
	default:
		train = m.Train.Steps()
	}
	eval, wide := m.Eval.Steps(), []ops.Step(nil)
	if m.Wide != nil {
		wide = m.Wide.Steps()
	}
	for k := range m.lanes {
		m.lanes[k].m = m
		if err := m.lanes[k].record(k, train, update, eval, wide); err != nil {
			return err
		}
	}
	if m.Average && !m.Inference {
		var err error
		if m.swapper, err = record.New(m.Device, m.mem, m.swap(), record.Options{}); err != nil {
			return err
		}
	}
	// The programs' steps have filled the tables.
	for i, b := range m.env.Tables.Blocks {
		if err := m.mem.Upload(b.All(), m.env.Tables.Words[i]); err != nil {
			return err
		}
	}
	return nil
}

// Close frees everything; it is safe twice.
func (m *Model) Close() error {
	var errs []error
	for k := range m.lanes {
		errs = append(errs, m.lanes[k].close())
	}
	if m.swapper != nil {
		errs = append(errs, m.swapper.Close())
		m.swapper = nil
	}
	return errors.Join(append(errs, m.mem.Close())...)
}

// Load sets every parameter and running statistic, by name, in PyTorch's shapes;
// a moving average starts from these parameters.
// It refuses a missing name and a wrong size, and then changes nothing.
func (m *Model) Load(values map[string][]float32) error {
	for _, p := range m.Graph.Params.All {
		v, ok := values[p.Name]
		if !ok {
			return fmt.Errorf("sparsenet: %s is missing", p.Name)
		}
		if len(v) != p.Elems() {
			return fmt.Errorf("sparsenet: %s has %d values, want %d of shape %v", p.Name, len(v), p.Elems(), p.Shape)
		}
	}
	for _, p := range m.Graph.Params.Trained {
		if err := m.mem.UploadFloats(m.regions.weight(p.Name), values[p.Name]); err != nil {
			return err
		}
	}
	if m.Average && !m.Inference {
		m.averaged = false
		if err := m.LoadSlot(SlotAverage, values); err != nil {
			return err
		}
	}
	m.ready = false
	return m.stats.load(m, values)
}

// Values returns every parameter and running statistic by name.
func (m *Model) Values() (map[string][]float32, error) {
	values, err := m.stats.store(m)
	if err != nil {
		return nil, err
	}
	return values, m.collect(m.regions.weights, values)
}

// Gradients returns the gradient of every parameter after a training step; with
// Options.Accumulate the sum so far of the batches of an update, by their shares.
func (m *Model) Gradients() (map[string][]float32, error) {
	values := map[string][]float32{}
	return values, m.collect(m.regions.totals(), values)
}

func (m *Model) collect(blocks []*ops.Block, values map[string][]float32) error {
	for _, p := range m.Graph.Params.Trained {
		v, err := m.mem.DownloadFloats(m.regions.of(blocks, p.Name))
		if err != nil {
			return err
		}
		values[p.Name] = v
	}
	return nil
}

// Logits returns the logits of the last step, [N][classes].
func (m *Model) Logits() ([]float32, error) {
	if m.wideLast {
		return m.vectors(m.wide)
	}
	return m.vectors(m.logits)
}

// Features returns what the classifier read in the last step, [N][Graph.Features]: the
// averages of the last stage's output. The network must have Options.Features.
func (m *Model) Features() ([]float32, error) {
	if m.features == nil {
		return nil, errors.New("sparsenet: the network was laid out without features")
	}
	return m.vectors(m.features)
}

// vectors returns a block of one value per channel and image as [N][C].
func (m *Model) vectors(b *ops.Block) ([]float32, error) {
	v, err := m.mem.DownloadFloats(b.All())
	if err != nil {
		return nil, err
	}
	k, n := int(b.C), int(b.N)
	out := make([]float32, len(v))
	for i := range k {
		for j := range n {
			out[j*k+i] = v[i*n+j]
		}
	}
	return out, nil
}

// SetInput uploads normalised images, [N][C][H][W], to a network with Floats, for
// all lanes.
func (m *Model) SetInput(images []float32) error {
	c, area := int(m.input.C), int(m.input.H*m.input.W)
	if !m.Floats || len(images) != m.Batch*c*area {
		return fmt.Errorf("sparsenet: %d input values for a batch of %d images of %d, or no float input", len(images), m.Batch, c*area)
	}
	planes := make([]float32, len(images))
	for n := range m.Batch {
		for ch := range c {
			copy(planes[(ch*m.Batch+n)*area:][:area], images[(n*c+ch)*area:][:area])
		}
	}
	return m.mem.UploadFloats(m.input.All(), planes)
}

// Lane returns lane k, from 0 to Lanes-1.
func (m *Model) Lane(k int) *Lane { return &m.lanes[k] }

// Feed is Feed of lane 0, from which TrainStep and EvalStep run.
func (m *Model) Feed() (images, labels, index []byte) { return m.lanes[0].Feed() }

// Hyper is what may change from step to step.
type Hyper struct {
	Rate, Momentum, Decay float32
	Step, Epoch           uint32
	Seed                  uint64
	Valid                 int // images of the batch that count
	// With Options.Accumulate the batch is number Part of the Parts whose mean
	// gradient makes one update, which the last of them does. The default is 1 part.
	Part, Parts int

	Clip           float32 // largest norm of the gradient; 0: any
	Beta2, Epsilon float32 // of Adam, whose first decay rate is Momentum
	Updates        uint64  // of the parameters with this step and without those left out, for Adam's corrections
	Average        float32 // weight of the old value in the parameters' moving average
	// LossScale is a factor on the loss, and so on every gradient while it is stored
	// in maps: the update divides by it. It must be a power of two. The default is 1.
	LossScale float32
}

// scale returns LossScale or its default.
func (h Hyper) scale() float32 {
	if h.LossScale == 0 {
		return 1
	}
	return h.LossScale
}

// Result is what a step reports.
type Result struct {
	Loss         float32 // mean over the images that count
	Hits, Hits5  int     // images whose label is the first, or among the first five
	GradientNorm float32 // of an update, without the loss scale; 0 in evaluation
	NonFinite    bool    // the loss or the gradient is not finite; told by bits
	Skipped      bool    // the gradient is not finite, so the device left parameters and momentum as they were
}

// TrainStep runs one training step on the batch that was fed to lane 0.
func (m *Model) TrainStep(h Hyper) (Result, error) {
	if err := m.lanes[0].SubmitTrain(h); err != nil {
		return Result{}, err
	}
	return m.lanes[0].Wait()
}

// EvalStep runs the network with its running statistics on the batch that was fed
// to lane 0.
func (m *Model) EvalStep(h Hyper) (Result, error) {
	if err := m.lanes[0].SubmitEval(h); err != nil {
		return Result{}, err
	}
	return m.lanes[0].Wait()
}

// prepare puts the running statistics where the evaluation reads them.
func (m *Model) prepare() error {
	if m.ready {
		return nil
	}
	err := m.stats.prepare(m)
	m.ready = err == nil
	return err
}
