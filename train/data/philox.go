package data

import "math/bits"

// philox is Philox4x32-10: it maps a counter and a key to four words that look
// random, the same on every machine. (Salmon et al., "Parallel random numbers:
// as easy as 1, 2, 3", SC 2011.)
func philox(counter [4]uint32, key [2]uint32) [4]uint32 {
	for range 10 {
		hi0, lo0 := bits.Mul32(0xD2511F53, counter[0])
		hi1, lo1 := bits.Mul32(0xCD9E8D57, counter[2])
		counter = [4]uint32{hi1 ^ counter[1] ^ key[0], lo1, hi0 ^ counter[3] ^ key[1], lo0}
		key[0] += 0x9E3779B9
		key[1] += 0xBB67AE85
	}
	return counter
}

// A purpose keeps the streams of one seed apart.
type purpose uint32

const (
	orderStream   purpose = 0x6f726465 // "orde"
	holdOutStream purpose = 0x686f6c64 // "hold"
	folderStream  purpose = 0x666f6c64 // "fold"
)

// A stream is the sequence of words for one seed, purpose and epoch: the blocks
// philox([k, purpose, epoch low, epoch high], seed) for k = 0, 1, ...
type stream struct {
	counter [4]uint32
	key     [2]uint32
	block   [4]uint32
	left    int
}

func newStream(seed uint64, p purpose, epoch uint64) *stream {
	return &stream{
		counter: [4]uint32{0, uint32(p), uint32(epoch), uint32(epoch >> 32)},
		key:     [2]uint32{uint32(seed), uint32(seed >> 32)},
	}
}

func (s *stream) next() uint32 {
	if s.left == 0 {
		s.block, s.left = philox(s.counter, s.key), 4
		s.counter[0]++
	}
	s.left--
	return s.block[3-s.left]
}

// below returns a number in [0, n), each exactly as likely. (Lemire, "Fast
// random integer generation in an interval", 2019.)
func (s *stream) below(n uint32) uint32 {
	hi, lo := bits.Mul32(s.next(), n)
	if lo < n {
		for reject := -n % n; lo < reject; {
			hi, lo = bits.Mul32(s.next(), n)
		}
	}
	return hi
}

// shuffle permutes list in place, every order equally likely: Fisher and Yates,
// from the last element down, each exchanged with one at or before it.
func (s *stream) shuffle(list []int32) {
	for i := len(list) - 1; i > 0; i-- {
		j := s.below(uint32(i) + 1)
		list[i], list[j] = list[j], list[i]
	}
}
