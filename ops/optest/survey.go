package optest

import (
	"fmt"
	"iter"
	"strings"

	"sparsevk/gpu"
	"sparsevk/ops"
	"sparsevk/ops/record"
)

// Unfit returns why dev cannot run the table of op, or nil. Tables whose names
// begin with that of a quad class, with matrix or with emulated, or end with wide, and
// those called fp16 and bf16, are of kernels that do not run everywhere.
func Unfit(dev *gpu.Device, op string) error {
	if class, _, _ := strings.Cut(op, "_"); strings.HasPrefix(class, "quad") {
		c, err := ops.ParseClass(class)
		if err != nil {
			return err
		}
		return fits(c, dev)
	}
	if strings.HasPrefix(op, "matrix_") || strings.HasPrefix(op, "emulated_") {
		return fitsMatrix(dev, op)
	}
	if p, err := ops.ParsePrecision(op); err == nil && p != ops.FP32 && !dev.Info().Features.Storage16 {
		return gpu.ErrNoStorage16
	}
	if strings.HasSuffix(op, "_wide") {
		return fits(ops.NVIDIA, dev)
	}
	return nil
}

// QuadClass returns the class of quad kernels that dev runs, or why it runs none.
func QuadClass(dev *gpu.Device) (ops.Class, error) {
	if fits(ops.Quad16, dev) == nil {
		return ops.Quad16, nil
	}
	return ops.Quad, fits(ops.Quad, dev)
}

func fits(class ops.Class, dev *gpu.Device) error {
	if err := class.Fits(record.Traits(dev)); err != nil {
		return fmt.Errorf("%s: %w", dev.Info().Name, err)
	}
	return nil
}

// Survey runs the cases of op whose names contain match on dev, one after the
// other, and yields how each went. A panic, of the table, the op or the
// reference, is the error of its case. A lost device ends the survey.
func Survey(dev *gpu.Device, op, match string) iter.Seq2[Result, error] {
	return func(yield func(Result, error) bool) {
		var cases []Case
		err := caught(func() error {
			cases = Cases(op)
			return nil
		})
		if err != nil {
			yield(Result{Case: "table"}, fmt.Errorf("table of %s: %w", op, err))
			return
		}
		for _, c := range cases {
			if !strings.Contains(c.Name, match) {
				continue
			}
			res := Result{Case: c.Name}
			err := caught(func() (err error) {
				res, err = Check(dev, c)
				return err
			})
			if err != nil && !strings.HasPrefix(err.Error(), c.Name) {
				err = c.errorf("%w", err)
			}
			if !yield(res, err) || dev.Lost() != nil {
				return
			}
		}
	}
}

// caught turns a panic of f into an error.
func caught(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return f()
}

// A Failure is a case that went wrong.
type Failure struct {
	Case  string `json:"case"`
	Error string `json:"error"` // what, where, got, want and tolerance
}

// A TableReport sums up a table.
type TableReport struct {
	Op       string    `json:"op"`
	Cases    int       `json:"cases"` // that ran
	Share    float64   `json:"share"` // largest share of a tolerance that a passing case used
	Worst    string    `json:"worst"` // the case and output that used it
	Failures []Failure `json:"failures"`
	Skipped  string    `json:"skipped,omitempty"` // why the device cannot run the table
}

// Add counts one case of a survey.
func (r *TableReport) Add(res Result, err error) {
	r.Cases++
	if err != nil {
		r.Failures = append(r.Failures, Failure{res.Case, err.Error()})
		return
	}
	if res.Share > r.Share {
		r.Share, r.Worst = res.Share, strings.TrimSpace(res.Case+" "+res.Worst)
	}
}
