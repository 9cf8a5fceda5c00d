package onnx

import (
	"encoding/binary"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// A message is an encoded protobuf message to which fields are appended.
type message []byte

func (m *message) text(field protowire.Number, s string) {
	*m = protowire.AppendString(protowire.AppendTag(*m, field, protowire.BytesType), s)
}

func (m *message) bytes(field protowire.Number, b []byte) {
	*m = protowire.AppendBytes(protowire.AppendTag(*m, field, protowire.BytesType), b)
}

func (m *message) integer(field protowire.Number, v int) {
	*m = protowire.AppendVarint(protowire.AppendTag(*m, field, protowire.VarintType), uint64(v))
}

func (m *message) float(field protowire.Number, v float32) {
	*m = protowire.AppendFixed32(protowire.AppendTag(*m, field, protowire.Fixed32Type), math.Float32bits(v))
}

// Values of AttributeProto.AttributeType and TensorProto.DataType.
const (
	attributeFloat   = 1
	attributeInteger = 2
	attributeList    = 7
	elementFloat     = 1
)

// attribute returns an AttributeProto of a float32, an int or a []int.
func attribute(name string, v any) (m message) {
	m.text(1, name)
	kind := 0
	switch v := v.(type) {
	case float32:
		m.float(2, v)
		kind = attributeFloat
	case int:
		m.integer(3, v)
		kind = attributeInteger
	case []int:
		for _, x := range v {
			m.integer(8, x)
		}
		kind = attributeList
	}
	m.integer(20, kind)
	return m
}

// tensor returns a TensorProto.
func tensor(name string, shape []int, v []float32) (m message) {
	for _, d := range shape {
		m.integer(1, d)
	}
	m.integer(2, elementFloat)
	m.text(8, name)
	raw := make([]byte, 0, 4*len(v))
	for _, x := range v {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
	}
	m.bytes(9, raw)
	return m
}

// valueInfo returns a ValueInfoProto of a float tensor, whose first dimension is the
// batch.
func valueInfo(name string, shape ...int) (m message) {
	var dims, batch message
	batch.text(2, "batch")
	dims.bytes(1, batch)
	for _, d := range shape {
		var dim message
		dim.integer(1, d)
		dims.bytes(1, dim)
	}
	var tensor, kind message
	tensor.integer(1, elementFloat)
	tensor.bytes(2, dims)
	kind.bytes(1, tensor)
	m.text(1, name)
	m.bytes(2, kind)
	return m
}
