package sparsenet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"sparsevk/ops"
	"sparsevk/ops/record"
)

// Lanes is how many steps can be in flight: while the device runs one, the host
// feeds the next and reads what the one before came to.
const Lanes = 2

// exchange is the host-visible memory of one lane: what a step is fed, and what
// it reports.
type exchange struct {
	state, images, labels, index, results *ops.Block
}

// blocks returns those that there are; a network with Floats has no images.
func (e *exchange) blocks() (all []*ops.Block) {
	for _, b := range []*ops.Block{e.state, e.images, e.labels, e.index, e.results} {
		if b != nil {
			all = append(all, b)
		}
	}
	return all
}

// imageWords returns the words that the bytes of some images take.
func (n *Network) imageWords(images int) uint32 {
	return uint32((images*int(n.Graph.Maps[0].Floats()) + 3) / 4)
}

// newExchange lays out the memory of a lane, for the largest batch that it is fed:
// smaller ones take the first places.
func (n *Network) newExchange() exchange {
	e := exchange{state: ops.NewState(), results: ops.NewResults(), labels: keep(ops.Vector("labels", ops.Staging, n.EvalBatch))}
	if !n.Floats {
		e.images = keep(ops.Vector("images", ops.Staging, int(n.imageWords(n.EvalBatch))))
		e.index = keep(ops.Vector("index", ops.Staging, n.EvalBatch))
	}
	return e
}

// onLane returns steps, which are those of lane 0, for another lane: the same but
// for the blocks of the exchange. Every block is aligned, so that what a step
// says of places within a binding holds for both.
func (n *Network) onLane(steps []ops.Step, lane int) []ops.Step {
	instead := map[*ops.Block]*ops.Block{}
	to := n.exchanges[lane].blocks()
	for i, b := range n.exchanges[0].blocks() {
		instead[b] = to[i]
	}
	out := make([]ops.Step, len(steps))
	for i, s := range steps {
		args := make([]ops.Planes, len(s.Args))
		for k, a := range s.Args {
			args[k] = a
			if b := instead[a[0].Block]; b != nil { // of one block, since no concatenation is host-visible
				args[k] = ops.Planes{b.View(a[0].Lo, a[0].Hi)}
			}
		}
		s.Args = args
		out[i] = s
	}
	return out
}

// A Lane is a place from which a step runs: feed it, submit, and wait. While one
// lane is in flight the other may be fed and submitted; the device runs what is
// submitted in order. What a lane was fed stays until it is fed again.
type Lane struct {
	m                     *Model
	train, eval           *record.Recording // train is nil for inference
	wide                  *record.Recording // evaluation of EvalBatch images; nil where that is Batch
	update                *record.Recording // with Options.Accumulate the optimizer's part of train; else nil
	state, results        []byte
	images, labels, index []byte
	flight                *record.Recording // submitted and not waited for
	after                 *record.Recording // submitted behind it: the update, or nil
	updates               bool              // what is in flight changes the parameters
	scale                 float64           // its loss scale
}

// record makes the recordings of lane k from the steps of the programs.
func (s *Lane) record(k int, train, update, eval, wide []ops.Step) error {
	m := s.m
	e := &m.exchanges[k]
	s.state, s.results, s.labels = m.mem.Mapped(e.state.All()), m.mem.Mapped(e.results.All()), m.mem.Mapped(e.labels.All())
	if !m.Floats {
		s.images = m.mem.Mapped(e.images.All())[:m.EvalBatch*int(m.Graph.Maps[0].Floats())]
		s.index = m.mem.Mapped(e.index.All())
	}
	for _, p := range []struct {
		to    **record.Recording
		steps []ops.Step
	}{{&s.train, train}, {&s.update, update}, {&s.eval, eval}, {&s.wide, wide}} {
		if p.steps == nil {
			continue
		}
		var err error
		if *p.to, err = record.New(m.Device, m.mem, m.onLane(p.steps, k), record.Options{}); err != nil {
			return err
		}
	}
	return nil
}

func (s *Lane) close() error {
	var errs []error
	for _, r := range []**record.Recording{&s.train, &s.update, &s.eval, &s.wide} {
		if *r != nil {
			errs = append(errs, (*r).Close())
			*r = nil
		}
	}
	return errors.Join(errs...)
}

// Feed returns where the host puts the next batch before it is submitted: image
// bytes [N][C][H][W], labels and image numbers, 4 bytes each, little-endian. There is
// room for EvalBatch images, of which a step of Batch reads the first. A network with
// Floats has labels only. While the lane is in flight they must not
// be written to.
func (s *Lane) Feed() (images, labels, index []byte) { return s.images, s.labels, s.index }

// SubmitTrain starts a training step on the batch that was fed, with the update of
// the parameters if it is the last part of one.
func (s *Lane) SubmitTrain(h Hyper) error {
	if s.train == nil {
		return errors.New("sparsenet: a network for inference does not train")
	}
	if s.m.averaged {
		return errors.New("sparsenet: the averages are in the parameters' place: call UseAverage(false) before training")
	}
	last := h.Part+1 >= h.Parts
	if h.Part < 0 || h.Part > 0 && h.Part >= h.Parts || h.Parts > 1 && s.update == nil {
		return fmt.Errorf("sparsenet: part %d of %d of an update, in a network whose Options.Accumulate is %t", h.Part, h.Parts, s.m.Accumulate)
	}
	s.m.ready = false
	if err := s.submit(s.train, h, true); err != nil {
		return err
	}
	s.m.stats.trained()
	s.updates = last
	if s.update == nil || !last {
		return nil
	}
	if err := s.update.Submit(); err != nil {
		return err
	}
	s.after = s.update
	return nil
}

// SubmitEval starts an evaluation, with the running statistics, of the batch that
// was fed.
func (s *Lane) SubmitEval(h Hyper) error {
	if err := s.m.prepare(); err != nil {
		return err
	}
	return s.submit(s.eval, h, false)
}

// SubmitWide is SubmitEval of EvalBatch images, where they are more than Batch.
func (s *Lane) SubmitWide(h Hyper) error {
	if s.wide == nil {
		return errors.New("sparsenet: a network without a wide evaluation: see Options.WideEval")
	}
	if err := s.m.prepare(); err != nil {
		return err
	}
	return s.submit(s.wide, h, false)
}

func (s *Lane) submit(r *record.Recording, h Hyper, training bool) error {
	if s.flight != nil {
		return errors.New("sparsenet: a lane is submitted twice without Wait")
	}
	s.setState(h, training)
	if err := r.Submit(); err != nil {
		return err
	}
	s.flight, s.updates, s.scale = r, training, float64(h.scale())
	s.m.wideLast = r == s.wide
	return nil
}

// Wait waits for the step that was submitted and returns what it reports.
func (s *Lane) Wait() (Result, error) {
	if s.flight == nil {
		return Result{}, fmt.Errorf("sparsenet: a lane is waited for and not submitted")
	}
	for _, r := range []*record.Recording{s.flight, s.after} {
		if r == nil {
			continue
		}
		if err := r.Wait(); err != nil {
			s.flight, s.after = nil, nil
			return Result{}, err
		}
	}
	s.flight, s.after = nil, nil
	return s.result(), nil
}

// run is submit and Wait.
func (s *Lane) run(r *record.Recording, h Hyper, training bool) (Result, error) {
	if err := s.submit(r, h, training); err != nil {
		return Result{}, err
	}
	return s.Wait()
}

func (s *Lane) setState(h Hyper, training bool) {
	put := func(i int, v uint32) { binary.LittleEndian.PutUint32(s.state[4*i:], v) }
	f := math.Float32bits
	put(ops.StateRate, f(h.Rate))
	put(ops.StateMomentum, f(h.Momentum))
	put(ops.StateDecay, f(h.Decay))
	put(ops.StateLossScale, f(h.scale()))
	put(ops.StateStep, h.Step)
	put(ops.StateSeedLo, uint32(h.Seed))
	put(ops.StateSeedHi, uint32(h.Seed>>32))
	put(ops.StateEpoch, h.Epoch)
	put(ops.StateValid, uint32(h.Valid))
	put(ops.StateTrain, 0)
	if training {
		put(ops.StateTrain, 1)
	}
	put(ops.StateBNMomentum, f(float32(s.m.bnMomentum)))
	put(ops.StateShare, f(1/float32(max(1, h.Parts))))
	put(ops.StateBegin, 0)
	if h.Part == 0 {
		put(ops.StateBegin, 1)
	}
	put(ops.StateClip, f(h.Clip))
	put(ops.StateBeta2, f(h.Beta2))
	put(ops.StateEpsilon, f(h.Epsilon))
	put(ops.StateAverage, f(h.Average))
	correct1, correct2 := ops.AdamCorrections(h.Momentum, h.Beta2, h.Updates)
	put(ops.StateCorrect1, f(correct1))
	put(ops.StateCorrect2, f(correct2))
}

func (s *Lane) result() Result {
	word := func(i int) uint32 { return binary.LittleEndian.Uint32(s.results[4*i:]) }
	r := Result{
		Loss: math.Float32frombits(word(ops.ResultLoss)), Hits: int(word(ops.ResultHits)), Hits5: int(word(ops.ResultHits5)),
		NonFinite: word(ops.ResultNonFinite) != 0,
	}
	if s.updates {
		r.GradientNorm = float32(math.Sqrt(float64(math.Float32frombits(word(ops.ResultNorm2)))) / s.scale)
		r.Skipped = word(ops.ResultNormBad) != 0
		r.NonFinite = r.NonFinite || r.Skipped
	}
	return r
}
