package sparsenet

import (
	"fmt"
	"strconv"
	"strings"
)

// A Wiring says which earlier maps of its stage a layer reads. Map 0 is the
// stage's input, map l the output of the stage's l-th layer.
type Wiring struct {
	// Name is how the wiring is printed and stored. A name that [ParseWiring]
	// knows makes a stored configuration complete.
	Name string
	// Reads returns, for l >= 1, the maps in [0, l) that map l reads, in the
	// order of the concatenation, without repetition. The output of a stage of
	// L layers is Reads(L+1).
	Reads func(l int) []int
}

// Powers returns the sparse wiring: map l reads maps l-1, l-base, l-base², …
// while they exist, newest first. The paper's default is base 2. Powers panics
// if base is below 2. Source: Zhu et al., Sparsely Aggregated Convolutional
// Networks, ECCV 2018, section 3.
func Powers(base int) Wiring {
	if base < 2 {
		panic(fmt.Sprintf("sparsenet: powers of %d: the base must be at least 2", base))
	}
	name := "powers"
	if base != 2 {
		name = fmt.Sprintf("powers:%d", base)
	}
	return Wiring{Name: name, Reads: func(l int) []int {
		var maps []int
		for off := 1; off <= l; {
			maps = append(maps, l-off)
			if off > l/base {
				break // before off*base can overflow
			}
			off *= base
		}
		return maps
	}}
}

// Dense returns the wiring of a DenseNet: map l reads all earlier maps, oldest
// first.
func Dense() Wiring {
	return Wiring{Name: "dense", Reads: func(l int) []int {
		maps := make([]int, l)
		for i := range maps {
			maps[i] = i
		}
		return maps
	}}
}

// ParseWiring returns the wiring with the given name: "powers" (base 2),
// "powers:B" for a base B >= 2, or "dense".
func ParseWiring(name string) (Wiring, error) {
	switch base, ok := strings.CutPrefix(name, "powers:"); {
	case name == "powers":
		return Powers(2), nil
	case name == "dense":
		return Dense(), nil
	case ok:
		if b, err := strconv.ParseUint(base, 10, 31); err == nil && b >= 2 {
			return Powers(int(b)), nil
		}
		return Wiring{}, fmt.Errorf("sparsenet: wiring %q: the base must be a whole number of at least 2, as in powers:3", name)
	}
	return Wiring{}, fmt.Errorf("sparsenet: unknown wiring %q; use powers, powers:3 (any base of at least 2) or dense", name)
}

func (w Wiring) String() string { return w.Name }

// MarshalText stores the name.
func (w Wiring) MarshalText() ([]byte, error) { return []byte(w.Name), nil }

// UnmarshalText is ParseWiring.
func (w *Wiring) UnmarshalText(text []byte) (err error) {
	*w, err = ParseWiring(string(text))
	return err
}

// check returns what is wrong with the reads of maps 1..last, or "".
func (w Wiring) check(last int) string {
	read := make([]bool, last)
	for l := 1; l <= last; l++ {
		seen := make(map[int]bool)
		maps := w.Reads(l)
		if len(maps) == 0 {
			return fmt.Sprintf("map %d reads nothing; every map must read at least one", l)
		}
		for _, m := range maps {
			switch {
			case m < 0 || m >= l:
				return fmt.Sprintf("map %d reads map %d; it may read maps 0 to %d", l, m, l-1)
			case seen[m]:
				return fmt.Sprintf("map %d reads map %d twice", l, m)
			}
			seen[m], read[m] = true, true
		}
	}
	for m, ok := range read {
		if !ok {
			return fmt.Sprintf("map %d of a stage of %d layers is read by none; every map must be read, by the stage's output (map %d) at the latest", m, last-1, last)
		}
	}
	return ""
}
