package train

import (
	"errors"
	"fmt"
	"time"

	"sparsevk/gpu"
	"sparsevk/ops"
	"sparsevk/ops/record"
)

// Roof is what a device reaches at best, measured: what no kernel can do better
// without caches or a cleverer algorithm.
type Roof struct {
	Copy        float64 `json:"copy_gb_per_second"`  // bytes read and bytes written, of blocks too large for caches
	MultiplyAdd float64 `json:"multiply_add_gflops"` // two operations each, out of registers
}

const (
	roofBytes    = 96 << 20             // of a copy: more than caches hold, less than the 128 MiB that any device binds
	roofElements = 1 << 20              // of the multiply-adds: enough for the largest device
	roofTime     = 2 * time.Millisecond // of one run of multiply-adds: long for a clock, short enough to fall between other work
	// The fastest run counts, since a roof is what the device can do; a machine that
	// does other things as well needs many runs to show it.
	roofBudget = time.Second // for the runs of one measurement, of which there are at least two
)

// MeasureRoof measures dev, which takes about two seconds. It needs up to 192 MiB
// of device memory and gives it back. A device without timestamps is an error.
func MeasureRoof(dev *gpu.Device) (Roof, error) {
	env := ops.NewEnv()
	y := ops.Vector("roof", ops.Scratch, roofElements)
	fma := ops.RoofFma{Env: env, Label: "roof", Rounds: 1, Y: y.All()}
	took, err := fastest(dev, nil, fma.Steps, 0)
	if err != nil {
		return Roof{}, err
	}
	fma.Rounds = uint32(max(1, min(1<<16, roofTime/max(took, 1))))
	if took, err = fastest(dev, nil, fma.Steps, roofBudget); err != nil {
		return Roof{}, err
	}
	r := Roof{MultiplyAdd: 2 * float64(fma.Steps()[0].MACs) / float64(took)}

	n := copyElements(dev)
	from, to := ops.Vector("from", ops.Scratch, n), ops.Vector("to", ops.Scratch, n)
	// Memory that nobody wrote may be one page of zeros, over and over.
	fill := ops.Fill{Env: env, Label: "roof", Value: 1, Y: from.All()}
	wide := ops.RoofCopy{Env: env, Label: "roof", X: from.All(), Y: to.All()}
	if took, err = fastest(dev, fill.Steps, wide.Steps, roofBudget); err != nil {
		return Roof{}, err
	}
	r.Copy = 8 * float64(n) / float64(took)
	return r, nil
}

// copyElements returns the size of a copy in elements: a part of the memory that
// is free.
func copyElements(dev *gpu.Device) int {
	var largest uint64
	for _, h := range dev.Info().Heaps {
		largest = max(largest, h.Bytes)
	}
	free := largest - min(largest, dev.Allocated())
	return int(max(ops.Align, min(roofBytes, free/8)) / ops.Align * ops.Align / 4)
}

// fastest returns the least time of the one dispatch of steps in as many runs as
// the budget allows, after prepare, if any, has run.
func fastest(dev *gpu.Device, prepare, steps func() []ops.Step, budget time.Duration) (best time.Duration, err error) {
	all := steps()
	if prepare != nil {
		all = append(prepare(), all...)
	}
	plan, err := ops.Place(all, ops.DefaultChunk)
	if err != nil {
		return 0, fmt.Errorf("train: roof: %w", err)
	}
	mem, err := record.NewMemory(dev, plan)
	if err != nil {
		return 0, fmt.Errorf("train: roof: %w", err)
	}
	defer func() { err = errors.Join(err, mem.Close()) }()
	if prepare != nil {
		if _, err := repeat(dev, mem, prepare(), 0); err != nil {
			return 0, err
		}
	}
	return repeat(dev, mem, steps(), budget)
}

// repeat runs steps once to have them compiled, then twice or for as long as the
// budget lasts, and returns the least time of the first dispatch.
func repeat(dev *gpu.Device, mem *record.Memory, steps []ops.Step, budget time.Duration) (best time.Duration, err error) {
	r, err := record.New(dev, mem, steps, record.Options{Timestamps: true})
	if err != nil {
		return 0, fmt.Errorf("train: roof: %w", err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	start := time.Now()
	for i := 0; i < 3 || time.Since(start) < budget; i++ {
		if err := r.Run(); err != nil {
			return 0, fmt.Errorf("train: roof: %w", err)
		}
		if t := r.Times()[0]; i == 1 || i > 1 && t < best {
			best = t
		}
	}
	return max(best, 1), nil
}
