package train

import "time"

// A speed measures images per second from when steps are found to have ended, over
// the last speedSteps of them. Two are in flight, so where the host comes late to one,
// the next has often ended too and seems to take no time: of one step alone the number
// would be anything, of several it is at most that much too high.
type speed struct {
	ends   [speedSteps]time.Time // before the step of that index, which is the number of steps modulo speedSteps
	images [speedSteps]int       // of it
	last   time.Time
	n      int // steps
}

const speedSteps = 8

// landed takes in the end of a step of so many images.
func (s *speed) landed(now time.Time, images int) float64 {
	k := s.n % speedSteps
	s.ends[k], s.images[k], s.last = s.last, images, now
	s.n++
	first, all := 0, 0
	if s.n > speedSteps {
		first = s.n % speedSteps
	}
	for _, v := range s.images {
		all += v
	}
	return float64(all) / now.Sub(s.ends[first]).Seconds()
}
