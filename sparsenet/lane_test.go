package sparsenet

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/ops"
	"sparsevk/ops/record"
)

// With a step in flight while the next is fed and submitted, every result and
// every bit is that of steps one after the other; an evaluation in between too.
func TestTwoStepsInFlight(t *testing.T) {
	ways(t, func(e Engine, c ops.Class) {
		m := open(t, noisy, Options{Batch: 4, Pad: 2, Flip: true, Engine: e, Class: c})
		start := func() {
			require.NoError(t, m.Load(someValues(m.Graph.Params)))
			require.NoError(t, m.LoadSlot(SlotMomentum, zeros(m.Graph.Params)))
		}
		const steps = 6
		var want []Result
		start()
		for i := range steps {
			feed(t, m, uint64(i))
			r, err := m.TrainStep(hyper(m, uint32(i)))
			require.NoError(t, err)
			want = append(want, r)
		}
		hash := trainedState(t, m)
		feed(t, m, 99)
		r, err := m.EvalStep(hyper(m, 0))
		require.NoError(t, err)
		want = append(want, r)

		start()
		var got []Result
		wait := func(i int) {
			r, err := m.Lane(i % Lanes).Wait()
			require.NoError(t, err)
			got = append(got, r)
		}
		for i := range steps + 1 {
			s := m.Lane(i % Lanes)
			if i >= Lanes {
				wait(i)
			}
			if i == steps {
				assert.Equal(t, hash, trainedState(t, m), "%s %s", e, c)
				feedLane(t, s, 99)
				require.NoError(t, s.SubmitEval(hyper(m, 0)))
				continue
			}
			feedLane(t, s, uint64(i))
			require.NoError(t, s.SubmitTrain(hyper(m, uint32(i))))
		}
		wait(steps - 1)
		wait(steps)
		assert.Equal(t, want, got, "%s %s", e, c)
		require.NoError(t, m.Close())
	})
}

// A lane is not submitted twice, nor waited for without a step; its blocks are its
// own, and its steps are those of the program but for them.
func TestLanes(t *testing.T) {
	m := open(t, noisy, Options{Batch: 4})
	s := m.Lane(1)
	_, err := s.Wait()
	assert.ErrorContains(t, err, "not submitted")
	feedLane(t, s, 1)
	require.NoError(t, s.SubmitTrain(hyper(m, 0)))
	assert.ErrorContains(t, s.SubmitTrain(hyper(m, 1)), "submitted twice without Wait")
	assert.ErrorContains(t, s.SubmitEval(hyper(m, 1)), "submitted twice without Wait")
	_, err = s.Wait()
	require.NoError(t, err)

	steps := m.Train.Steps()
	other, moved := m.onLane(steps, 1), 0
	for i := range steps {
		for k, a := range steps[i].Args {
			b := other[i].Args[k]
			if !a[0].Block.Host() {
				assert.Equal(t, a, b)
				continue
			}
			moved++
			lo, hi := a[0].Bytes()
			lo1, hi1 := b[0].Bytes()
			assert.True(t, hi <= lo1 || hi1 <= lo, "%v and %v share bytes", a, b)
			assert.Equal(t, a.Base(a[0]), b.Base(b[0]), "what the step says of places holds for both")
		}
	}
	assert.Positive(t, moved)
	assert.Equal(t, record.Barriers(steps), record.Barriers(other))
}
