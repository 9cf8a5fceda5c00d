package sparsenet

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// A table lists what every map of every stage reads: table[s][l-1] are the maps
// that map l of stage s reads, the last entry of a stage what its output does. A
// table of one stage serves every stage.
type table [][][]int

// tablePrefix begins the name of a wiring that is written out.
const tablePrefix = "table:"

// name writes t as ParseWiring reads it: "table:0|1,0|2,1;0|1", maps separated by
// commas, layers by bars, stages by semicolons.
func (t table) name() string {
	stages := make([]string, len(t))
	for s, rows := range t {
		lines := make([]string, len(rows))
		for i, maps := range rows {
			lines[i] = join(maps)
		}
		stages[s] = strings.Join(lines, "|")
	}
	return tablePrefix + strings.Join(stages, ";")
}

// parseTable reads what name writes, without the prefix.
func parseTable(text string) (t table, err error) {
	for _, stage := range strings.Split(text, ";") {
		var rows [][]int
		for _, line := range strings.Split(stage, "|") {
			maps, err := parseInts(line, ",")
			if err != nil {
				return nil, err
			}
			rows = append(rows, maps)
		}
		t = append(t, rows)
	}
	return t, nil
}

// wiring returns the wiring that t lists.
func (t table) wiring() Wiring {
	return Wiring{Name: t.name(), table: t, ReadsAt: func(s, l int) []int {
		if rows := t.stage(s); l >= 1 && l <= len(rows) {
			return rows[l-1]
		}
		return nil
	}}
}

// stage returns the rows of stage s.
func (t table) stage(s int) [][]int {
	if len(t) == 1 {
		s = 0
	}
	if s < 0 || s >= len(t) {
		return nil
	}
	return t[s]
}

// blocks returns the layers of each stage: of all of some stages, if t has one that
// serves them all, or of its own.
func (t table) blocks(stages int) (layers []int) {
	if len(t) == 1 {
		return slices.Repeat([]int{len(t[0]) - 1}, stages)
	}
	for _, rows := range t {
		layers = append(layers, len(rows)-1)
	}
	return layers
}

// writeOut returns w as a table for the given layers of each stage, so that a
// stored configuration is complete.
func (w Wiring) writeOut(blocks []int) Wiring {
	var t table
	for s, layers := range blocks {
		var rows [][]int
		for l := 1; l <= layers+1; l++ {
			rows = append(rows, slices.Clone(w.Inputs(s, l)))
		}
		t = append(t, rows)
	}
	if !slices.ContainsFunc(t, func(rows [][]int) bool { return !slices.EqualFunc(rows, t[0], slices.Equal[[]int]) }) {
		t = t[:1]
	}
	return t.wiring()
}

// brief is how a table is printed: the layers of its stages and the first digits of
// the SHA-256 of its name.
func (t table) brief() string {
	sum := sha256.Sum256([]byte(t.name()))
	return fmt.Sprintf("table of %s layers, %x", join(t.blocks(1)), sum[:4])
}

// ReadWiring reads a wiring from a file: for each stage a line per layer, and one
// for what the stage hands on, with the maps that it reads, in order. Map 0 is the
// stage's input, map l the output of layer l:
//
//	# A stage of three layers; what follows a # is a comment.
//	stage
//	1: 0
//	2: 1 0
//	3: 2 0
//	output: 3 2 1
//
// A file of one stage serves every stage; the line "stage" begins each, and may be
// left out in front of the first. Every line must name maps that are there, none
// twice, and every map must be read. An error names the file and the line.
func ReadWiring(path string) (Wiring, error) {
	f, err := os.Open(path)
	if err != nil {
		return Wiring{}, fmt.Errorf("sparsenet: wiring: %w", err)
	}
	defer f.Close()
	var r wiringReader
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		r.line++
		text, _, _ := strings.Cut(lines.Text(), "#")
		if err := r.read(strings.TrimSpace(text)); err != nil {
			return Wiring{}, fmt.Errorf("sparsenet: wiring %s: line %d: %w", path, r.line, err)
		}
	}
	if err := lines.Err(); err != nil {
		return Wiring{}, fmt.Errorf("sparsenet: wiring %s: after line %d: %w", path, r.line, err)
	}
	if err := r.end(); err != nil {
		return Wiring{}, fmt.Errorf("sparsenet: wiring %s: line %d: %w", path, r.line, err)
	}
	return r.table.wiring(), nil
}

// wiringReader reads a wiring line by line.
type wiringReader struct {
	table table
	line  int
	rows  [][]int // of the current stage
	begun bool    // by the line "stage"
	done  bool    // the current stage has its output
}

func (r *wiringReader) read(text string) error {
	switch who, maps, ok := strings.Cut(text, ":"); {
	case text == "":
		return nil
	case text == "stage":
		if err := r.finish(); err != nil {
			return err
		}
		r.begun = true
		return nil
	case !ok:
		return fmt.Errorf("%q: want a layer and the maps that it reads, as in 3: 2 1, or output: 3 2 1, or stage", text)
	case r.done:
		return fmt.Errorf("%q comes after the stage's output: the line stage begins the next", text)
	case strings.TrimSpace(who) == "output":
		if len(r.rows) == 0 {
			return fmt.Errorf("the stage has no layer before its output")
		}
		r.done = true
		return r.add(maps)
	default:
		if n, err := strconv.Atoi(strings.TrimSpace(who)); err != nil || n != len(r.rows)+1 {
			return fmt.Errorf("%q: want layer %d or output next", strings.TrimSpace(who), len(r.rows)+1)
		}
		return r.add(maps)
	}
}

// add files what the next map of the stage reads.
func (r *wiringReader) add(list string) error {
	var maps []int
	for _, f := range strings.FieldsFunc(list, func(c rune) bool { return c == ' ' || c == ',' || c == '\t' }) {
		n, err := strconv.Atoi(f)
		if err != nil {
			return fmt.Errorf("%q is not the number of a map", f)
		}
		maps = append(maps, n)
	}
	if fault := checkReads(len(r.rows)+1, maps); fault != "" {
		return fmt.Errorf("%s", fault)
	}
	r.rows = append(r.rows, maps)
	if r.done {
		if m := unread(r.rows); m >= 0 {
			return fmt.Errorf("map %d of the stage is read by none; every map must be read, by the stage's output at the latest", m)
		}
	}
	return nil
}

// finish ends the current stage, if there is one.
func (r *wiringReader) finish() error {
	if !r.done && (r.begun || len(r.rows) > 0) {
		return fmt.Errorf("the stage before has no output: a line such as output: %d is missing", len(r.rows))
	}
	if r.done {
		r.table = append(r.table, r.rows)
	}
	r.rows, r.done = nil, false
	return nil
}

func (r *wiringReader) end() error {
	if err := r.finish(); err != nil {
		return err
	}
	if len(r.table) == 0 {
		return fmt.Errorf("the file has no stage; its lines are such as 1: 0")
	}
	return nil
}

// unread returns the first map of a stage that none of its rows reads, or -1.
func unread(rows [][]int) int {
	read := make([]bool, len(rows))
	for _, maps := range rows {
		for _, m := range maps {
			read[m] = true
		}
	}
	return slices.Index(read, false)
}

// checkReads returns what is wrong with the maps that map l reads, or "".
func checkReads(l int, maps []int) string {
	if len(maps) == 0 {
		return fmt.Sprintf("map %d reads nothing; every map must read at least one", l)
	}
	seen := make([]bool, l)
	for _, m := range maps {
		switch {
		case m < 0 || m >= l:
			return fmt.Sprintf("map %d reads map %d; it may read maps 0 to %d", l, m, l-1)
		case seen[m]:
			return fmt.Sprintf("map %d reads map %d twice", l, m)
		}
		seen[m] = true
	}
	return ""
}
