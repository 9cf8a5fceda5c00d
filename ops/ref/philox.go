package ref

import "math/bits"

// Streams keep the uses of one seed apart. Their counters end in (StreamAugment, 0)
// and in (layer, StreamDropout).
const (
	StreamAugment = 1 // crop and flip
	StreamDropout = 2
)

// Philox returns the four words of Philox4x32-10 (Salmon, Moraes, Dror, Shaw,
// Parallel random numbers: as easy as 1, 2, 3, SC 2011).
func Philox(counter [4]uint32, key [2]uint32) [4]uint32 {
	c := counter
	for range 10 {
		hi0, lo0 := bits.Mul32(0xD2511F53, c[0])
		hi1, lo1 := bits.Mul32(0xCD9E8D57, c[2])
		c = [4]uint32{hi1 ^ c[1] ^ key[0], lo1, hi0 ^ c[3] ^ key[1], lo0}
		key[0] += 0x9E3779B9
		key[1] += 0xBB67AE85
	}
	return c
}

// seedKey returns the key of a seed: its low word, then its high word.
func seedKey(seed uint64) [2]uint32 { return [2]uint32{uint32(seed), uint32(seed >> 32)} }
