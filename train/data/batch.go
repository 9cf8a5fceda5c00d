package data

import (
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
)

// HoldOut divides the images 0..n-1 into those to train on and held ones to
// validate with, both in ascending order. Which are held depends on n, held and
// seed alone.
func HoldOut(n, held int, seed uint64) (train, valid []int32, err error) {
	if held < 0 || held >= n {
		return nil, nil, fmt.Errorf("data: %d images to hold out of %d", held, n)
	}
	list := upTo(n)
	newStream(seed, holdOutStream, 0).shuffle(list)
	train, valid = slices.Clone(list[held:]), slices.Clone(list[:held])
	slices.Sort(train)
	slices.Sort(valid)
	return train, valid, nil
}

func upTo(n int) []int32 {
	list := make([]int32, n)
	for i := range list {
		list[i] = int32(i)
	}
	return list
}

// A Loader cuts a set, or a part of it, into batches.
type Loader struct {
	Set   *Set
	Index []int32 // the images to use, as from [HoldOut]; nil means all
	Size  int     // images per batch
	Seed  uint64  // of the order in which an epoch visits them
}

// Check reports what makes the loader unusable.
func (l Loader) Check() error {
	if l.Size < 1 {
		return fmt.Errorf("data: %s: batch of %d images", l.Set.Name, l.Size)
	}
	for _, i := range l.Index {
		if i < 0 || int(i) >= l.Set.Len() {
			return fmt.Errorf("data: %s: image %d of %d", l.Set.Name, i, l.Set.Len())
		}
	}
	if n := len(l.images()); n < 1 {
		return fmt.Errorf("data: %s: no images", l.Set.Name)
	}
	return l.Set.Check()
}

func (l Loader) images() []int32 {
	if l.Index != nil {
		return l.Index
	}
	return upTo(l.Set.Len())
}

// Train returns the batches of an epoch, counted from 0, in an order that
// depends on nothing but the images, seed and epoch. All batches are full; the
// images that are left over have their turn in other epochs. There is no batch
// if there are fewer images than Size.
func (l Loader) Train(epoch uint64) Batches {
	order := slices.Clone(l.images())
	newStream(l.Seed, orderStream, epoch).shuffle(order)
	return Batches{set: l.Set, order: order[:len(order)/l.Size*l.Size], size: l.Size}
}

// Eval returns batches that hold every image once, in the order of the set. The
// last may be short.
func (l Loader) Eval() Batches {
	return Batches{set: l.Set, order: l.images(), size: l.Size}
}

// EvalWide is Eval with the first images in batches of wide, and only what would not
// fill one in batches of Size: the places that stay empty are no more than Eval's.
func (l Loader) EvalWide(wide int) iter.Seq[Batch] {
	order := l.images()
	n := 0
	if wide > l.Size {
		n = min(len(order), (len(order)+l.Size-1)/wide*wide)
	}
	return func(yield func(Batch) bool) {
		for _, part := range []Batches{{l.Set, order[:n], wide}, {l.Set, order[n:], l.Size}} {
			for b := range part.From(0) {
				if !yield(b) {
					return
				}
			}
		}
	}
}

// Batches is a list of batches.
type Batches struct {
	set   *Set
	order []int32
	size  int
}

// Len returns the number of batches.
func (b Batches) Len() int { return (len(b.order) + b.size - 1) / b.size }

// Images returns the number of images in all batches.
func (b Batches) Images() int { return len(b.order) }

// At returns batch i.
func (b Batches) At(i int) Batch {
	return Batch{Set: b.set, Index: b.order[i*b.size : min((i+1)*b.size, len(b.order))], Size: b.size}
}

// From returns the batches from the first-th on: 0 for all of them, more to go
// on where an epoch was left.
func (b Batches) From(first int) iter.Seq[Batch] {
	return func(yield func(Batch) bool) {
		for i := first; i < b.Len(); i++ {
			if !yield(b.At(i)) {
				return
			}
		}
	}
}

// A Batch names the images of one step.
type Batch struct {
	Set   *Set
	Index []int32 // the images; fewer than Size in a short batch
	Size  int     // images that the buffers hold
}

// Valid returns the number of images that count, the first ones of the buffer.
func (b Batch) Valid() int { return len(b.Index) }

// Bytes returns the bytes that Fill writes: Size·C·H·W for the images and
// 4·Size for the labels.
func (b Batch) Bytes() (images, labels int) { return b.Size * b.Set.Record(), 4 * b.Size }

// Fill copies the images, [n][c][y][x], and the labels, little-endian uint32,
// into buffers of at least the sizes of Bytes. Places beyond Valid get zeros,
// so the content never depends on an earlier batch. It does not allocate.
func (b Batch) Fill(images, labels []byte) error {
	wantImages, wantLabels := b.Bytes()
	if len(images) < wantImages || len(labels) < wantLabels {
		return fmt.Errorf("data: %s: buffers of %d and %d bytes, a batch of %d needs %d for images and %d for labels",
			b.Set.Name, len(images), len(labels), b.Size, wantImages, wantLabels)
	}
	record := b.Set.Record()
	for i, image := range b.Index {
		copy(images[i*record:], b.Set.Image(int(image)))
		binary.LittleEndian.PutUint32(labels[4*i:], uint32(b.Set.Labels[image]))
	}
	clear(images[b.Valid()*record : wantImages])
	clear(labels[4*b.Valid() : wantLabels])
	return nil
}
