package train

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"sparsevk/train/internal/durable"
)

// The kinds of lines in the metrics.
const (
	KindStep  = "step"  // one training step
	KindEpoch = "epoch" // means over an epoch of training
	KindValid = "valid" // evaluation of the held-out images
	KindTest  = "test"  // evaluation of the test split
)

// A Metric is one line of the metrics.
type Metric struct {
	Time            time.Time `json:"time"`
	Kind            string    `json:"kind"`
	Epoch           uint64    `json:"epoch"` // epochs finished
	Step            uint64    `json:"step"`  // training steps done
	LR              Number    `json:"lr"`
	Loss            Number    `json:"loss"`     // mean cross-entropy in nats
	Accuracy        Number    `json:"accuracy"` // share of images classified right, 0 to 1
	ImagesPerSecond Number    `json:"images_per_second"`
	GradNorm        Number    `json:"grad_norm,omitzero"`    // Euclidean norm over all parameters
	DeviceBytes     uint64    `json:"device_bytes,omitzero"` // memory that the device handed out
}

// A Number is a float64 whose JSON exists for every value: NaN and infinities
// are the strings "NaN", "+Inf" and "-Inf".
type Number float64

// MarshalJSON writes the shortest text that reads back with the same bits.
func (n Number) MarshalJSON() ([]byte, error) {
	f := float64(n)
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return []byte(strconv.Quote(number(f))), nil
	}
	return json.Marshal(f)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (n *Number) UnmarshalJSON(b []byte) error {
	switch s := string(b); s {
	case `"NaN"`, `"+Inf"`, `"-Inf"`:
		f, err := strconv.ParseFloat(s[1:len(s)-1], 64)
		*n = Number(f)
		return err
	}
	return json.Unmarshal(b, (*float64)(n))
}

// The files of the metrics in a run directory.
const (
	metricsJSON = "metrics.jsonl"
	metricsCSV  = "metrics.csv"
)

// Metrics appends lines to metrics.jsonl and metrics.csv. A line is with the
// operating system when Write returns.
type Metrics struct{ json, csv *lines }

// OpenMetrics opens the metrics of a run that goes on after the given step, 0
// for a new one: lines of later steps, of the test split, and a last line that
// was cut short are removed, so that a resumed run leaves the lines of an
// undisturbed one.
func OpenMetrics(dir string, step uint64) (*Metrics, error) {
	m, err := openMetrics(dir, step)
	if err != nil {
		return nil, fmt.Errorf("train: metrics: %w", err)
	}
	return m, nil
}

func openMetrics(dir string, step uint64) (*Metrics, error) {
	path := filepath.Join(dir, metricsJSON)
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var kept bytes.Buffer
	table := bytes.NewBufferString(csvHeader)
	for line := range bytes.Lines(old) {
		var m Metric
		if json.Unmarshal(line, &m) != nil || !bytes.HasSuffix(line, []byte("\n")) || m.Step > step || m.Kind == KindTest {
			continue
		}
		kept.Write(line)
		table.WriteString(m.csv())
	}
	var m Metrics
	for _, f := range []struct {
		to      **lines
		name    string
		content []byte
	}{{&m.json, metricsJSON, kept.Bytes()}, {&m.csv, metricsCSV, table.Bytes()}} {
		if *f.to, err = startLines(filepath.Join(dir, f.name), f.content); err != nil {
			return nil, errors.Join(err, m.Close())
		}
	}
	return &m, nil
}

// Write appends one line to each file.
func (m *Metrics) Write(v Metric) error {
	b, err := json.Marshal(v)
	if err == nil {
		err = errors.Join(m.json.append(append(b, '\n')), m.csv.append([]byte(v.csv())))
	}
	if err != nil {
		return fmt.Errorf("train: metrics: step %d: %w", v.Step, err)
	}
	return nil
}

// Close closes both files; it is safe to call twice.
func (m *Metrics) Close() error {
	return errors.Join(m.json.close(), m.csv.close())
}

const csvHeader = "time,kind,epoch,step,lr,loss,accuracy,images_per_second,grad_norm,device_bytes\n"

func (m Metric) csv() string {
	return fmt.Sprintf("%s,%s,%d,%d,%s,%s,%s,%s,%s,%d\n", m.Time.Format(time.RFC3339Nano), m.Kind, m.Epoch, m.Step,
		number(float64(m.LR)), number(float64(m.Loss)), number(float64(m.Accuracy)),
		number(float64(m.ImagesPerSecond)), number(float64(m.GradNorm)), m.DeviceBytes)
}

// lines is a file to which whole lines are appended.
type lines struct {
	f    *os.File
	size int64
}

// startLines opens the file with the given content, which is written only where
// it differs.
func startLines(path string, content []byte) (*lines, error) {
	if old, err := os.ReadFile(path); err != nil || !bytes.Equal(old, content) {
		err := durable.Write(durable.OS{}, path, func(w io.Writer) error {
			_, err := w.Write(content)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	return &lines{f, int64(len(content))}, err
}

// append writes a line, or takes back the part of it that a full disk took.
func (l *lines) append(line []byte) error {
	if _, err := l.f.Write(line); err != nil {
		return errors.Join(err, l.f.Truncate(l.size))
	}
	l.size += int64(len(line))
	return nil
}

func (l *lines) close() error {
	if l == nil || l.f == nil {
		return nil
	}
	f := l.f
	l.f = nil
	return f.Close()
}
