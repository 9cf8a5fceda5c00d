package train

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"sparsevk/gpu"
	"sparsevk/ops/optest"
	"sparsevk/sparsenet"
	"sparsevk/train/data"
)

// A holding is what the process holds at a moment of a run.
type holding struct {
	at         time.Duration // since the start
	step       uint64
	rss        int64  // memory that the process occupies, in bytes
	heap       int64  // bytes that Go's objects take after a collection
	device     uint64 // bytes that the device handed out
	goroutines int
	handles    map[string]int // of Vulkan, by type
}

func (h holding) String() string {
	return fmt.Sprintf("%v, step %d: process %.1f MiB, Go heap %.2f MiB, device %d bytes, %d goroutines, handles %v",
		h.at.Round(time.Second), h.step, mib(h.rss), mib(h.heap), h.device, h.goroutines, h.handles)
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

// By how much the memory of a run may move once it has settled: the pages of C
// allocators and of the runtime come and go. All else is to stay as it is.
const (
	rssSlack  = 6 << 20
	heapSlack = 1 << 20
)

// settled returns when a run of the given length has all that it needs: after a
// minute, or a fifth of a short one.
func settled(length time.Duration) time.Duration { return min(time.Minute, length/5) }

// flat reports whether a run grew after it had settled.
func flat(held []holding, settled time.Duration) error {
	for len(held) > 0 && held[0].at < settled {
		held = held[1:]
	}
	if len(held) < 5 {
		return fmt.Errorf("%d samples after %v, want 5 or more: give it more time", len(held), settled)
	}
	first := held[0]
	var errs []error
	for _, h := range held[1:] {
		if h.rss > first.rss+rssSlack || h.heap > first.heap+heapSlack || h.device != first.device ||
			h.goroutines != first.goroutines || !maps.Equal(h.handles, first.handles) {
			errs = append(errs, fmt.Errorf("not flat: %v; was %v", h, first))
		}
	}
	return errors.Join(errs...)
}

// hold takes a sample of the process while nothing is in flight; first is the
// number of goroutines before, of which one that is ending may be waited for.
func hold(t *testing.T, tr *Trainer, start time.Time, first int) holding {
	t.Helper()
	require.NoError(t, tr.saver.wait())
	h := holding{at: time.Since(start), step: tr.state.Step, device: tr.Model.Device.Allocated(), handles: gpu.Live()}
	for wait := 0; ; wait++ {
		if h.goroutines = runtime.NumGoroutine(); h.goroutines <= first || wait == 100 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	debug.FreeOSMemory() // after a collection: what is left is held
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	h.heap = int64(m.HeapAlloc)
	var pages, resident int64
	statm, err := os.ReadFile("/proc/self/statm")
	require.NoError(t, err)
	_, err = fmt.Sscan(string(statm), &pages, &resident)
	require.NoError(t, err)
	h.rss = resident * int64(os.Getpagesize())
	return h
}

// newSoak returns a trainer that uses all that a run may: crops and mirrors,
// dropout, checkpoints within and at the end of epochs, validation, metrics. Its
// device is its own, which release closes with the rest.
func newSoak(t *testing.T) (tr *Trainer, release func() error) {
	t.Helper()
	dev, err := optest.Another(t)
	require.NoError(t, err)
	g, err := sparsenet.Build(sparsenet.Config{Depth: 10, Growth: []int{4}, Classes: 2, Dropout: 0.2, Input: sparsenet.Input{H: 8, W: 8, C: 2}})
	require.NoError(t, err)
	set := toySet(402, 1)
	n, err := sparsenet.NewNetwork(g, sparsenet.Options{Batch: 4, Pad: 1, Flip: true, Mean: set.Mean, Std: set.Std, Class: classes(dev)[0]})
	require.NoError(t, err)
	m, err := n.Open(dev, 1)
	require.NoError(t, err)
	tr = &Trainer{
		Model: m, Train: data.Loader{Set: set, Size: 4, Seed: 9}, Valid: data.Loader{Set: toySet(42, 2), Size: 4},
		Epochs: 1 << 30, Seed: 9, LR: Constant(0.01), Momentum: 0.9, Decay: 1e-4, Every: 30,
	}
	dir := t.TempDir()
	tr.Run, err = OpenRun(dir)
	require.NoError(t, err)
	tr.Metrics, err = OpenMetrics(dir, State{})
	require.NoError(t, err)
	return tr, func() error { return errors.Join(tr.Metrics.Close(), tr.Run.Close(), m.Close(), dev.Close()) }
}

// A run that goes on for long holds no more at its end than when it had settled,
// and leaves nothing behind. SPARSEVK_SOAK says for how long, as in 30m.
func TestSoak(t *testing.T) {
	if os.Getenv("SPARSEVK_SOAK") == "" {
		t.Skip("takes half an hour: set SPARSEVK_SOAK=30m, or run make soak")
	}
	length, err := time.ParseDuration(os.Getenv("SPARSEVK_SOAK"))
	require.NoError(t, err, "SPARSEVK_SOAK")
	optest.Device(t) // which stays
	handles, goroutines := gpu.Live(), goleak.IgnoreCurrent()
	tr, release := newSoak(t)
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()

	start, next := time.Now(), time.Duration(0)
	var held []holding
	for e, err := range tr.Loop(ctx) {
		require.NoError(t, err)
		if e.Stopped || time.Since(start) < next {
			continue
		}
		first := runtime.NumGoroutine()
		if len(held) > 0 {
			first = held[0].goroutines
		}
		held = append(held, hold(t, tr, start, first))
		next = held[len(held)-1].at + max(time.Second, length/100)
		if len(held)%10 == 1 {
			t.Log(held[len(held)-1])
		}
	}
	images := tr.state.Step * uint64(tr.Model.Batch)
	require.NotEmpty(t, held)
	t.Logf("%d samples, the last at %v", len(held), held[len(held)-1])
	t.Logf("%d steps, %d images, %d epochs", tr.state.Step, images, tr.state.Epoch)
	assert.NoError(t, flat(held, settled(length)))

	require.NoError(t, release())
	assert.Equal(t, handles, gpu.Live(), "handles are left")
	assert.NoError(t, goleak.Find(goroutines))
}

// What grows, or is not there any more, is refused; what breathes is not.
func TestSoakFindsALeak(t *testing.T) {
	run := func(edit func(i int, h *holding)) error {
		var held []holding
		for i := range 30 {
			h := holding{at: time.Duration(i) * 10 * time.Second, step: uint64(i), rss: 90 << 20, heap: 5 << 20, device: 1 << 20, goroutines: 9, handles: map[string]int{"VkBuffer": 7}}
			if i < 6 { // still starting
				h.rss, h.device, h.goroutines, h.handles = 10<<20, 0, 3, nil
			}
			edit(i, &h)
			held = append(held, h)
		}
		return flat(held, settled(30*time.Minute))
	}
	assert.NoError(t, run(func(i int, h *holding) { h.rss += int64(i%3) << 20; h.heap += int64(i%5) << 16 }))
	for what, leak := range map[string]func(i int, h *holding){
		"memory":           func(i int, h *holding) { h.rss += int64(i) * 300 << 10 },
		"Go objects":       func(i int, h *holding) { h.heap += int64(i) * 60 << 10 },
		"device memory":    func(i int, h *holding) { h.device += uint64(i / 29) },
		"a goroutine":      func(i int, h *holding) { h.goroutines += i / 29 },
		"a handle":         func(i int, h *holding) { h.handles = map[string]int{"VkBuffer": 7 + i/29} },
		"another handle":   func(i int, h *holding) { h.handles = map[string]int{"VkBuffer": 7, "VkFence": i / 29} },
		"less of a device": func(i int, h *holding) { h.device -= uint64(i / 29) },
	} {
		assert.ErrorContains(t, run(leak), "not flat", what)
	}
	assert.ErrorContains(t, flat(nil, 0), "0 samples")
	assert.Equal(t, []time.Duration{2 * time.Second, time.Minute}, []time.Duration{settled(10 * time.Second), settled(30 * time.Minute)})
}
