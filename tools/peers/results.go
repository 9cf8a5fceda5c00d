package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Results are what was measured on one machine: a file of docs/benchmarks.
type Results struct {
	Machine Machine   `json:"machine"`
	Jobs    []Result  `json:"jobs"`
	Cold    *Cold     `json:"first_step,omitempty"`
	Depths  *Depths   `json:"depths,omitempty"`
	Missing []Missing `json:"missing"` // peers that this machine lacks
	Checks  []string  `json:"checks"`  // that all train the same network
}

// A Machine is what figures depend on. Results of unequal machines do not mix.
type Machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	OS     string `json:"os"`
	Device string `json:"device"` // of Vulkan
	Driver string `json:"driver"`
	Type   string `json:"device_type"` // cpu, or a kind of GPU
}

// A Missing peer and why.
type Missing struct {
	Peer string `json:"peer"`
	Why  string `json:"why"`
}

// A Result is one setup: its contenders, measured in the same minutes.
type Result struct {
	setup
	When       time.Time       `json:"when"`
	Commit     string          `json:"commit"`
	Command    string          `json:"command"`
	Load       string          `json:"load,omitempty"` // of the machine before it began, as the system counts it
	Contenders []Contender     `json:"contenders"`
	Absent     []Missing       `json:"absent,omitempty"`  // who could not take part in this setup
	Apart      bool            `json:"apart,omitempty"`   // one contender after the other, not in turns
	Kernels    json.RawMessage `json:"kernels,omitempty"` // sparsenet bench --kernels --json in the same minute
}

// A Contender is what one program did in the rounds.
type Contender struct {
	Name     string      `json:"name"`
	Hello    hello       `json:"hello"`
	Rounds   [][]float64 `json:"rounds_ms"` // steps of each turn
	Memory   memory      `json:"memory"`
	RSSBytes uint64      `json:"peak_rss_bytes,omitempty"` // of the process, all that its runtime needs included
}

// Cold is what starting costs.
type Cold struct {
	Net     string          `json:"net"`
	When    time.Time       `json:"when"`
	Commit  string          `json:"commit"`
	Command string          `json:"command"`
	ColdMS  []float64       `json:"cold_ms"` // first steps with empty caches
	WarmMS  []float64       `json:"warm_ms"` // and with the caches that these left
	Costs   json.RawMessage `json:"compile"` // sparsenet bench --compile --json
}

// Depths is how a step's time grows.
type Depths struct {
	When    time.Time    `json:"when"`
	Commit  string       `json:"commit"`
	Command string       `json:"command"`
	Batch   int          `json:"batch"`
	Points  []DepthPoint `json:"points"`
}

// A DepthPoint is one network.
type DepthPoint struct {
	Net       string  `json:"net"`
	Depth     int     `json:"depth"`
	MACs      uint64  `json:"multiply_accumulates"` // of a training step, as executed
	StepMS    float64 `json:"step_ms"`              // the best
	Pipelines int     `json:"pipelines"`
}

// best returns the least round of c, each round standing by its median, in ms.
func (c Contender) best() float64 { return slices.Min(c.medians()) }

// medians returns the median of every round.
func (c Contender) medians() []float64 {
	var m []float64
	for _, r := range c.Rounds {
		m = append(m, median(r))
	}
	return m
}

// median of at least one value; of an even number the mean of the middle two.
func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	n := len(s)
	return (s[(n-1)/2] + s[n/2]) / 2
}

// load reads one file of results.
func load(path string) (*Results, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := new(Results)
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	r.sort()
	return r, nil
}

// sort brings the setups into the order of the page.
func (all *Results) sort() {
	slices.SortStableFunc(all.Jobs, func(a, b Result) int {
		return cmp.Or(cmp.Compare(slices.Index(fullNets, a.Net), slices.Index(fullNets, b.Net)), cmp.Compare(a.Batch, b.Batch), cmp.Compare(b.Threads, a.Threads))
	})
}

// loadAll reads all results of a folder, in the order of their names.
func loadAll(dir string) ([]*Results, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	var all []*Results
	for _, name := range names {
		r, err := load(name)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

// open returns the results that are kept for machine m at path, or new ones. It
// refuses those of another machine.
func open(path string, m Machine) (*Results, error) {
	r, err := load(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &Results{Machine: m}, nil
	}
	if err == nil && r.Machine != m {
		err = fmt.Errorf("%s holds figures of another machine (%+v), this is %+v: give --label a new name, or delete the file", path, r.Machine, m)
	}
	return r, err
}

// put replaces the result of the same setup, or adds r.
func (all *Results) put(r Result) {
	i := slices.IndexFunc(all.Jobs, func(o Result) bool { return o.setup == r.setup })
	if i < 0 {
		all.Jobs = append(all.Jobs, r)
	} else {
		all.Jobs[i] = r
	}
	all.sort()
}

// save writes the results.
func (all *Results) save(path string) error {
	data, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o666)
}

// slug makes a file's name of a machine.
func (m Machine) slug() string {
	s := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, m.CPU+"-"+strings.Fields(m.Device + " gpu")[0])
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '-' }), "-")
}
