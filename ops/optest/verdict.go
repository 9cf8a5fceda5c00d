package optest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"sparsevk/gpu"
	"sparsevk/ops"
)

// A Verdict is what is known from surveys of one device with one version of its
// driver: which kernels failed, and which ran without a failure. It is kept in a
// file, so that a program can refuse what failed here before.
type Verdict struct {
	Device        string        `json:"device"`
	UUID          string        `json:"uuid"`
	Driver        string        `json:"driver"`
	DriverVersion uint32        `json:"driver_version"`
	Clamped       bool          `json:"clamped_limits"`
	Failed        []FailedCase  `json:"failed"`
	Passed        []TestedCases `json:"passed"` // by kernel, in the order of names
}

// A FailedCase is a case that went wrong, the last time it ran.
type FailedCase struct {
	Op      string            `json:"op"`
	Case    string            `json:"case"`
	Error   string            `json:"error"` // what, where, got, want and tolerance
	Time    time.Time         `json:"time"`
	Kernels map[string]string `json:"kernels"` // that it dispatches, and the SHA-256 of their SPIR-V
}

// TestedCases are the cases of a kernel that agreed with the reference.
type TestedCases struct {
	Kernel string `json:"kernel"`
	Module string `json:"module"` // SHA-256 of its SPIR-V
	Cases  int    `json:"cases"`  // in the survey that ran most of them
}

// NewVerdict returns one that knows nothing of a device yet.
func NewVerdict(i gpu.Info, clamped bool) *Verdict {
	return &Verdict{Device: i.Name, UUID: i.UUID, Driver: i.Driver + " " + i.DriverInfo, DriverVersion: i.DriverVersion, Clamped: clamped,
		Failed: []FailedCase{}, Passed: []TestedCases{}}
}

// path returns the file of the verdict in a folder.
func (v *Verdict) path(dir string) string {
	name := "selftest-" + v.UUID
	if v.Clamped {
		name += "-clamped"
	}
	return filepath.Join(dir, name+".json")
}

// LoadVerdict reads what earlier surveys found on the device; it knows nothing if
// there was none, or only ones of another version of the driver.
func LoadVerdict(dir string, i gpu.Info, clamped bool) (*Verdict, error) {
	none := NewVerdict(i, clamped)
	b, err := os.ReadFile(none.path(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return none, nil
	}
	if err != nil {
		return none, fmt.Errorf("optest: verdict: %w", err)
	}
	var v Verdict
	err = json.Unmarshal(b, &v)
	if err == nil && v.UUID != i.UUID {
		err = fmt.Errorf("it is of device %q", v.UUID)
	}
	if err != nil {
		return none, fmt.Errorf("optest: %s is not the verdict of a self-test of this device: remove it, and run the self-test again: %w",
			none.path(dir), err)
	}
	if v.DriverVersion != none.DriverVersion || v.Driver != none.Driver {
		return none, nil
	}
	return &v, nil
}

// Save writes the verdict to its file in a folder, whole or not at all.
func (v *Verdict) Save(dir string) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err == nil {
		err = os.MkdirAll(dir, 0o777)
	}
	if err != nil {
		return fmt.Errorf("optest: verdict: %w", err)
	}
	f, err := os.CreateTemp(dir, ".selftest-*")
	if err != nil {
		return fmt.Errorf("optest: verdict: %w", err)
	}
	_, err = f.Write(append(b, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), v.path(dir))
	}
	if err != nil {
		return fmt.Errorf("optest: verdict: %w", errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}

// A Tally adds the cases of one survey to a verdict.
type Tally struct {
	v      *Verdict
	passed map[string]TestedCases
}

// Tally begins a survey.
func (v *Verdict) Tally() *Tally { return &Tally{v, map[string]TestedCases{}} }

// Add takes in how a case of op went, which replaces what was known of it.
func (t *Tally) Add(op string, res Result, err error) {
	v := t.v
	v.Failed = slices.DeleteFunc(v.Failed, func(f FailedCase) bool { return f.Op == op && f.Case == res.Case })
	if err == nil {
		for _, k := range res.Kernels {
			t.passed[k.Name] = TestedCases{k.Name, k.Module, t.passed[k.Name].Cases + 1}
		}
		return
	}
	f := FailedCase{Op: op, Case: res.Case, Error: err.Error(), Time: time.Now(), Kernels: map[string]string{}}
	for _, k := range res.Kernels {
		f.Kernels[k.Name] = k.Module
	}
	v.Failed = append(v.Failed, f)
}

// End puts the counts of the survey into the verdict.
func (t *Tally) End() {
	all := map[string]TestedCases{}
	for _, p := range t.v.Passed {
		all[p.Kernel] = p
	}
	for name, p := range t.passed {
		if old := all[name]; old.Module != p.Module || old.Cases < p.Cases {
			all[name] = p
		}
	}
	t.v.Passed = []TestedCases{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		t.v.Passed = append(t.v.Passed, all[name])
	}
}

// A FailedKernelError says that a kernel that is to run has failed a self-test.
type FailedKernelError struct {
	Kernel string
	FailedCase
}

// Error names the kernel, when it failed, and on which case.
func (e FailedKernelError) Error() string {
	return fmt.Sprintf("kernel %s failed the self-test on this device and driver at %s: %s: %s",
		e.Kernel, e.Time.Format(time.RFC3339), e.Op, e.FailedCase.Error)
}

// Allow returns a FailedKernelError if one of the kernels of steps has failed, in
// the form that they have now.
func (v *Verdict) Allow(steps []ops.Step) error {
	if len(v.Failed) == 0 {
		return nil
	}
	for _, k := range kernels(steps) {
		for _, f := range v.Failed {
			if module, ok := f.Kernels[k.Name]; ok && module == k.Module {
				return FailedKernelError{k.Name, f}
			}
		}
	}
	return nil
}
