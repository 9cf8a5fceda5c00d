package train

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"sparsevk/sparsenet"
)

// A PipelineCost says what it took to have one pipeline of a step compiled.
type PipelineCost struct {
	Kernel     string   `json:"kernel"`
	Spec       []uint32 `json:"specialisation"`
	Dispatches int      `json:"dispatches"` // of a step
	Build      float64  `json:"build_ms"`   // when the pipeline was made
	First      float64  `json:"first_ms"`   // what its first dispatch took longer than later
}

// Total returns the cost in ms, whenever the driver compiles.
func (c PipelineCost) Total() float64 { return c.Build + c.First }

// CompileCosts runs m, which must have run nothing yet, on the batch that was fed,
// and returns what each pipeline of a step cost, the dearest first. A driver that
// finds its code in a cache shows less.
func CompileCosts(m *sparsenet.Model) ([]PipelineCost, error) {
	times, err := Profile(m, 1)
	if err != nil {
		return nil, err
	}
	key := func(kernel string, spec []uint32) string { return fmt.Sprint(kernel, spec) }
	built := map[string]time.Duration{}
	for _, p := range m.Device.Pipelines() {
		built[key(p.Name, p.Spec)] = p.Build
	}
	var costs []PipelineCost
	index := map[string]int{}
	for i := range times {
		t := &times[i]
		k := key(t.Kernel.Name, t.Spec)
		if at, ok := index[k]; ok {
			costs[at].Dispatches++
			continue
		}
		index[k] = len(costs)
		costs = append(costs, PipelineCost{t.Kernel.Name, t.Spec, 1, ms(built[k]), ms(max(0, t.First-t.Time))})
	}
	slices.SortStableFunc(costs, func(a, b PipelineCost) int { return cmp.Compare(b.Total(), a.Total()) })
	return costs, nil
}
