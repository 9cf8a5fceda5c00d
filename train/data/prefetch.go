package data

import (
	"errors"
	"io"
	"iter"
	"sync"
)

// A Slot is a pair of host buffers that a batch is filled into, see
// [Batch.Fill].
type Slot struct{ Images, Labels []byte }

// A Filled batch lies in the buffers of slot number Slot, which the prefetcher
// does not touch until it is released.
type Filled struct {
	Slot  int
	Batch Batch
}

// ErrClosed is what Next returns once the prefetcher is closed.
var ErrClosed = errors.New("data: prefetcher is closed")

// A Prefetcher fills batches into a few buffers, in order, while the device
// works on earlier ones. Its one goroutine ends with Close, after the last
// batch, and after an error. Next and Release are for one goroutine; Close may
// be called from any, any number of times.
type Prefetcher struct {
	free  chan int    // slots to fill
	ready chan Filled // filled, in order; closed at the end
	stop  chan struct{}
	once  sync.Once
	wg    sync.WaitGroup
	err   error // why it ended; written before ready is closed
}

// NewPrefetcher starts to fill the batches into the slots, at least one; with
// two, one batch is filled while the other is in use. Call Close when done.
func NewPrefetcher(batches iter.Seq[Batch], slots []Slot) *Prefetcher {
	p := &Prefetcher{
		free: make(chan int, len(slots)), ready: make(chan Filled, len(slots)), stop: make(chan struct{}),
	}
	for i := range slots {
		p.free <- i
	}
	p.wg.Go(func() {
		defer close(p.ready)
		for batch := range batches {
			if p.err = p.fill(batch, slots); p.err != nil {
				return
			}
		}
		p.err = io.EOF
	})
	return p
}

// fill puts a batch into the next free slot.
func (p *Prefetcher) fill(batch Batch, slots []Slot) error {
	select {
	case <-p.stop:
		return ErrClosed
	default:
	}
	select {
	case <-p.stop:
		return ErrClosed
	case i := <-p.free:
		if err := batch.Fill(slots[i].Images, slots[i].Labels); err != nil {
			return err
		}
		p.ready <- Filled{i, batch} // never blocks: there is room for every slot
		return nil
	}
}

// Next waits for the next batch. Its error is io.EOF after the last one,
// ErrClosed after Close, or that of Fill. If all slots are in use, Release has
// to come first, or Next waits until Close.
func (p *Prefetcher) Next() (Filled, error) {
	select {
	case <-p.stop:
		return Filled{}, ErrClosed
	default:
	}
	select {
	case <-p.stop:
		return Filled{}, ErrClosed
	case f, ok := <-p.ready:
		if !ok {
			return Filled{}, p.err
		}
		return f, nil
	}
}

// Release gives a slot back to be filled again. It panics if more slots come
// back than were handed out.
func (p *Prefetcher) Release(slot int) {
	select {
	case p.free <- slot:
	default:
		panic("data: prefetcher: slot released twice")
	}
}

// Close stops the prefetcher and waits until its goroutine has ended: no buffer
// is written to afterwards.
func (p *Prefetcher) Close() {
	p.once.Do(func() { close(p.stop) })
	p.wg.Wait()
}
