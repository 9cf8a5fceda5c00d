package chart

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"sparsevk/train"
)

// Events is an event file, which TensorBoard shows while it grows. The first error
// sticks, and Close returns it: a picture that cannot be drawn stops no training.
type Events struct {
	f   *os.File
	err error
}

// OpenEvents makes a new event file in dir, named for the time of its start, as
// TensorBoard expects it.
func OpenEvents(dir string, start time.Time) (*Events, error) {
	path := filepath.Join(dir, fmt.Sprintf("events.out.tfevents.%010d.%09d.sparsevk", start.Unix(), start.Nanosecond()))
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return nil, fmt.Errorf("chart: event file: %w", err)
	}
	e := &Events{f: f}
	e.append(event(start, 0, 3, []byte("brain.Event:2")))
	if e.err != nil {
		return nil, e.Close()
	}
	return e, nil
}

// Write appends a line of the metrics: loss, accuracy, learning rate and what else it
// has, under its kind.
func (e *Events) Write(m train.Metric) {
	var summary []byte
	for _, v := range []struct {
		tag   string
		value float64
	}{
		{"loss", float64(m.Loss)}, {"accuracy", float64(m.Accuracy)}, {"learning_rate", float64(m.LR)},
		{"images_per_second", float64(m.ImagesPerSecond)}, {"gradient_norm", float64(m.GradNorm)},
	} {
		if v.value == 0 && (v.tag == "gradient_norm" || v.tag == "learning_rate" && m.Kind == train.KindTest) {
			continue // evaluations have none
		}
		var value []byte
		value = protowire.AppendString(protowire.AppendTag(value, 1, protowire.BytesType), m.Kind+"/"+v.tag)
		value = protowire.AppendFixed32(protowire.AppendTag(value, 2, protowire.Fixed32Type), math.Float32bits(float32(v.value)))
		summary = protowire.AppendBytes(protowire.AppendTag(summary, 1, protowire.BytesType), value)
	}
	e.append(event(m.Time, m.Step, 5, summary))
}

// Close closes the file and returns the first error; it is safe to call twice.
func (e *Events) Close() error {
	if e.f == nil {
		return nil
	}
	err := errors.Join(e.err, e.f.Close())
	e.f = nil
	if err != nil {
		return fmt.Errorf("chart: event file: %w", err)
	}
	return nil
}

func (e *Events) append(data []byte) {
	if e.err == nil {
		e.err = record(e.f, data)
	}
}

// event returns an Event message with one bytes field besides time and step. Source:
// tensorflow/core/util/event.proto.
func event(at time.Time, step uint64, field protowire.Number, b []byte) (m []byte) {
	m = protowire.AppendFixed64(protowire.AppendTag(m, 1, protowire.Fixed64Type), math.Float64bits(float64(at.UnixNano())/1e9))
	m = protowire.AppendVarint(protowire.AppendTag(m, 2, protowire.VarintType), step)
	return protowire.AppendBytes(protowire.AppendTag(m, field, protowire.BytesType), b)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// masked is the checksum that TFRecord files store: of a checksum within the data it
// must not be one. Source: tensorflow/core/lib/hash/crc32c.h.
func masked(b []byte) uint32 {
	c := crc32.Checksum(b, castagnoli)
	return (c>>15 | c<<17) + 0xa282ead8
}

// record writes a TFRecord in one piece: length, checksum of it, data, checksum.
func record(w io.Writer, data []byte) error {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(data)))
	b = binary.LittleEndian.AppendUint32(b, masked(b))
	b = append(b, data...)
	b = binary.LittleEndian.AppendUint32(b, masked(data))
	_, err := w.Write(b)
	return err
}
