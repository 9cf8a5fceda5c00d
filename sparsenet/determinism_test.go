package sparsenet

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/ops"
	"sparsevk/ops/optest"
)

// noisy is a net with all that is random: dropout, crops and mirrors. Its maps are
// large enough for a driver to share the work among threads.
var noisy = Config{Depth: 10, Growth: []int{6}, Dropout: 0.1, Input: Input{16, 16, 3}}

// trained returns a hash of all that some training steps leave: parameters,
// statistics, momentum, gradients and logits.
func trained(t *testing.T, m *Model, seed uint64, steps int) uint64 {
	t.Helper()
	for s := range steps {
		feed(t, m, uint64(s))
		h := hyper(m, uint32(s))
		h.Seed = seed
		_, err := m.TrainStep(h)
		require.NoError(t, err)
	}
	return trainedState(t, m)
}

// trainedState is a hash of all that a training step leaves.
func trainedState(t *testing.T, m *Model) uint64 {
	t.Helper()
	all := map[string][]float32{}
	momentum := func() (map[string][]float32, error) { return m.Slot(SlotMomentum) }
	for prefix, get := range map[string]func() (map[string][]float32, error){"": m.Values, "v.": momentum, "d.": m.Gradients} {
		values, err := get()
		require.NoError(t, err)
		for name, v := range values {
			all[prefix+name] = v
		}
	}
	var err error
	all["logits"], err = m.Logits()
	require.NoError(t, err)
	return hash(all)
}

// ways calls f for each engine and kernel form.
func ways(t *testing.T, f func(e Engine, c ops.Class)) {
	t.Helper()
	for _, c := range classes(optest.Device(t)) {
		for _, e := range []Engine{Arena, Layered} {
			f(e, c)
		}
	}
}

// The same seed gives the same bits after three steps, in another model and in the
// same one started again; another seed and another step do not.
func TestSameSeedSameBits(t *testing.T) {
	ways(t, func(e Engine, c ops.Class) {
		o := Options{Batch: 4, Pad: 2, Flip: true, Engine: e, Class: c}
		first := open(t, noisy, o)
		want := trained(t, first, 1, 3)
		assert.Equal(t, want, trained(t, open(t, noisy, o), 1, 3), "%s %s", e, c)
		again := func(seed uint64, steps int) uint64 {
			require.NoError(t, first.Load(someValues(first.Graph.Params)))
			require.NoError(t, first.LoadSlot(SlotMomentum, zeros(first.Graph.Params)))
			return trained(t, first, seed, steps)
		}
		for range 2 {
			assert.Equal(t, want, again(1, 3), "%s %s, started again", e, c)
		}
		assert.NotEqual(t, want, again(2, 3), "another seed")
		assert.NotEqual(t, want, again(1, 2), "another number of steps")
	})
}

func zeros(p *Params) map[string][]float32 {
	zero := map[string][]float32{}
	for _, q := range p.Trained {
		zero[q.Name] = make([]float32, q.Elems())
	}
	return zero
}

// childVariable marks a process that TestThreadsDoNotMatter started.
const childVariable = "SPARSEVK_TEST_CHILD"

// TestChild prints the hashes for TestThreadsDoNotMatter.
func TestChild(t *testing.T) {
	if os.Getenv(childVariable) == "" {
		t.Skip("runs in processes that TestThreadsDoNotMatter starts")
	}
	ways(t, func(e Engine, c ops.Class) {
		m := open(t, noisy, Options{Batch: 4, Pad: 2, Flip: true, Engine: e, Class: c})
		fmt.Printf("hash %s %s %x\n", e, c, trained(t, m, 1, 3))
	})
}

// One thread of the driver and two give the same bits, and the same as this
// process does. (LP_NUM_THREADS is lavapipe's.)
func TestThreadsDoNotMatter(t *testing.T) {
	want := ""
	ways(t, func(e Engine, c ops.Class) {
		m := open(t, noisy, Options{Batch: 4, Pad: 2, Flip: true, Engine: e, Class: c})
		want += fmt.Sprintf("hash %s %s %x\n", e, c, trained(t, m, 1, 3))
	})
	for _, threads := range []string{"1", "2"} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestChild$", "-test.count=1")
		cmd.Env = append(os.Environ(), childVariable+"=1", "LP_NUM_THREADS="+threads, "SPARSEVK_VALIDATE=off")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		got := ""
		for _, line := range regexp.MustCompile(`(?m)^hash .*\n`).FindAllString(string(out), -1) {
			got += line
		}
		assert.Equal(t, want, got, "%s threads", threads)
	}
}
