package train

import (
	"fmt"
	"math"

	"sparsevk/ops"
	"sparsevk/sparsenet"
)

// The scale of the loss, for maps of float16. Gradients that lie in maps would be
// too small for it, so the loss is multiplied by a power of two and the update
// divided by it. Where that makes the gradient infinite the device leaves the
// update out, and the scale is halved; after lossWindow updates in a row it is
// doubled. bfloat16 has float32's range and needs none.
const (
	lossScale    = 1 << 16 // the first
	lossScaleMax = 1 << 24
	lossWindow   = 2000 // updates before the scale is doubled
	lossSkips    = 50   // updates left out in a row that end a run: halving has come to 1 long before
)

// A LossScale is where the scaling of the loss stands. Two steps are in flight, so
// that a step has the scale that the one before the last left, whether the last
// has landed or not: then a resumed run has the scales of an undisturbed one.
type LossScale struct {
	Now     float64 `json:"now"`     // after the last step that landed; 0: the loss is not scaled
	Before  float64 `json:"before"`  // after the one before it
	Good    uint64  `json:"good"`    // updates since Now changed
	Skipped uint64  `json:"skipped"` // updates that were left out, in all
	Row     uint64  `json:"row"`     // and in a row
}

// newLossScale returns the start for maps of precision p.
func newLossScale(p ops.Precision) LossScale {
	if p != ops.FP16 {
		return LossScale{}
	}
	return LossScale{Now: lossScale, Before: lossScale}
}

// of returns the scale for a step of which the given number of steps before it
// have not landed yet, 0 or 1.
func (s *LossScale) of(inFlight uint64) float32 {
	switch {
	case s.Now == 0:
		return 1
	case inFlight == 0:
		return float32(s.Before)
	}
	return float32(s.Now)
}

// landed takes in the result of a step that was made with a scale. It returns an
// error if the step cannot be passed over.
func (s *LossScale) landed(r sparsenet.Result, scale float32) error {
	loss := float64(r.Loss)
	if r.NonFinite && (!r.Skipped || s.Now == 0 || math.IsNaN(loss) || math.IsInf(loss, 0)) {
		return ErrNonFinite
	}
	s.Before = s.Now
	if s.Now == 0 {
		return nil
	}
	if r.Skipped {
		s.Now = max(1, min(s.Now, float64(scale)/2)) // a step that was in flight already must not halve it again
		s.Good = 0
		s.Skipped++
		if s.Row++; s.Row >= lossSkips {
			return fmt.Errorf("%d updates in a row were left out, the last with a loss scale of %g: %w", s.Row, scale, ErrNonFinite)
		}
		return nil
	}
	s.Row = 0
	if s.Good++; s.Good >= lossWindow {
		s.Now, s.Good = min(2*s.Now, lossScaleMax), 0
	}
	return nil
}
