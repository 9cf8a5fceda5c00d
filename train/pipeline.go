package train

import (
	"encoding/binary"

	"sparsevk/sparsenet"
	"sparsevk/train/data"
)

// A pipeline keeps every lane of a model in flight: while the device runs one
// step, the host reads what the step before came to and copies the images of the
// next to where the device will read them. F is what is known of a step when it
// is submitted.
type pipeline[F any] struct {
	m       *sparsenet.Model
	done    func(F, sparsenet.Result, error) error // takes in what each step came to, in order
	flights [sparsenet.Lanes]F
	first   int // lane of the earliest step in flight
	n       int // steps in flight
}

// room waits, if all lanes are in flight, for the earliest step.
func (p *pipeline[F]) room() error {
	if p.n < sparsenet.Lanes {
		return nil
	}
	return p.next()
}

// lane returns a lane to feed. There must be room.
func (p *pipeline[F]) lane() *sparsenet.Lane { return p.m.Lane((p.first + p.n) % sparsenet.Lanes) }

// submitted says that the lane that lane returned last was submitted.
func (p *pipeline[F]) submitted(f F) {
	p.flights[(p.first+p.n)%sparsenet.Lanes] = f
	p.n++
}

// next waits for the earliest step in flight.
func (p *pipeline[F]) next() error {
	k := p.first
	p.first, p.n = (k+1)%sparsenet.Lanes, p.n-1
	r, err := p.m.Lane(k).Wait()
	return p.done(p.flights[k], r, err)
}

// drain waits for all steps in flight; after an error the results of the rest
// are dropped.
func (p *pipeline[F]) drain() error {
	for p.n > 0 {
		if err := p.next(); err != nil {
			p.abandon()
			return err
		}
	}
	return nil
}

// abandon waits for what is in flight and drops its results.
func (p *pipeline[F]) abandon() {
	for ; p.n > 0; p.n-- {
		_, _ = p.m.Lane(p.first).Wait() // the error that led here is the one to report
		p.first = (p.first + 1) % sparsenet.Lanes
	}
}

// feed puts a batch where the device reads it.
func feed(s *sparsenet.Lane, b data.Batch) error {
	images, labels, index := s.Feed()
	if err := b.Fill(images, labels); err != nil {
		return err
	}
	for i, n := range b.Index {
		binary.LittleEndian.PutUint32(index[4*i:], uint32(n))
	}
	return nil
}
