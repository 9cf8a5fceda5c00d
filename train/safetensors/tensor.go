package safetensors

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
)

// MaxHeader is the largest header, in bytes, that is read or written. It is the
// limit of the reference implementation.
const MaxHeader = 100_000_000

// DType is the type of a tensor's elements, as the header spells it.
type DType string

// The element types that this package converts to Go values. The reader also
// accepts the format's other types, whose bytes [File.Read] returns as they are.
const (
	F64 DType = "F64"
	F32 DType = "F32"
	I64 DType = "I64"
	I32 DType = "I32"
	U32 DType = "U32"
	U8  DType = "U8"
)

var elementBytes = map[DType]int{
	"BOOL": 1, U8: 1, "I8": 1, "F8_E5M2": 1, "F8_E4M3": 1,
	"I16": 2, "U16": 2, "F16": 2, "BF16": 2,
	I32: 4, U32: 4, F32: 4,
	I64: 8, "U64": 8, F64: 8,
}

// Bytes returns the size of one element in bytes, and 0 for an unknown type.
func (d DType) Bytes() int { return elementBytes[d] }

// Info describes a tensor of a file.
type Info struct {
	Name  string
	DType DType
	Shape []int  // no dimensions: one element
	Off   uint64 // first byte, counted from the end of the header
	Bytes uint64
}

// Elems returns the number of elements, the product of the dimensions.
func (i Info) Elems() int { return int(i.Bytes) / i.DType.Bytes() }

// sizeOf returns the bytes of a tensor, or an error when the product overflows
// 63 bits. A zero does not excuse the dimensions before it.
func sizeOf(d DType, shape []int) (uint64, error) {
	n := uint64(d.Bytes())
	if n == 0 {
		return 0, fmt.Errorf("unknown dtype %q", string(d))
	}
	for _, s := range shape {
		if s < 0 {
			return 0, fmt.Errorf("shape %v has a negative dimension", shape)
		}
		hi, lo := bits.Mul64(n, uint64(s))
		if hi != 0 || lo > math.MaxInt64 {
			return 0, fmt.Errorf("shape %v of %s is larger than 2^63 bytes", shape, d)
		}
		n = lo
	}
	return n, nil
}

// A Tensor is a named tensor in memory, to be written.
type Tensor struct {
	Name  string
	DType DType
	Shape []int
	Data  []byte // little-endian elements, last dimension fastest
}

// Float32 returns an F32 tensor of the given shape; v is copied.
func Float32(name string, shape []int, v []float32) Tensor {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return Tensor{Name: name, DType: F32, Shape: shape, Data: b}
}

// Float64 returns an F64 tensor of the given shape; v is copied.
func Float64(name string, shape []int, v []float64) Tensor {
	b := make([]byte, 0, 8*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
	}
	return Tensor{Name: name, DType: F64, Shape: shape, Data: b}
}

// Uint32 returns a U32 tensor of the given shape; v is copied.
func Uint32(name string, shape []int, v []uint32) Tensor {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, x)
	}
	return Tensor{Name: name, DType: U32, Shape: shape, Data: b}
}

// Int64 returns an I64 tensor of the given shape; v is copied.
func Int64(name string, shape []int, v []int64) Tensor {
	b := make([]byte, 0, 8*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint64(b, uint64(x))
	}
	return Tensor{Name: name, DType: I64, Shape: shape, Data: b}
}
