package safetensors

import (
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"sparsevk/train/internal/durable"
)

// A File is an open safetensors file whose header has been checked. Its methods
// may be called from several goroutines at once.
type File struct {
	path  string
	data  *io.SectionReader // everything after the header
	close func() error
	meta  map[string]string
	infos []Info
	index map[string]int
}

// Open opens the file at path and checks its header against its size. The
// caller closes it.
func Open(path string) (*File, error) {
	f, size, err := durable.Open(path)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %s: %w", path, err)
	}
	file, err := newFile(f, size)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("safetensors: %s: %w", path, err)
	}
	file.path, file.close = path, f.Close
	return file, nil
}

// NewFile reads the header of a file of the given size in bytes from r.
func NewFile(r io.ReaderAt, size int64) (*File, error) {
	f, err := newFile(r, size)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	return f, nil
}

func newFile(r io.ReaderAt, size int64) (*File, error) {
	if size < 8 {
		return nil, fmt.Errorf("%d bytes are too few for a safetensors file", size)
	}
	var length [8]byte
	if err := readAt(r, length[:], 0); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint64(length[:])
	if n > MaxHeader {
		return nil, fmt.Errorf("header of %d bytes, at most %d are read: not a safetensors file, or damaged", n, MaxHeader)
	}
	if n > uint64(size-8) {
		return nil, fmt.Errorf("header of %d bytes in a file of %d: truncated, or not a safetensors file", n, size)
	}
	header := make([]byte, n)
	if err := readAt(r, header, 8); err != nil {
		return nil, err
	}
	data := size - 8 - int64(n)
	meta, infos, err := parseHeader(header, uint64(data))
	if err != nil {
		return nil, err
	}
	f := &File{
		data: io.NewSectionReader(r, 8+int64(n), data), close: func() error { return nil },
		meta: meta, infos: infos, index: make(map[string]int, len(infos)),
	}
	for i, info := range infos {
		f.index[info.Name] = i
	}
	return f, nil
}

// readAt fills b from offset off. A reader that ends early is an error even
// where the interface allows to call it success.
func readAt(r io.ReaderAt, b []byte, off int64) error {
	n, err := r.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("%d of %d bytes at %d: %w", n, len(b), off, err)
}

// Close releases the file; it is safe to call twice.
func (f *File) Close() error {
	c := f.close
	f.close = func() error { return nil }
	return c()
}

// Metadata returns a copy of the header's free strings.
func (f *File) Metadata() map[string]string { return maps.Clone(f.meta) }

// Tensors lists the tensors in the order of their data.
func (f *File) Tensors() []Info { return slices.Clone(f.infos) }

// Info returns the description of a tensor, and whether there is one.
func (f *File) Info(name string) (Info, bool) {
	i, ok := f.index[name]
	if !ok {
		return Info{}, false
	}
	return f.infos[i], true
}

// Data returns a reader over the bytes of all tensors, in the order of Tensors.
func (f *File) Data() io.Reader { return io.NewSectionReader(f.data, 0, f.data.Size()) }

// Read copies the bytes of a tensor into dst, which must have their length.
func (f *File) Read(name string, dst []byte) error {
	info, ok := f.Info(name)
	if !ok {
		return f.errorf("no tensor %q among %d", name, len(f.infos))
	}
	if uint64(len(dst)) != info.Bytes {
		return f.errorf("tensor %q has %d bytes, the buffer %d", name, info.Bytes, len(dst))
	}
	if err := readAt(f.data, dst, int64(info.Off)); err != nil {
		return f.errorf("tensor %q: %w", name, err)
	}
	return nil
}

func (f *File) errorf(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	if f.path == "" {
		return fmt.Errorf("safetensors: %w", err)
	}
	return fmt.Errorf("safetensors: %s: %w", f.path, err)
}

// load reads a tensor and converts it with the function of its type.
func load[T any](f *File, name string, convert map[DType]func([]byte) T) ([]T, error) {
	info, ok := f.Info(name)
	if !ok {
		return nil, f.errorf("no tensor %q among %d", name, len(f.infos))
	}
	to, ok := convert[info.DType]
	if !ok {
		return nil, f.errorf("tensor %q is %s, wanted one of %v", name, info.DType, slices.Sorted(maps.Keys(convert)))
	}
	raw := make([]byte, info.Bytes)
	if err := f.Read(name, raw); err != nil {
		return nil, err
	}
	size := info.DType.Bytes()
	out := make([]T, len(raw)/size)
	for i := range out {
		out[i] = to(raw[i*size:])
	}
	return out, nil
}

func f32(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) }
func f64(b []byte) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(b)) }
func u32(b []byte) uint32  { return binary.LittleEndian.Uint32(b) }
func i64(b []byte) int64   { return int64(binary.LittleEndian.Uint64(b)) }

// Float32 returns the elements of an F32 tensor, with the bits of the file.
func (f *File) Float32(name string) ([]float32, error) {
	return load(f, name, map[DType]func([]byte) float32{F32: f32})
}

// Float64 returns the elements of an F64 or F32 tensor.
func (f *File) Float64(name string) ([]float64, error) {
	return load(f, name, map[DType]func([]byte) float64{
		F64: f64,
		F32: func(b []byte) float64 { return float64(f32(b)) },
	})
}

// Uint32 returns the elements of a U32 tensor.
func (f *File) Uint32(name string) ([]uint32, error) {
	return load(f, name, map[DType]func([]byte) uint32{U32: u32})
}

// Int64 returns the elements of an I64, I32, U32 or U8 tensor.
func (f *File) Int64(name string) ([]int64, error) {
	return load(f, name, map[DType]func([]byte) int64{
		I64: i64,
		I32: func(b []byte) int64 { return int64(int32(u32(b))) },
		U32: func(b []byte) int64 { return int64(u32(b)) },
		U8:  func(b []byte) int64 { return int64(b[0]) },
	})
}
