package dashboard

import (
	"math"
	"sync"
	"time"

	"sparsevk/train"
)

// A Header is what is known of a run before it begins.
type Header struct {
	Network        string
	Parameters     int
	Engine         string
	Batch          int // images in a step
	Device, Driver string
	Epochs         int           // of the whole run
	MaxTime        time.Duration // after which it stops; 0: never
	Folder         string        // run directory, or ""
}

// A Board collects a run. Its methods may be called from several goroutines.
type Board struct {
	mu     sync.Mutex
	head   Header
	begun  time.Time
	done   float64 // epochs that were done when this process began, -1: not known yet
	at     train.Progress
	step   train.Metric // the last of its kind
	valid  train.Metric
	test   train.Metric
	notes  []string // the last of them
	curves struct{ loss, validLoss, accuracy, validAccuracy, speed, rate curve }
}

// keptNotes is how many notes are kept.
const keptNotes = 3

// New makes a board for a run that begins now.
func New(h Header) *Board {
	b := &Board{head: h, begun: time.Now(), done: -1}
	b.valid.Loss, b.valid.Accuracy = train.Number(math.NaN()), train.Number(math.NaN())
	return b
}

// Progress takes in where the run stands after a step.
func (b *Board) Progress(p train.Progress) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.at = p
	if b.done < 0 {
		b.done = float64(p.Epoch) + float64(p.Batch-1)/float64(p.Batches)
	}
}

// Observe takes in a metric.
func (b *Board) Observe(m train.Metric) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch m.Kind {
	case train.KindStep:
		b.step = m
		c := &b.curves
		c.loss.add(float64(m.Loss))
		c.accuracy.add(100 * float64(m.Accuracy))
		c.speed.add(float64(m.ImagesPerSecond))
		c.rate.add(float64(m.LR))
		c.validLoss.add(float64(b.valid.Loss))
		c.validAccuracy.add(100 * float64(b.valid.Accuracy))
	case train.KindValid:
		b.valid = m
	case train.KindTest:
		b.test = m
	}
}

// Note takes in what a line of text says, and keeps the last few.
func (b *Board) Note(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.notes = append(b.notes, text)
	if len(b.notes) > keptNotes {
		b.notes = b.notes[1:]
	}
}

// Notes returns the last few notes.
func (b *Board) Notes() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.notes...)
}

// epochs returns how many epochs are done, with the fraction of the one that is
// under way.
func (b *Board) epochs() float64 {
	if b.at.Batches == 0 {
		return max(b.done, 0)
	}
	return float64(b.at.Epoch) + float64(b.at.Batch)/float64(b.at.Batches)
}

// left estimates the time to the end, from the pace since this process began;
// ok is false before there is any.
func (b *Board) left(now time.Time) (d time.Duration, ok bool) {
	passed, done := now.Sub(b.begun), b.epochs()-b.done
	if b.done >= 0 && done > 0 {
		d, ok = time.Duration(float64(passed)/done*(float64(b.head.Epochs)-b.epochs())), true
	}
	if b.head.MaxTime > 0 && (!ok || d > b.head.MaxTime-passed) {
		return max(b.head.MaxTime-passed, 0), true
	}
	return d, ok
}

// A curve keeps a bounded number of means over equally many values each. NaN is
// a gap.
type curve struct {
	points []float64
	stride int // values in a point
	sum    float64
	n, gap int // values and gaps in the point that is under way
}

// maxPoints is more than a terminal has columns.
const maxPoints = 512

func (c *curve) add(v float64) {
	if c.stride == 0 {
		c.stride = 1
	}
	if math.IsNaN(v) || math.IsInf(v, 0) {
		c.gap++
	} else {
		c.sum += v
		c.n++
	}
	if c.n+c.gap < c.stride {
		return
	}
	c.points = append(c.points, c.sum/float64(c.n)) // 0/0, a gap, if there were gaps only
	c.sum, c.n, c.gap = 0, 0, 0
	if len(c.points) == maxPoints {
		c.halve()
	}
}

// halve joins each two points.
func (c *curve) halve() {
	for i := range maxPoints / 2 {
		a, b := c.points[2*i], c.points[2*i+1]
		switch {
		case math.IsNaN(a):
			a = b
		case !math.IsNaN(b):
			a = (a + b) / 2
		}
		c.points[i] = a
	}
	c.points = c.points[:maxPoints/2]
	c.stride *= 2
}
