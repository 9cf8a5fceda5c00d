package train

import (
	"fmt"
	"math"
	"slices"
	"sort"

	"sparsevk/gpu"
	"sparsevk/sparsenet"
	"sparsevk/train/safetensors"
)

// A GroupDeviation says how far one group of a replay strays from its trace.
type GroupDeviation struct {
	Group       string  `json:"group"`
	Median      Number  `json:"median"`       // over the group's tensors
	Largest     Number  `json:"largest"`      // of one tensor; a deviation of NaN counts as infinite
	Tensor      string  `json:"tensor"`       // the one that strays most
	MedianBound float64 `json:"median_bound"` // from the trace
	Bound       float64 `json:"bound"`        // for the largest
	Tensors     int     `json:"tensors"`
}

// Passed reports whether neither bound is exceeded.
func (d GroupDeviation) Passed() bool {
	return d.Tensors > 0 && float64(d.Median) <= d.MedianBound && float64(d.Largest) <= d.Bound
}

// A Replay is what Verify found.
type Replay struct {
	Parameters int              `json:"parameters"`
	Dispatches int              `json:"dispatches"` // of one training step
	Groups     []GroupDeviation `json:"groups"`
}

// Passed reports whether every group passed.
func (r *Replay) Passed() bool {
	for _, g := range r.Groups {
		if !g.Passed() {
			return false
		}
	}
	return len(r.Groups) == len(Groups)
}

// Verify replays a trace on dev with the given engine and kernel forms.
func Verify(dev *gpu.Device, t *Trace, o sparsenet.Options) (*Replay, error) {
	g, err := sparsenet.Build(t.Config)
	if err != nil {
		return nil, err
	}
	if err := t.complete(g.Params); err != nil {
		return nil, err
	}
	o.Batch, o.Floats = t.Batch, true
	n, err := sparsenet.NewNetwork(g, o)
	if err != nil {
		return nil, err
	}
	m, err := n.Open(dev, 0)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	r := &replayer{Trace: t, model: m, got: map[string]tensors{}}
	if err := r.run(); err != nil {
		return nil, err
	}
	out := &Replay{Parameters: g.Params.Count(), Dispatches: len(n.Train.Steps())}
	for _, name := range Groups {
		d, err := r.deviation(name)
		if err != nil {
			return nil, err
		}
		out.Groups = append(out.Groups, d)
	}
	return out, nil
}

// complete holds what the trace has against what a replay of a network with
// parameters p will ask for.
func (t *Trace) complete(p *sparsenet.Params) error {
	if p.Count() != t.Parameters {
		return fmt.Errorf("train: the network has %d parameters, the trace says %d", p.Count(), t.Parameters)
	}
	names := []string{"logits0", "loss", "eval"}
	for _, q := range p.All {
		names = append(names, "init."+q.Name, "final."+q.Name)
		if q.Kind.Trained() {
			names = append(names, "grad0."+q.Name)
		}
	}
	for _, name := range names {
		if _, ok := t.file.Info(name); !ok {
			return fmt.Errorf("train: trace: tensor %s is missing", name)
		}
	}
	return nil
}

// tensors are values by name.
type tensors map[string][]float64

type replayer struct {
	*Trace
	model  *sparsenet.Model
	init   tensors // as the model was loaded
	got    map[string]tensors
	images []float32
	labels []int64
}

// run loads the initial state, trains the recorded steps and evaluates the
// first batch.
func (r *replayer) run() error {
	if err := r.load(); err != nil {
		return err
	}
	loss := make([]float64, r.Steps)
	for s := range r.Steps {
		if err := r.feed(s); err != nil {
			return err
		}
		res, err := r.model.TrainStep(r.hyper(s))
		if err != nil {
			return err
		}
		loss[s] = float64(res.Loss)
		if s > 0 {
			continue
		}
		if err := r.keepFirst(); err != nil {
			return err
		}
	}
	r.got["loss"] = tensors{"loss": loss}
	values, err := r.model.Values()
	if err != nil {
		return err
	}
	r.got["final"] = widen(values)
	return r.evaluate()
}

func (r *replayer) hyper(step int) sparsenet.Hyper {
	return sparsenet.Hyper{
		Rate: float32(r.LearningRate), Momentum: float32(r.Momentum), Decay: float32(r.Decay), Step: uint32(step), Valid: r.Batch,
	}
}

func (r *replayer) load() (err error) {
	values := map[string][]float32{}
	r.init = tensors{}
	for _, p := range r.model.Graph.Params.All {
		if values[p.Name], err = r.file.Float32("init." + p.Name); err != nil {
			return err
		}
		r.init[p.Name] = widen1(values[p.Name])
	}
	if r.images, err = r.file.Float32("input"); err != nil {
		return err
	}
	if r.labels, err = r.file.Int64("label"); err != nil {
		return err
	}
	return r.model.Load(values)
}

// feed puts the batch of a step on the device.
func (r *replayer) feed(step int) error {
	_, labels, _ := r.model.Feed()
	per := len(r.images) / r.Steps
	for i := range r.Batch {
		l := r.labels[step*r.Batch+i]
		if l < 0 || l >= int64(r.Config.Classes) {
			return fmt.Errorf("train: trace: label %d of image %d is no class of %d", l, step*r.Batch+i, r.Config.Classes)
		}
		for j := range 4 {
			labels[4*i+j] = byte(l >> (8 * j))
		}
	}
	return r.model.SetInput(r.images[step*per : (step+1)*per])
}

// keepFirst reads what the trace holds of step 0.
func (r *replayer) keepFirst() error {
	logits, err := r.model.Logits()
	if err != nil {
		return err
	}
	grads, err := r.model.Gradients()
	if err != nil {
		return err
	}
	r.got["logits0"], r.got["grad0"] = tensors{"logits0": widen1(logits)}, widen(grads)
	return nil
}

func (r *replayer) evaluate() error {
	if err := r.feed(0); err != nil {
		return err
	}
	if _, err := r.model.EvalStep(r.hyper(r.Steps)); err != nil {
		return err
	}
	logits, err := r.model.Logits()
	r.got["eval"] = tensors{"eval": widen1(logits)}
	return err
}

// deviation compares a group: of each tensor the norm of the difference over the
// larger of its own norm and 1e-3 of the largest norm of its group. Of the final
// state the change since the start is compared, so that a wrong optimizer shows.
func (r *replayer) deviation(group string) (GroupDeviation, error) {
	d := GroupDeviation{Group: group, MedianBound: r.Bounds[group][0], Bound: r.Bounds[group][1]}
	var names []string
	for name := range r.got[group] {
		names = append(names, name)
	}
	sort.Strings(names)
	diffs, norms, largest := make([]float64, len(names)), make([]float64, len(names)), 0.0
	for i, name := range names {
		want, err := r.want(group, name)
		if err != nil {
			return d, err
		}
		got := r.got[group][name]
		if len(got) != len(want) {
			return d, fmt.Errorf("train: trace: tensor %s of group %s has %d values, want %d", name, group, len(want), len(got))
		}
		var base []float64
		if group == "final" {
			base = r.init[name]
		}
		diffs[i], norms[i] = distance(got, want), distance(want, base)
		largest = max(largest, norms[i])
	}
	for i := range diffs {
		if diffs[i] /= max(norms[i], 1e-3*largest); math.IsNaN(diffs[i]) {
			diffs[i] = math.Inf(1)
		}
		if i == 0 || diffs[i] > float64(d.Largest) {
			d.Largest, d.Tensor = Number(diffs[i]), names[i]
		}
	}
	d.Tensors, d.Median = len(diffs), Number(median(diffs))
	return d, nil
}

// want reads the recorded tensor.
func (r *replayer) want(group, name string) ([]float64, error) {
	key := name
	if group == "grad0" || group == "final" {
		key = group + "." + name
	}
	if i, _ := r.file.Info(key); i.DType == safetensors.F32 {
		v, err := r.file.Float32(key)
		return widen1(v), err
	}
	return r.file.Float64(key)
}

// distance is the norm of a-b; b nil stands for 0.
func distance(a, b []float64) float64 {
	var s float64
	for i, x := range a {
		if b != nil {
			x -= b[i]
		}
		s += x * x
	}
	return math.Sqrt(s)
}

// median returns the middle value, the upper one of two.
func median(v []float64) float64 {
	s := slices.Clone(v)
	slices.Sort(s)
	if len(s) == 0 {
		return math.NaN()
	}
	return s[len(s)/2]
}

func widen1(v []float32) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = float64(x)
	}
	return out
}

func widen(m map[string][]float32) tensors {
	out := tensors{}
	for k, v := range m {
		out[k] = widen1(v)
	}
	return out
}
