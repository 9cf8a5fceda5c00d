package train

import (
	"fmt"
	"math"
)

// A Plateau lowers the learning rate where the loss no longer falls, as PyTorch's
// ReduceLROnPlateau does: after Patience epochs in a row whose loss is not below
// the lowest so far by a share of plateauMargin, the rate is multiplied by Factor.
// The loss is that of the held-out images, or of training where there are none.
type Plateau struct {
	Factor   float64
	Patience int
	Least    float64 // the rate does not fall below it
}

// plateauMargin is PyTorch's default threshold.
const plateauMargin = 1e-4

// PlateauState is where a Plateau stands; it is part of a checkpoint.
type PlateauState struct {
	Lowest float64 `json:"lowest"` // loss so far
	Flat   int     `json:"flat"`   // epochs since then
	Drops  int     `json:"drops"`  // of the rate
	Seen   bool    `json:"seen"`   // Lowest holds
}

func (p *Plateau) String() string {
	return fmt.Sprintf("plateau(x%s after %d to %s)", number(p.Factor), p.Patience, number(p.Least))
}

// rate is what a Plateau makes of a schedule's rate.
func (p *Plateau) rate(rate float64, s PlateauState) float64 {
	if p == nil || s.Drops == 0 {
		return rate
	}
	return max(rate*math.Pow(p.Factor, float64(s.Drops)), min(p.Least, rate))
}

// observe takes the loss of an epoch. A loss that is no number is no improvement.
func (p *Plateau) observe(s *PlateauState, loss float64) {
	if p == nil {
		return
	}
	if loss < s.Lowest*(1-plateauMargin) || !s.Seen && !math.IsNaN(loss) {
		s.Lowest, s.Flat, s.Seen = loss, 0, true
		return
	}
	if s.Flat++; s.Flat > p.Patience {
		s.Flat = 0
		s.Drops++
	}
}
