package sparsenet

import (
	"fmt"
	"strconv"
	"strings"
)

// A Wiring says which earlier maps of its stage a layer reads. Map 0 is the
// stage's input, map l the output of the stage's l-th layer.
type Wiring struct {
	// Name is how the wiring is stored. One that [ParseWiring] does not know is
	// replaced by what the wiring says, written out, when a [Config] is resolved, so
	// that a stored configuration is complete.
	Name string
	// Reads returns, for l >= 1, the maps in [0, l) that map l reads, in the
	// order of the concatenation, without repetition. The output of a stage of
	// L layers is Reads(L+1).
	Reads func(l int) []int
	// ReadsAt, if it is not nil, stands for Reads where stages differ: s counts them
	// from 0.
	ReadsAt func(s, l int) []int

	table table // of a wiring that is written out
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
// "powers:B" for a base B >= 2, "dense", or "table:" and what each map reads, as in
// "table:0|1,0|2,1". [ReadWiring] reads a file.
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
	if text, ok := strings.CutPrefix(name, tablePrefix); ok {
		t, err := parseTable(text)
		if err != nil {
			return Wiring{}, fmt.Errorf("%w in wiring %.40q: want maps between commas, layers between bars, stages between semicolons", err, name)
		}
		return t.wiring(), nil
	}
	return Wiring{}, fmt.Errorf("sparsenet: unknown wiring %q; use powers, powers:3 (any base of at least 2), dense, or a file", name)
}

// String returns the name of the wiring, in short if it is a table.
func (w Wiring) String() string {
	if w.table != nil {
		return w.table.brief()
	}
	return w.Name
}

// MarshalText stores the name.
func (w Wiring) MarshalText() ([]byte, error) { return []byte(w.Name), nil }

// UnmarshalText is ParseWiring.
func (w *Wiring) UnmarshalText(text []byte) (err error) {
	*w, err = ParseWiring(string(text))
	return err
}

// Inputs returns the maps that map l of stage s reads, by ReadsAt or Reads.
func (w Wiring) Inputs(s, l int) []int {
	if w.ReadsAt != nil {
		return w.ReadsAt(s, l)
	}
	return w.Reads(l)
}

// check returns what is wrong with the reads of maps 1..last of stage s, or "".
func (w Wiring) check(s, last int) string {
	if w.table != nil && len(w.table.stage(s)) != last {
		return fmt.Sprintf("it has %d layers for stage %d, which has %d", max(len(w.table.stage(s))-1, 0), s, last-1)
	}
	rows := make([][]int, last)
	for l := 1; l <= last; l++ {
		rows[l-1] = w.Inputs(s, l)
		if fault := checkReads(l, rows[l-1]); fault != "" {
			return fault
		}
	}
	if m := unread(rows); m >= 0 {
		return fmt.Sprintf("map %d of a stage of %d layers is read by none; every map must be read, by the stage's output (map %d) at the latest", m, last-1, last)
	}
	return ""
}
