package train

import (
	"fmt"
	"math"
)

// A Plateau lowers the learning rate where the loss no longer falls, as PyTorch's
// ReduceLROnPlateau does: after Patience epochs in a row whose loss is not below
// the lowest so far by a share of plateauMargin, the rate is multiplied by Factor.
// On accuracy, it is epochs whose accuracy is not above the highest so far by
// plateauMargin itself, as in Keras. Loss and accuracy are those of the held-out
// images, or of training where there are none.
type Plateau struct {
	Factor   float64
	Patience int
	Least    float64 // the rate does not fall below it
	On       string  // PlateauOnLoss or PlateauOnAccuracy; "" is the former
}

// What a Plateau looks at.
const (
	PlateauOnLoss     = "loss"
	PlateauOnAccuracy = "accuracy"
)

// plateauMargin is the default threshold of PyTorch, and of Keras.
const plateauMargin = 1e-4

// PlateauState is where a Plateau stands; it is part of a checkpoint.
type PlateauState struct {
	Lowest float64 `json:"lowest"` // loss so far, or negated accuracy
	Flat   int     `json:"flat"`   // epochs since then
	Drops  int     `json:"drops"`  // of the rate
	Seen   bool    `json:"seen"`   // Lowest holds
}

// String writes the plateau as the state of a run keeps it.
func (p *Plateau) String() string {
	text := fmt.Sprintf("plateau(x%s after %d to %s)", number(p.Factor), p.Patience, number(p.Least))
	if p.On == PlateauOnAccuracy {
		text += " of accuracy"
	}
	return text
}

// rate is what a Plateau makes of a schedule's rate.
func (p *Plateau) rate(rate float64, s PlateauState) float64 {
	if p == nil || s.Drops == 0 {
		return rate
	}
	return max(rate*math.Pow(p.Factor, float64(s.Drops)), min(p.Least, rate))
}

// observe takes the loss and the accuracy of an epoch. What is no number is no
// improvement.
func (p *Plateau) observe(s *PlateauState, loss, accuracy float64) {
	if p == nil {
		return
	}
	now, bound := loss, s.Lowest*(1-plateauMargin)
	if p.On == PlateauOnAccuracy {
		now, bound = -accuracy, s.Lowest-plateauMargin
	}
	if now < bound || !s.Seen && !math.IsNaN(now) {
		s.Lowest, s.Flat, s.Seen = now, 0, true
		return
	}
	if s.Flat++; s.Flat > p.Patience {
		s.Flat = 0
		s.Drops++
	}
}
