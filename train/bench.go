package train

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"iter"
	"math/rand/v2"
	"slices"
	"time"

	"sparsevk/sparsenet"
)

// errNotFinite says that a benchmark's loss or gradient broke down.
var errNotFinite = errors.New("train: bench: the loss or its gradient is not finite: run sparsenet selftest to find the kernel")

// benchHyper is what every step of a benchmark trains with: usual values, and a
// rate at which random labels do not diverge.
func benchHyper(m *sparsenet.Model) sparsenet.Hyper {
	return sparsenet.Hyper{Rate: 0.01, Momentum: 0.9, Decay: 1e-4, Seed: 1, Valid: m.Batch}
}

// FeedRandom gives every lane of m a batch of random images and labels, the same
// for the same seed.
func FeedRandom(m *sparsenet.Model, seed uint64) {
	for k := range sparsenet.Lanes {
		r := rand.New(rand.NewPCG(seed, 0x5eed))
		images, labels, index := m.Lane(k).Feed()
		for i := range images {
			images[i] = byte(r.Uint32())
		}
		for i := range m.Batch {
			binary.LittleEndian.PutUint32(labels[4*i:], r.Uint32N(uint32(m.Graph.Config.Classes)))
			binary.LittleEndian.PutUint32(index[4*i:], uint32(i))
		}
	}
}

// TimeSteps runs count steps of m on the batches that were fed, with the next in
// flight before one ends as training does, and yields the time from the end of
// each to that of the next by the host's clock. A network for inference
// evaluates. The first step is slower: some drivers compile then. It ends early
// with the error of ctx, between steps, or of a step.
func TimeSteps(ctx context.Context, m *sparsenet.Model, count int) iter.Seq2[time.Duration, error] {
	return func(yield func(time.Duration, error) bool) {
		var last time.Time
		landed, goOn := 0, true
		p := pipeline[struct{}]{m: m, done: func(_ struct{}, r sparsenet.Result, err error) error {
			if err == nil && r.NonFinite {
				err = errNotFinite
			}
			if err == nil {
				now := time.Now()
				if landed > 0 {
					goOn = yield(now.Sub(last), nil) && landed < count
				}
				landed++
				last = now
			}
			return err
		}}
		defer p.abandon()
		// From landing to landing of full lanes: while they fill and while they empty,
		// a driver may run two steps from one landing to the next, or none.
		err := benchSteps(ctx, &p, count+sparsenet.Lanes, &goOn)
		if err != nil && goOn {
			yield(0, err)
		}
	}
}

// benchSteps submits count steps and waits for them, while goOn.
func benchSteps(ctx context.Context, p *pipeline[struct{}], count int, goOn *bool) error {
	h := benchHyper(p.m)
	for i := range count {
		err := p.room()
		if err == nil {
			err = ctx.Err()
		}
		if err != nil || !*goOn {
			return err
		}
		h.Step = uint32(i)
		submit := p.lane().SubmitTrain
		if p.m.Inference {
			submit = p.lane().SubmitEval
		}
		if err := submit(h); err != nil {
			return err
		}
		p.submitted(struct{}{})
	}
	for p.n > 0 && *goOn {
		if err := p.next(); err != nil {
			return err
		}
	}
	return nil
}

// Milliseconds sums up the times of steps.
type Milliseconds struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// Spread returns the median, the least and the largest of times, of which there
// is at least one; of an even number the median is the mean of the middle two.
func Spread(times []time.Duration) Milliseconds {
	t := slices.Sorted(slices.Values(times))
	n := len(t)
	return Milliseconds{ms(t[(n-1)/2]+t[n/2]) / 2, ms(t[0]), ms(t[n-1])}
}

func ms(d time.Duration) float64 { return d.Seconds() * 1e3 }

// A KernelTime sums up what some dispatches of a step took and did, and what
// they could not have gone below.
type KernelTime struct {
	Kernel     string  `json:"kernel"`
	Variant    string  `json:"variant,omitempty"` // of a convolution's kernels, see ops.Variant
	Dispatches int     `json:"dispatches"`
	Time       float64 `json:"ms"`
	Share      float64 `json:"share"` // of the step's time
	MACs       uint64  `json:"multiply_accumulates"`
	Bytes      uint64  `json:"bytes"` // of all views, each counted once where it is read and once where it is written
	GFLOPs     float64 `json:"gflops"`
	GBs        float64 `json:"gb_per_second"`
	// Floor is the least time by the roof: for each dispatch the larger of its
	// arithmetic at the multiply-add rate and its bytes at the copy bandwidth.
	Floor float64 `json:"floor_ms"`
	Bound string  `json:"bound"` // what the floor is made of most: arithmetic or traffic
	// RoofShare is Floor by Time. It exceeds 1 where caches beat the bandwidth, or
	// an algorithm spares multiplications that MACs count.
	RoofShare  float64 `json:"roof_share"`
	arithmetic float64 // ms
}

// ByKernel sums up the times of a step's dispatches by kernel and, of convolutions,
// variant, the slowest first, and of the whole step.
func ByKernel(times []sparsenet.StepTime, r Roof) (kernels []KernelTime, total KernelTime) {
	total.Kernel = "step"
	index := map[KernelTime]int{}
	for i := range times {
		key := KernelTime{Kernel: times[i].Code().Name}
		if p := times[i].Part; p != nil && times[i].MACs > 0 {
			key.Variant = string(p.Variant)
		}
		k, ok := index[key]
		if !ok {
			k = len(kernels)
			index[key] = k
			kernels = append(kernels, key)
		}
		kernels[k].add(&times[i], r)
		total.add(&times[i], r)
	}
	for i := range kernels {
		kernels[i].finish(total.Time)
	}
	total.finish(total.Time)
	slices.SortStableFunc(kernels, func(a, b KernelTime) int { return cmp.Compare(b.Time, a.Time) })
	return kernels, total
}

func (k *KernelTime) add(t *sparsenet.StepTime, r Roof) {
	bytes := t.Reads() + t.Writes()
	arithmetic, traffic := 2*float64(t.MACs)/r.MultiplyAdd/1e6, float64(bytes)/r.Copy/1e6
	k.Dispatches++
	k.Time += ms(t.Time)
	k.MACs += t.MACs
	k.Bytes += bytes
	k.Floor += max(arithmetic, traffic)
	if arithmetic > traffic {
		k.arithmetic += arithmetic
	}
}

// finish computes what follows from the sums; step is the time of all kernels.
func (k *KernelTime) finish(step float64) {
	k.Bound = "traffic"
	if 2*k.arithmetic > k.Floor {
		k.Bound = "arithmetic"
	}
	if !(k.Time > 0) { // too short for the device's clock
		return
	}
	k.Share = k.Time / step
	k.GFLOPs = 2 * float64(k.MACs) / k.Time / 1e6
	k.GBs = float64(k.Bytes) / k.Time / 1e6
	k.RoofShare = k.Floor / k.Time
}

// ProfileApart is Profile with a barrier before every dispatch, so that each is timed
// alone.
func ProfileApart(m *sparsenet.Model, runs int) ([]sparsenet.StepTime, error) {
	return m.ProfileApart(benchHyper(m), runs)
}

// Profile runs m a few times with a timestamp after each dispatch, on the batch
// that was fed, and returns what each took.
func Profile(m *sparsenet.Model, runs int) ([]sparsenet.StepTime, error) {
	return m.Profile(benchHyper(m), runs)
}
