package train

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"sparsevk/train/internal/durable"
)

// evaluationFile holds the last evaluation of a run's model.
const evaluationFile = "evaluation.json"

// An Evaluation is how a model did on a split, as a run directory keeps it.
type Evaluation struct {
	Dataset    string     `json:"dataset"`
	Split      string     `json:"split"`
	Checkpoint string     `json:"checkpoint,omitempty"` // the file, without its folder
	Score      Score      `json:"score"`
	Confusion  *Confusion `json:"confusion"`
}

// SaveEvaluation leaves e in a run directory, in place of the one before.
func SaveEvaluation(dir string, e Evaluation) error {
	b, err := json.Marshal(e)
	if err == nil {
		err = durable.Write(durable.OS{}, filepath.Join(dir, evaluationFile), func(w io.Writer) error {
			_, err := w.Write(append(b, '\n'))
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("train: %s: %w", evaluationFile, err)
	}
	return nil
}

// LoadEvaluation returns the last evaluation of a run, nil if there is none.
func LoadEvaluation(dir string) (*Evaluation, error) {
	b, err := os.ReadFile(filepath.Join(dir, evaluationFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var e Evaluation
	if err == nil {
		err = json.Unmarshal(b, &e)
	}
	if err == nil && e.Confusion != nil {
		err = e.Confusion.check()
	}
	if err != nil {
		return nil, fmt.Errorf("train: %s in %s: %w", evaluationFile, dir, err)
	}
	return &e, nil
}

// check demands a square matrix of counts.
func (c *Confusion) check() error {
	n := len(c.Classes)
	if len(c.Counts) != n {
		return fmt.Errorf("a matrix of %d rows for %d classes", len(c.Counts), n)
	}
	for i, row := range c.Counts {
		if len(row) != n {
			return fmt.Errorf("row %d of the matrix has %d counts for %d classes", i, len(row), n)
		}
		for _, v := range row {
			if v < 0 {
				return fmt.Errorf("row %d of the matrix has a count of %d", i, v)
			}
		}
	}
	return nil
}

// ReadMetrics returns the metrics of a run directory, in the order in which they were
// written. A last line that is cut short is left out: the run may be writing it.
func ReadMetrics(dir string) ([]Metric, error) {
	path := filepath.Join(dir, metricsJSON)
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("train: metrics: %w", err)
	}
	list, err := parseMetrics(b)
	if err != nil {
		return nil, fmt.Errorf("train: metrics: %s: %w", path, err)
	}
	return list, nil
}

func parseMetrics(text []byte) (list []Metric, err error) {
	for line := range bytes.Lines(text) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break
		}
		var m Metric
		if err := json.Unmarshal(line, &m); err != nil {
			return nil, fmt.Errorf("line %d: %w", len(list)+1, err)
		}
		list = append(list, m)
	}
	return list, nil
}
