package data

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The vectors are those of Random123 (kat_vectors).
func TestPhiloxKnownAnswers(t *testing.T) {
	const ones = math.MaxUint32
	for _, c := range []struct {
		counter [4]uint32
		key     [2]uint32
		want    [4]uint32
	}{
		{[4]uint32{}, [2]uint32{}, [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{[4]uint32{ones, ones, ones, ones}, [2]uint32{ones, ones}, [4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{[4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, [2]uint32{0xa4093822, 0x299f31d0},
			[4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	} {
		assert.Equal(t, c.want, philox(c.counter, c.key))
	}
}

// Every order of four images comes up about equally often over seeds, and over
// the epochs of one seed: chi-square over 24 orders, whose 99.99 % point with 23
// degrees of freedom is 57.
func TestOrderIsUniform(t *testing.T) {
	const draws = 24000
	chi := func(order func(i uint64) []int32) (sum float64) {
		counts := map[[4]int32]int{}
		for i := range uint64(draws) {
			counts[[4]int32(order(i))]++
		}
		for _, n := range counts {
			d := float64(n) - draws/24
			sum += d * d / (draws / 24)
		}
		return sum + float64(24-len(counts))*draws/24
	}
	order := func(l Loader, epoch uint64) []int32 { return l.Train(epoch).At(0).Index }
	set := small(4, 1, 1, 1)
	seeds := chi(func(i uint64) []int32 { return order(Loader{Set: set, Size: 4, Seed: i}, 0) })
	epochs := chi(func(i uint64) []int32 { return order(Loader{Set: set, Size: 4, Seed: 9}, i) })
	assert.True(t, seeds < 57, "chi-square over seeds %g", seeds)
	assert.True(t, epochs < 57, "chi-square over epochs %g", epochs)
	// The test can fail: swapping each element with any other is the classic fault.
	biased := chi(func(i uint64) []int32 {
		s, list := newStream(i, orderStream, 0), upTo(4)
		for k := range list {
			j := s.below(4)
			list[k], list[j] = list[j], list[k]
		}
		return list
	})
	assert.True(t, biased > 57, "chi-square of a biased shuffle %g", biased)
}

// The order is part of what a checkpoint promises: it must not change between
// versions of the program.
func TestOrderIsFrozen(t *testing.T) {
	l := Loader{Set: small(10, 1, 1, 1), Size: 10, Seed: 1}
	assert.Equal(t, frozen[0], l.Train(0).At(0).Index)
	assert.Equal(t, frozen[1], l.Train(1).At(0).Index)
	_, valid, err := HoldOut(10, 3, 1)
	require.NoError(t, err)
	assert.Equal(t, frozen[2], valid)
}

// Computed by a program in Python that was written from the documentation.
var frozen = [][]int32{{5, 2, 3, 7, 0, 8, 1, 9, 6, 4}, {1, 9, 5, 3, 2, 4, 7, 8, 0, 6}, {1, 4, 8}}

func TestTrainVisitsImagesOnceAndDropsTheTail(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 50).Draw(t, "n")
		size := rapid.IntRange(1, 20).Draw(t, "size")
		seed := rapid.Uint64().Draw(t, "seed")
		epoch := rapid.Uint64().Draw(t, "epoch")
		l := Loader{Set: small(n, 1, 1, 1), Size: size, Seed: seed}
		require.NoError(t, l.Check())
		b := l.Train(epoch)
		require.Equal(t, n/size, b.Len())
		require.Equal(t, b.Len()*size, b.Images())
		seen := map[int32]bool{}
		for batch := range b.From(0) {
			require.Equal(t, size, batch.Valid())
			for _, i := range batch.Index {
				require.False(t, seen[i])
				seen[i] = true
			}
		}
		require.Len(t, seen, n/size*size)
		// Going on in the middle gives the rest of the same epoch.
		if b.Len() > 0 {
			at := rapid.IntRange(0, b.Len()-1).Draw(t, "at")
			for batch := range l.Train(epoch).From(at) {
				require.Equal(t, b.At(at), batch)
				at++
			}
			require.Equal(t, b.Len(), at)
		}
	})
}

func TestEvalCountsEveryImageOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 50).Draw(t, "n")
		size := rapid.IntRange(1, 20).Draw(t, "size")
		l := Loader{Set: small(n, 1, 1, 1), Size: size}
		var order []int32
		for batch := range l.Eval().From(0) {
			require.True(t, batch.Valid() >= 1 && batch.Valid() <= size)
			order = append(order, batch.Index...)
		}
		require.Equal(t, upTo(n), order)
	})
}

// In wide batches too, and then there are no more of them, nor more places that stay
// empty.
func TestEvalWideCountsEveryImageOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 80).Draw(t, "n")
		size := rapid.IntRange(1, 10).Draw(t, "size")
		wide := size * rapid.IntRange(1, 8).Draw(t, "batches in a wide one")
		l := Loader{Set: small(n, 1, 1, 1), Size: size}
		var order []int32
		places, batches, narrow := 0, 0, 0
		for batch := range l.EvalWide(wide) {
			require.True(t, batch.Valid() >= 1 && batch.Valid() <= batch.Size)
			require.True(t, batch.Size == size || batch.Size == wide)
			if batch.Size == size {
				narrow++
			}
			order, places, batches = append(order, batch.Index...), places+batch.Size, batches+1
		}
		require.Equal(t, upTo(n), order)
		require.Equal(t, l.Eval().Len()*size, places)
		require.LessOrEqual(t, batches, l.Eval().Len())
		if wide > size {
			require.Less(t, narrow, wide/size, "they would fill a wide one")
		}
	})
}

func TestEpochsAndSeedsDiffer(t *testing.T) {
	set := small(100, 1, 1, 1)
	order := func(seed, epoch uint64) []int32 {
		return Loader{Set: set, Size: 100, Seed: seed}.Train(epoch).At(0).Index
	}
	assert.NotEqual(t, order(1, 0), order(1, 1))
	assert.NotEqual(t, order(1, 0), order(2, 0))
	assert.NotEqual(t, order(1, 0), order(1+1<<32, 0), "the high half of the seed counts")
	assert.NotEqual(t, order(1, 0), order(1, 1<<32), "the high half of the epoch counts")
	assert.Equal(t, order(1, 5), order(1, 5))
}

func TestHoldOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 60).Draw(t, "n")
		held := rapid.IntRange(0, n-1).Draw(t, "held")
		train, valid, err := HoldOut(n, held, rapid.Uint64().Draw(t, "seed"))
		require.NoError(t, err)
		require.Len(t, valid, held)
		require.True(t, slices.IsSorted(train) && slices.IsSorted(valid))
		all := append(slices.Clone(train), valid...)
		slices.Sort(all)
		require.Equal(t, upTo(n), all)
	})
	for _, held := range []int{-1, 10, 11} {
		_, _, err := HoldOut(10, held, 1)
		assert.ErrorContains(t, err, "images to hold out of 10")
	}
	// A loader of the training part never touches the held images.
	train, valid, err := HoldOut(20, 6, 3)
	require.NoError(t, err)
	for batch := range (Loader{Set: small(20, 1, 1, 1), Index: train, Size: 7, Seed: 3}).Train(2).From(0) {
		for _, i := range batch.Index {
			assert.NotContains(t, valid, i)
		}
	}
}

func TestFillCopiesAndClears(t *testing.T) {
	set := small(7, 3, 2, 2)
	l := Loader{Set: set, Size: 4}
	images, labels := make([]byte, 4*12+3), make([]byte, 4*4+2)
	for batch := range l.Eval().From(0) {
		for i := range images {
			images[i] = 0xee
		}
		for i := range labels {
			labels[i] = 0xee
		}
		require.NoError(t, batch.Fill(images, labels))
		for i := range 4 {
			image, label := make([]byte, 12), uint16(0)
			if i < batch.Valid() {
				image, label = set.Image(int(batch.Index[i])), set.Labels[batch.Index[i]]
			}
			assert.Equal(t, image, images[12*i:12*i+12], "image %d", i)
			assert.Equal(t, uint32(label), binary.LittleEndian.Uint32(labels[4*i:]), "label %d", i)
		}
		assert.Equal(t, []byte{0xee, 0xee, 0xee}, images[48:], "nothing is written past the batch")
		assert.Equal(t, []byte{0xee, 0xee}, labels[16:])
	}
	batch := l.Eval().At(1)
	assert.Equal(t, 3, batch.Valid())
	assert.ErrorContains(t, batch.Fill(images[:47], labels), "buffers of 47 and 18 bytes, a batch of 4 needs 48 for images and 16 for labels")
	assert.ErrorContains(t, batch.Fill(images, labels[:15]), "needs 48")
	assert.Zero(t, testing.AllocsPerRun(10, func() {
		if err := batch.Fill(images, labels); err != nil {
			t.Error(err)
		}
	}))
}

func TestLoaderCheck(t *testing.T) {
	set := small(5, 1, 1, 1)
	assert.ErrorContains(t, Loader{Set: set, Size: 0}.Check(), "batch of 0 images")
	assert.ErrorContains(t, Loader{Set: set, Size: 1, Index: []int32{5}}.Check(), "image 5 of 5")
	assert.ErrorContains(t, Loader{Set: set, Size: 1, Index: []int32{}}.Check(), "no images")
	set.Labels[1] = 9
	assert.ErrorContains(t, Loader{Set: set, Size: 1}.Check(), "label 9")
}
