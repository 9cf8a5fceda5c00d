package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gofrs/flock"

	"sparsevk/train/internal/durable"
	"sparsevk/train/safetensors"
)

// ErrInUse says that another process works in a run directory.
var ErrInUse = errors.New("run directory is in use")

// ErrNoCheckpoint says that a run directory holds no whole checkpoint.
var ErrNoCheckpoint = errors.New("no checkpoint")

// A run directory holds these, beside the metrics of [OpenMetrics], the log of
// [Run.OpenLog] and what [Run.WriteJSON] writes:
//
//	lock                                 held while a process works here
//	checkpoints/step-000000000150.safetensors  the last Keep of them
//	checkpoints/best.safetensors         the best by validation
const (
	lockName       = "lock"
	checkpointsDir = "checkpoints"
	bestName       = "best.safetensors"
	stepPrefix     = "step-"
	stepSuffix     = ".safetensors"
)

// A Run is a run directory that this process alone may write to.
type Run struct {
	Dir  string
	Keep int // checkpoints to keep beside the best; less than 1 means 2

	disk durable.Disk
	lock *flock.Flock
}

// OpenRun makes the directory if it is not there, locks it, and removes what a
// killed run left half written. A directory in use gives ErrInUse.
func OpenRun(dir string) (*Run, error) {
	if err := os.MkdirAll(filepath.Join(dir, checkpointsDir), 0o777); err != nil {
		return nil, fmt.Errorf("train: run directory: %w", err)
	}
	path := filepath.Join(dir, lockName)
	lock := flock.New(path)
	locked, err := lock.TryLock()
	switch {
	case err != nil:
		return nil, fmt.Errorf("train: run directory: %w", err)
	case !locked:
		return nil, fmt.Errorf("train: %w: %s is locked by another process: "+
			"wait for it, stop it, or name another directory", ErrInUse, path)
	}
	r := &Run{Dir: dir, disk: durable.OS{}, lock: lock}
	for _, d := range []string{dir, filepath.Join(dir, checkpointsDir)} {
		if err := durable.Sweep(d); err != nil {
			r.Close()
			return nil, fmt.Errorf("train: run directory: %w", err)
		}
	}
	return r, nil
}

// Close lets other processes have the directory; it is safe to call twice.
func (r *Run) Close() error {
	if err := r.lock.Close(); err != nil {
		return fmt.Errorf("train: run directory: %w", err)
	}
	return nil
}

// WriteJSON writes v to a file of the directory, whole or not at all.
func (r *Run) WriteJSON(name string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("train: %s: %w", name, err)
	}
	err = durable.Write(r.disk, filepath.Join(r.Dir, name), func(w io.Writer) error {
		_, err := w.Write(append(b, '\n'))
		return err
	})
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	return nil
}

// Save writes the checkpoint of a step and returns its path, then removes those
// of earlier steps beyond the last Keep. If it cannot be written, the ones
// before it are all kept and the error names the newest.
func (r *Run) Save(s State, tensors []safetensors.Tensor) (string, error) {
	path := r.path(s.Step)
	if err := saveCheckpoint(r.disk, path, s, tensors); err != nil {
		return "", r.kept(err)
	}
	if err := r.prune(s.Step); err != nil {
		return path, fmt.Errorf("train: old checkpoints: %w", err)
	}
	return path, nil
}

// path returns the path of the checkpoint of a step.
func (r *Run) path(step uint64) string {
	return filepath.Join(r.Dir, checkpointsDir, fmt.Sprintf("%s%012d%s", stepPrefix, step, stepSuffix))
}

// SaveBest writes the checkpoint that validated best, in a file of its own.
func (r *Run) SaveBest(s State, tensors []safetensors.Tensor) (string, error) {
	path := filepath.Join(r.Dir, checkpointsDir, bestName)
	if err := saveCheckpoint(r.disk, path, s, tensors); err != nil {
		return "", r.kept(err)
	}
	return path, nil
}

// kept adds to an error of writing which checkpoint there is to go on from.
func (r *Run) kept(err error) error {
	if steps, listing := listSteps(r.Dir); listing == nil && len(steps) > 0 {
		return fmt.Errorf("%w; kept is %s, from which --resume goes on", err, steps[0].path)
	}
	return fmt.Errorf("%w; no checkpoint is kept", err)
}

// prune removes checkpoints of steps before the given one, except the last. It
// leaves those after it alone: they are damaged ones that were passed over.
func (r *Run) prune(step uint64) error {
	steps, err := listSteps(r.Dir)
	if err != nil {
		return err
	}
	keep := r.Keep
	if keep < 1 {
		keep = 2
	}
	var errs []error
	for _, s := range steps {
		if s.step > step {
			continue
		}
		if keep--; keep < 0 {
			errs = append(errs, r.disk.Remove(s.path))
		}
	}
	return errors.Join(errs...)
}

type stepFile struct {
	step uint64
	path string
}

// listSteps returns the checkpoints of dir by step, the newest first.
func listSteps(dir string) ([]stepFile, error) {
	entries, err := os.ReadDir(filepath.Join(dir, checkpointsDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var steps []stepFile
	for _, e := range entries {
		digits, isStep := strings.CutPrefix(e.Name(), stepPrefix)
		digits, isFile := strings.CutSuffix(digits, stepSuffix)
		step, err := strconv.ParseUint(digits, 10, 64)
		if isStep && isFile && err == nil {
			steps = append(steps, stepFile{step, filepath.Join(dir, checkpointsDir, e.Name())})
		}
	}
	slices.SortFunc(steps, func(a, b stepFile) int {
		if a.step > b.step {
			return -1
		}
		return 1
	})
	return steps, nil
}

// Newest opens the checkpoint of the latest step in a run directory that is
// whole, which may be the best. The errors of the later ones that are not whole
// come back as skipped. Without any it gives ErrNoCheckpoint. No lock is needed.
func Newest(dir string) (c *Checkpoint, skipped []error, err error) {
	steps, err := listSteps(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("train: run directory: %w", err)
	}
	for _, s := range steps {
		if c, err = LoadCheckpoint(s.path); err == nil && c.State.Step != s.step {
			c.Close()
			err = fmt.Errorf("train: %s: %w: it is of step %d", s.path, ErrDamaged, c.State.Step)
		}
		if err == nil {
			return c, skipped, nil
		}
		skipped = append(skipped, err)
	}
	if c, err = Best(dir); err == nil {
		return c, skipped, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		skipped = append(skipped, err)
	}
	if len(skipped) > 0 {
		return nil, skipped, fmt.Errorf("train: %w in %s is whole: %w", ErrNoCheckpoint, dir, errors.Join(skipped...))
	}
	return nil, nil, fmt.Errorf("train: %w in %s: start the run without resuming", ErrNoCheckpoint, dir)
}

// Best opens the checkpoint that validated best in a run directory.
func Best(dir string) (*Checkpoint, error) {
	return LoadCheckpoint(filepath.Join(dir, checkpointsDir, bestName))
}
