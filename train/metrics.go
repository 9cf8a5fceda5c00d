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
	Loss            Number    `json:"loss"`                  // mean cross-entropy in nats
	Accuracy        Number    `json:"accuracy"`              // share of images classified right, 0 to 1
	ImagesPerSecond Number    `json:"images_per_second"`     // of the last few steps, the epoch, or the evaluation
	GradNorm        Number    `json:"grad_norm,omitzero"`    // Euclidean norm over all parameters
	DeviceBytes     uint64    `json:"device_bytes,omitzero"` // memory that the device handed out
	LossScale       Number    `json:"loss_scale,omitzero"`   // of the next step but one; float16 only
	Skipped         uint64    `json:"skipped,omitzero"`      // updates left out so far, the scaled gradient not being finite
}

// A Number is a float64 whose JSON exists for every value: NaN and infinities
// are the strings "NaN", "+Inf" and "-Inf".
type Number float64

// MarshalJSON writes the shortest text that reads back with the same bits.
func (n Number) MarshalJSON() ([]byte, error) { return n.appendJSON(nil), nil }

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
// operating system when Write returns. Write does not allocate.
type Metrics struct {
	json, csv *lines
	text      []byte // of the line being written
}

// OpenMetrics opens the metrics of a run that goes on from the given state, the
// zero State for a new one: lines of later steps, of epochs that it has not
// finished, of the test split, and a last line that was cut short are removed, so
// that a resumed run leaves the lines of an undisturbed one.
func OpenMetrics(dir string, from State) (*Metrics, error) {
	m, err := openMetrics(dir, from)
	if err != nil {
		return nil, fmt.Errorf("train: metrics: %w", err)
	}
	return m, nil
}

func openMetrics(dir string, from State) (*Metrics, error) {
	path := filepath.Join(dir, metricsJSON)
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	kept, table := keepMetrics(old, from)
	var m Metrics
	for _, f := range []struct {
		to      **lines
		name    string
		content []byte
	}{{&m.json, metricsJSON, kept}, {&m.csv, metricsCSV, table}} {
		if *f.to, err = startLines(filepath.Join(dir, f.name), f.content); err != nil {
			return nil, errors.Join(err, m.Close())
		}
	}
	return &m, nil
}

// keepMetrics returns the lines of old that belong to a run which goes on from the
// given state, and the table of them.
func keepMetrics(old []byte, from State) (kept, table []byte) {
	table = []byte(csvHeader)
	for line := range bytes.Lines(old) {
		var m Metric
		if json.Unmarshal(line, &m) != nil || !bytes.HasSuffix(line, []byte("\n")) || m.Step > from.Step || m.Epoch > from.Epoch {
			continue
		}
		if m.Kind != KindStep && m.Kind != KindEpoch && m.Kind != KindValid { // of the test split, or damaged
			continue
		}
		kept = append(kept, line...)
		table = m.appendCSV(table)
	}
	return kept, table
}

// Write appends one line to each file.
func (m *Metrics) Write(v Metric) error {
	m.text = v.appendJSON(m.text[:0])
	err := m.json.append(m.text)
	m.text = v.appendCSV(m.text[:0])
	if err = errors.Join(err, m.csv.append(m.text)); err != nil {
		return fmt.Errorf("train: metrics: step %d: %w", v.Step, err)
	}
	return nil
}

// Close closes both files; it is safe to call twice.
func (m *Metrics) Close() error {
	return errors.Join(m.json.close(), m.csv.close())
}

const csvHeader = "time,kind,epoch,step,lr,loss,accuracy,images_per_second,grad_norm,device_bytes,loss_scale,skipped\n"

// appendCSV appends m as a line of the table.
func (m *Metric) appendCSV(b []byte) []byte {
	b = append(m.Time.AppendFormat(b, time.RFC3339Nano), ',')
	b = append(append(b, m.Kind...), ',')
	b = append(strconv.AppendUint(b, m.Epoch, 10), ',')
	b = append(strconv.AppendUint(b, m.Step, 10), ',')
	for _, x := range [...]Number{m.LR, m.Loss, m.Accuracy, m.ImagesPerSecond, m.GradNorm} {
		b = append(strconv.AppendFloat(b, float64(x), 'g', -1, 64), ',')
	}
	b = append(strconv.AppendUint(b, m.DeviceBytes, 10), ',')
	b = append(strconv.AppendFloat(b, float64(m.LossScale), 'g', -1, 64), ',')
	return append(strconv.AppendUint(b, m.Skipped, 10), '\n')
}

// appendJSON appends m as a line of JSON, as json.Marshal writes it.
func (m *Metric) appendJSON(b []byte) []byte {
	b = append(m.Time.AppendFormat(append(b, `{"time":"`...), time.RFC3339Nano), `","kind":"`...)
	b = strconv.AppendUint(append(append(b, m.Kind...), `","epoch":`...), m.Epoch, 10)
	b = strconv.AppendUint(append(b, `,"step":`...), m.Step, 10)
	b = m.LR.appendJSON(append(b, `,"lr":`...))
	b = m.Loss.appendJSON(append(b, `,"loss":`...))
	b = m.Accuracy.appendJSON(append(b, `,"accuracy":`...))
	b = m.ImagesPerSecond.appendJSON(append(b, `,"images_per_second":`...))
	if m.GradNorm != 0 {
		b = m.GradNorm.appendJSON(append(b, `,"grad_norm":`...))
	}
	if m.DeviceBytes != 0 {
		b = strconv.AppendUint(append(b, `,"device_bytes":`...), m.DeviceBytes, 10)
	}
	if m.LossScale != 0 {
		b = m.LossScale.appendJSON(append(b, `,"loss_scale":`...))
	}
	if m.Skipped != 0 {
		b = strconv.AppendUint(append(b, `,"skipped":`...), m.Skipped, 10)
	}
	return append(b, '}', '\n')
}

// appendJSON appends the shortest text that reads back with the same bits.
func (n Number) appendJSON(b []byte) []byte {
	f := float64(n)
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(strconv.AppendFloat(append(b, '"'), f, 'g', -1, 64), '"')
	}
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e21) {
		b = strconv.AppendFloat(b, f, 'e', -1, 64)
		if k := len(b); b[k-4] == 'e' && b[k-3] == '-' && b[k-2] == '0' { // e-07 is e-7 in JavaScript
			b = append(b[:k-2], b[k-1])
		}
		return b
	}
	return strconv.AppendFloat(b, f, 'f', -1, 64)
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
