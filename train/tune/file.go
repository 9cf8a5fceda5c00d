package tune

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"

	"sparsevk/gpu"
	"sparsevk/ops"
	"sparsevk/sparsenet"
	"sparsevk/train/internal/durable"
)

// format is what the field of that name says; a change of meaning changes its number.
const format = "sparsevk tuning 1"

// most is the largest file that is read, in bytes: a thousand times what a deep
// network takes.
const most = 64 << 20

// A File is the outcome of tuning: on what, for what, and the variant of every task.
type File struct {
	Format        string `json:"format"`
	Device        string `json:"device"`
	Vendor        string `json:"vendor"` // PCI identifier
	Driver        string `json:"driver"` // name and version, in words
	DriverVersion string `json:"driver_version"`
	Class         string `json:"class"` // whose choices it was compared with
	Program       string `json:"program"`
	Date          string `json:"date"`
	Network       string `json:"network"`
	Batch         int    `json:"batch"`
	Engine        string `json:"engine"`
	Precision     string `json:"precision"`
	Recompute     bool   `json:"recompute"`
	// Matrix is what the device multiplies at a time, of fp16: a plan without the
	// device needs it.
	Matrix ops.Matrix `json:"matrix,omitzero"`
	Step   Step       `json:"step"`
	Tasks  []Entry    `json:"tasks"`

	path string // that it was read from
}

// A Step compares whole steps. Its times are 0 where the class had chosen the fastest
// candidates already.
type Step struct {
	Class float64 `json:"class_ms,omitempty"` // median, with the choices of the class
	Tuned float64 `json:"tuned_ms,omitempty"` // and with the fastest candidates
	Kept  bool    `json:"kept"`               // the tuned step was not slower; else the tasks have the choices of the class
}

// An Entry is a task, or a family of tasks, and its variant.
type Entry struct {
	Task    string      `json:"task"` // ops.Task.String, or ops.Task.Family
	Variant ops.Variant `json:"variant"`
	// MS is what a step's dispatches of the task took with each candidate, and LeftOut
	// why others were no candidates. Nothing depends on them.
	MS      map[ops.Variant]float64 `json:"ms,omitempty"`
	LeftOut map[ops.Variant]string  `json:"left_out,omitempty"`
}

// identity fills in what says on which device f holds.
func (f *File) identity(i gpu.Info) {
	f.Device, f.Vendor = i.Name, fmt.Sprintf("%#x", i.VendorID)
	f.Driver, f.DriverVersion = i.Driver+" "+i.DriverInfo, fmt.Sprintf("%#x", i.DriverVersion)
}

// Load reads the file at path. Its errors name the file and the entry.
func Load(path string) (*File, error) {
	r, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("tune: %w", err)
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return nil, fmt.Errorf("tune: %s: %w", path, err)
	}
	f, err := parse(b)
	if err != nil {
		return nil, fmt.Errorf("tune: %s: %w", path, err)
	}
	f.path = path
	return f, nil
}

// parse reads a file's bytes.
func parse(b []byte) (*File, error) {
	if len(b) > most {
		return nil, fmt.Errorf("more than %d bytes: this is no tuning file", most)
	}
	f := &File{}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(f); err != nil {
		return nil, notTuning(b, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("text after the end of the JSON at byte %d: remove it", d.InputOffset())
	}
	return f, f.check()
}

// notTuning says where b is no tuning file.
func notTuning(b []byte, err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		line := 1 + bytes.Count(b[:min(syntax.Offset, int64(len(b)))], []byte("\n"))
		return fmt.Errorf("line %d is not JSON: %w: mend it, or tune again", line, err)
	}
	return fmt.Errorf("not a tuning file: %w: mend it, or tune again", err)
}

// check refuses what no tuner wrote, beside what only a network can tell.
func (f *File) check() error {
	if f.Format != format {
		return fmt.Errorf("format %q, want %q: tune again with this version", f.Format, format)
	}
	for _, s := range []struct{ name, value string }{
		{"device", f.Device}, {"vendor", f.Vendor}, {"driver", f.Driver}, {"driver_version", f.DriverVersion}, {"class", f.Class},
		{"network", f.Network}, {"engine", f.Engine}, {"precision", f.Precision},
	} {
		if s.value == "" {
			return fmt.Errorf("%s is missing: tune again", s.name)
		}
	}
	if f.Batch < 1 || len(f.Tasks) == 0 {
		return fmt.Errorf("batch %d and %d tasks: want at least 1 of each; tune again", f.Batch, len(f.Tasks))
	}
	seen := map[string]bool{}
	for _, e := range f.Tasks {
		if seen[e.Task] {
			return fmt.Errorf("task %q stands there twice: remove one", e.Task)
		}
		seen[e.Task] = true
		if err := e.check(); err != nil {
			return err
		}
	}
	return nil
}

func (e Entry) check() error {
	role := ops.RoleOf(e.Task)
	if !slices.Contains(ops.Roles, role) {
		return fmt.Errorf("task %q: it begins with none of %v", e.Task, ops.Roles)
	}
	if list := ops.Variants(role); !slices.Contains(list, e.Variant) {
		return fmt.Errorf("task %q: unknown variant %q: use one of %v", e.Task, e.Variant, list)
	}
	for v, ms := range e.MS {
		if !(ms >= 0) || math.IsInf(ms, 0) {
			return fmt.Errorf("task %q: %g ms of %s: want a time", e.Task, ms, v)
		}
	}
	return nil
}

// Save writes f to path, whole or not at all. Equal files have equal bytes, and one
// line for each task, in a fixed order.
func (f *File) Save(path string) error {
	b, err := f.bytes()
	if err == nil {
		err = durable.Write(durable.OS{}, path, func(w io.Writer) error {
			_, err := w.Write(b)
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("tune: %w", err)
	}
	return nil
}

// bytes returns the text of f: indented, but each task on one line.
func (f *File) bytes() ([]byte, error) {
	head := *f
	head.Tasks = []Entry{}
	b, err := plainJSON(head, "  ")
	if err != nil {
		return nil, err
	}
	text, ok := bytes.CutSuffix(b, []byte("[]\n}"))
	if !ok {
		return nil, errors.New("tasks are not the last field")
	}
	text = append(text, '[')
	for i, e := range f.Tasks {
		line, err := plainJSON(e, "")
		if err != nil {
			return nil, err
		}
		if i > 0 {
			text = append(text, ',')
		}
		text = append(append(text, "\n    "...), line...)
	}
	return append(text, "\n  ]\n}\n"...), nil
}

// plainJSON is JSON for people: tasks have a ">" in their names.
func plainJSON(v any, indent string) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// Path returns the path that f was read from.
func (f *File) Path() string { return f.path }

// Tuning returns the variants by task.
func (f *File) Tuning() ops.Tuning {
	t := ops.Tuning{}
	for _, e := range f.Tasks {
		t[e.Task] = e.Variant
	}
	return t
}

// Hash returns the SHA-256 of the tasks and their variants, in order: files with
// equal hashes choose the same kernels.
func (f *File) Hash() string {
	var lines []string
	for _, e := range f.Tasks {
		lines = append(lines, fmt.Sprintf("%q %q\n", e.Task, e.Variant))
	}
	slices.Sort(lines)
	h := sha256.New()
	for _, l := range lines {
		io.WriteString(h, l)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// OtherError says that a file was made for something else.
type OtherError struct {
	Path      string
	What      string // "driver"
	Want, Now string // in the file, and now
}

// Error names the file, what it was tuned for, and what this is.
func (e *OtherError) Error() string {
	return fmt.Sprintf("tune: %s was tuned for %s %q, this is %q: tune again for this one, or leave the tuning out", e.Path, e.What, e.Want, e.Now)
}

// On returns an *OtherError if f was made on another device, or with another driver
// or version of it.
func (f *File) On(i gpu.Info) error {
	var now File
	now.identity(i)
	return f.same([]pair{
		{"device", f.Device, now.Device}, {"vendor", f.Vendor, now.Vendor}, {"driver", f.Driver, now.Driver}, {"driver version", f.DriverVersion, now.DriverVersion},
	})
}

type pair struct{ what, want, now string }

func (f *File) same(pairs []pair) error {
	for _, p := range pairs {
		if p.want != p.now {
			return &OtherError{f.path, p.what, p.want, p.now}
		}
	}
	return nil
}

// Apply returns o with the variants of f. It refuses a file that was made for
// another network, batch, engine, precision or class with an *OtherError; whether
// its tasks are those of the network, sparsenet.NewNetwork tells.
func (f *File) Apply(g *sparsenet.Graph, o sparsenet.Options) (sparsenet.Options, error) {
	if o.Engine == "" {
		o.Engine = sparsenet.Arena
	}
	pairs := []pair{
		{"network", f.Network, g.Config.Name()}, {"batch", fmt.Sprint(f.Batch), fmt.Sprint(o.Batch)}, {"engine", f.Engine, string(o.Engine)},
		{"precision", f.Precision, o.Precision.String()}, {"class", f.Class, o.Class.String()},
	}
	if !o.Inference {
		pairs = append(pairs, pair{"recompute", fmt.Sprint(f.Recompute), fmt.Sprint(o.Recompute)})
	}
	if err := f.same(pairs); err != nil {
		return o, err
	}
	o.Tuning = f.Tuning()
	if !o.Matrix.Usable() {
		o.Matrix = f.Matrix
	}
	return o, nil
}
