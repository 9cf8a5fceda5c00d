package sparsenet

import (
	"errors"
	"fmt"
	"math"

	"sparsevk/gpu"
	"sparsevk/ops"
	"sparsevk/ops/record"
)

// A TooLittleMemoryError says that a network cannot fit a device.
type TooLittleMemoryError struct {
	Batch             int
	Need, Have, Taken uint64 // bytes: planned; of the largest device-local heap; allocated by this process already
	Fits              int    // largest batch that fits; 0 if none does
	// Cause is what the device said while allocating; nil if the plan was refused
	// before. Got is what it had handed out until then.
	Cause error
	Got   uint64
}

// Error names what is needed, what there is, and the batch that fits.
func (e *TooLittleMemoryError) Error() string {
	way := fmt.Sprintf("batch %d fits", e.Fits)
	if e.Fits == 0 {
		way = "no batch fits: use a smaller network or another device"
	}
	s := fmt.Sprintf("sparsenet: batch %d needs %d bytes, the device has %d, of which %d are taken", e.Batch, e.Need, e.Have, e.Taken)
	if e.Cause != nil {
		return fmt.Sprintf("%s, and handed out %d: %s: %v", s, e.Got, way, e.Cause)
	}
	return s + ": " + way
}

// Unwrap returns what the device said.
func (e *TooLittleMemoryError) Unwrap() error { return e.Cause }

// deviceBytes returns the size of the largest heap that device-local memory comes
// from.
func deviceBytes(heaps []gpu.Heap) (n uint64) {
	for _, h := range heaps {
		if h.DeviceLocal {
			n = max(n, h.Bytes)
		}
	}
	return n
}

// fits holds the plan against what the device can do and the memory that it has.
func (n *Network) fits(dev *gpu.Device) error {
	if i := dev.Info(); n.Precision != ops.FP32 && !i.Features.Storage16 {
		return fmt.Errorf("sparsenet: %v maps: %w: %s; use fp32, or another device", n.Precision, gpu.ErrNoStorage16, i.Name)
	}
	have, taken := deviceBytes(dev.Info().Heaps), dev.Allocated()
	free := have - min(have, taken)
	if n.Memory().Total <= free {
		return nil
	}
	return n.tooLittle(free, TooLittleMemoryError{Have: have, Taken: taken})
}

// allocate allocates what n plans. If the device runs out of memory, everything
// is freed and the error says what fits in what it had handed out.
func (n *Network) allocate(dev *gpu.Device) (*record.Memory, error) {
	mem, err := record.NewMemory(dev, n.Plan)
	var short *record.ShortError
	if errors.As(err, &short) {
		return nil, n.tooLittle(short.Got, TooLittleMemoryError{
			Have: deviceBytes(dev.Info().Heaps), Taken: dev.Allocated(), Got: short.Got, Cause: err,
		})
	}
	return mem, err
}

// tooLittle completes e for what fits in limit bytes.
func (n *Network) tooLittle(limit uint64, e TooLittleMemoryError) error {
	fit, err := LargestBatch(n.Graph, n.Options, limit)
	if err != nil {
		return errors.Join(err, e.Cause)
	}
	e.Batch, e.Need, e.Fits = n.Batch, n.Memory().Total, fit
	return &e
}

// LargestBatch returns the largest batch whose Memory has at most limit bytes in
// all, or 0 if not even one image fits. More images take more bytes, but for a few
// kilobytes of partial sums, and what a wide evaluation is fed where it is of fewer
// batches; the batch that is returned fits, and one more image does not. Tuning, which
// is for one batch, is left out.
func LargestBatch(g *Graph, o Options, limit uint64) (int, error) {
	o.Tuning = nil
	s := batchSearch{limit: limit, plan: func(batch int) (uint64, error) {
		o.Batch = batch
		n, err := NewNetwork(g, o)
		if err != nil {
			return 0, err
		}
		return n.Memory().Total, nil
	}}
	return s.run()
}

// maxBatch is the largest batch that is considered.
const maxBatch = 1 << 20

// A batchSearch looks for the largest batch within limit. A plan takes a while,
// and bytes grow nearly as a line: so the search goes to where the line through
// the last two plans meets the limit, and halves the range where that fails.
type batchSearch struct {
	limit uint64
	plan  func(batch int) (uint64, error) // bytes; a *ops.TooLargeError where there is no plan
	lo    int                             // fits, or 0
	hi    int                             // does not fit
	last  []batchBytes                    // the last two plans
	tries int
}

type batchBytes struct {
	batch int
	bytes uint64
}

func (s *batchSearch) run() (int, error) {
	s.lo, s.hi = 0, maxBatch+1
	for s.lo+1 < s.hi {
		if err := s.try(max(s.lo+1, min(s.hi-1, s.next()))); err != nil {
			return 0, err
		}
	}
	return s.lo, nil
}

func (s *batchSearch) try(batch int) error {
	s.tries++
	n, err := s.plan(batch)
	if errors.As(err, new(*ops.TooLargeError)) {
		s.hi, s.last = batch, nil
		return nil
	}
	if err != nil {
		return err
	}
	s.last = append(s.last[max(0, len(s.last)-1):], batchBytes{batch, n})
	if n <= s.limit {
		s.lo = batch
	} else {
		s.hi = batch
	}
	return nil
}

// next proposes a batch.
func (s *batchSearch) next() int {
	switch s.tries {
	case 0:
		return 1
	case 1:
		return 16
	}
	if len(s.last) < 2 || s.tries > 12 {
		return (s.lo + s.hi) / 2
	}
	p, q := s.last[0], s.last[1]
	perImage := (float64(q.bytes) - float64(p.bytes)) / float64(q.batch-p.batch)
	if !(perImage > 0) {
		return (s.lo + s.hi) / 2
	}
	return q.batch + int(math.Floor(min((float64(s.limit)-float64(q.bytes))/perImage, maxBatch)))
}
