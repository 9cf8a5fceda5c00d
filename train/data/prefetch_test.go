package data

import (
	"io"
	"iter"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func slots(n, images, labels int) []Slot {
	list := make([]Slot, n)
	for i := range list {
		list[i] = Slot{make([]byte, images), make([]byte, labels)}
	}
	return list
}

func TestPrefetcherGivesEveryBatchInOrder(t *testing.T) {
	l := Loader{Set: small(23, 2, 3, 2), Size: 4, Seed: 5}
	for _, n := range []int{1, 2, 3} {
		for _, batches := range []Batches{l.Train(3), l.Eval()} {
			buffers := slots(n, 4*12, 4*4)
			p := NewPrefetcher(batches.From(0), buffers)
			images, labels := make([]byte, 4*12), make([]byte, 4*4)
			for want := range batches.From(0) {
				got, err := p.Next()
				require.NoError(t, err)
				require.Equal(t, want, got.Batch)
				require.NoError(t, want.Fill(images, labels))
				runtime.Gosched() // let it overwrite what it must not
				require.Equal(t, images, buffers[got.Slot].Images)
				require.Equal(t, labels, buffers[got.Slot].Labels)
				p.Release(got.Slot)
			}
			_, err := p.Next()
			require.Equal(t, io.EOF, err)
			_, err = p.Next()
			require.Equal(t, io.EOF, err)
			p.Close()
			_, err = p.Next()
			require.Equal(t, ErrClosed, err)
		}
	}
}

// Two batches in flight keep their buffers: neither is written to until it is
// released, however long the device takes.
func TestPrefetcherLeavesUsedSlotsAlone(t *testing.T) {
	l := Loader{Set: small(12, 1, 1, 1), Size: 4, Seed: 5}
	buffers := slots(2, 4, 16)
	p := NewPrefetcher(l.Train(0).From(0), buffers)
	defer p.Close()
	first, err := p.Next()
	require.NoError(t, err)
	second, err := p.Next()
	require.NoError(t, err)
	require.NotEqual(t, first.Slot, second.Slot)
	for _, b := range buffers {
		for i := range b.Images {
			b.Images[i] = 0xee
		}
	}
	time.Sleep(10 * time.Millisecond)
	for _, b := range buffers {
		assert.Equal(t, []byte{0xee, 0xee, 0xee, 0xee}, b.Images)
	}
	p.Release(second.Slot)
	third, err := p.Next()
	require.NoError(t, err)
	assert.Equal(t, second.Slot, third.Slot)
	assert.Equal(t, []byte{0xee, 0xee, 0xee, 0xee}, buffers[first.Slot].Images)
}

func TestPrefetcherReportsItsError(t *testing.T) {
	l := Loader{Set: small(12, 1, 1, 1), Size: 4}
	p := NewPrefetcher(l.Eval().From(0), slots(2, 3, 16))
	_, err := p.Next()
	assert.ErrorContains(t, err, "buffers of 3 and 16 bytes")
	p.Close()
}

func TestPrefetcherStopsAnywhere(t *testing.T) {
	l := Loader{Set: small(64, 1, 1, 1), Size: 1}
	before := runtime.NumGoroutine()
	for taken := range 8 {
		ended := make(chan struct{})
		watched := iter.Seq[Batch](func(yield func(Batch) bool) {
			defer close(ended)
			l.Eval().From(0)(yield)
		})
		p := NewPrefetcher(watched, slots(2, 1, 4))
		for range taken {
			f, err := p.Next()
			require.NoError(t, err)
			p.Release(f.Slot)
		}
		p.Close()
		p.Close()
		select {
		case <-ended:
		default:
			t.Fatal("Close returned while batches were made")
		}
	}
	for deadline := time.Now().Add(time.Second); runtime.NumGoroutine() > before && time.Now().Before(deadline); {
		runtime.Gosched() // Close returns when the goroutine is done, a moment before it is gone
	}
	assert.LessOrEqual(t, runtime.NumGoroutine(), before, "no goroutine is left")
}

// Close frees a Next that waits for a slot that nobody releases.
func TestCloseFreesNext(t *testing.T) {
	p := NewPrefetcher(Loader{Set: small(4, 1, 1, 1), Size: 1}.Eval().From(0), slots(1, 1, 4))
	_, err := p.Next()
	require.NoError(t, err)
	var wg sync.WaitGroup
	wg.Go(func() { _, err = p.Next() })
	time.Sleep(time.Millisecond)
	p.Close()
	wg.Wait()
	assert.Equal(t, ErrClosed, err, "never the end of the batches")
}

func TestReleaseTwicePanics(t *testing.T) {
	p := NewPrefetcher(func(func(Batch) bool) {}, slots(2, 1, 4))
	defer p.Close()
	assert.Panics(t, func() { p.Release(0) })
}
