package train

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"sparsevk/sparsenet"
)

// A StageTime sums up what one kernel's dispatches with arithmetic took in one
// stage of the network.
type StageTime struct {
	Stage      string  `json:"stage"` // stage0 is the first
	Kernel     string  `json:"kernel"`
	Variant    string  `json:"variant,omitempty"`
	Dispatches int     `json:"dispatches"`
	Time       float64 `json:"ms"`
	MACs       uint64  `json:"multiply_accumulates"`
	GFLOPs     float64 `json:"gflops"`
	// RateShare is GFLOPs by the multiply-add rate of the roof. It can exceed 1
	// where an algorithm spares multiplications that MACs count.
	RateShare float64 `json:"rate_share"`
}

// ByStage sums up the times of a step's convolutions by stage, in order, and by
// kernel and variant, the slowest first.
func ByStage(times []sparsenet.StepTime, r Roof) []StageTime {
	type key struct{ stage, kernel, variant string }
	index := map[key]int{}
	var all []StageTime
	took := []time.Duration{}
	for i := range times {
		t := &times[i]
		stage, _, ok := strings.Cut(t.Label, "/")
		if !ok || !strings.HasPrefix(stage, "stage") || t.MACs == 0 {
			continue
		}
		k := key{stage: stage, kernel: t.Kernel.Name}
		if t.Part != nil {
			k.variant = string(t.Part.Variant)
		}
		at, ok := index[k]
		if !ok {
			at = len(all)
			index[k] = at
			all, took = append(all, StageTime{Stage: stage, Kernel: k.kernel, Variant: k.variant}), append(took, 0)
		}
		all[at].Dispatches++
		all[at].MACs += t.MACs
		took[at] += t.Time
	}
	for i := range all {
		s := &all[i]
		if s.Time = ms(took[i]); s.Time > 0 { // else too short for the device's clock
			s.GFLOPs = 2 * float64(s.MACs) / s.Time / 1e6
			s.RateShare = s.GFLOPs / r.MultiplyAdd
		}
	}
	slices.SortStableFunc(all, func(a, b StageTime) int {
		return cmp.Or(cmp.Compare(a.Stage, b.Stage), cmp.Compare(b.Time, a.Time))
	})
	return all
}
