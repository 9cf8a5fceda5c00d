package torch

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"sparsevk/train/internal/durable"
	"sparsevk/train/safetensors"
)

// Bounds of what is read.
const (
	maxPickle  = 32 << 20 // bytes of the pickle; that of a network of 1,000 layers has 2 MiB
	maxEntries = 1 << 20  // of the zip archive
)

// stateKeys are where training programs put the state_dict in a larger dict.
var stateKeys = []string{"state_dict", "model_state_dict", "model", "net"}

// A File is an open checkpoint whose pickle was read. It is not safe for
// concurrent use.
type File struct {
	path    string
	close   func() error
	infos   []safetensors.Info
	tensors map[string]*tensor
	places  archive
	// The storage that was read last: PyTorch lets tensors share one.
	key string
	raw []byte
}

// An archive knows where the storages are.
type archive interface {
	// size returns the bytes of a storage.
	size(s storage) (int64, error)
	// read returns them.
	read(s storage) ([]byte, error)
}

// Open reads the pickle of the file at path, and checks that every storage that it
// names is there. The caller closes the file.
func Open(path string) (*File, error) {
	f, size, err := durable.Open(path)
	if err != nil {
		return nil, fmt.Errorf("torch: %s: %w", path, err)
	}
	file, err := newFile(f, size)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("torch: %s: %w", path, err)
	}
	file.path, file.close = path, f.Close
	return file, nil
}

// NewFile is Open for a file of the given size in bytes.
func NewFile(r io.ReaderAt, size int64) (*File, error) {
	f, err := newFile(r, size)
	if err != nil {
		return nil, fmt.Errorf("torch: %w", err)
	}
	return f, nil
}

func newFile(r io.ReaderAt, size int64) (*File, error) {
	head := make([]byte, min(4, size))
	if _, err := r.ReadAt(head, 0); err != nil && err != io.EOF {
		return nil, err
	}
	var root any
	var places archive
	var err error
	switch {
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		root, places, err = readZip(r, size)
	case bytes.HasPrefix(head, []byte{0x80}):
		root, places, err = readLegacy(r, size)
	default:
		err = errors.New("neither a zip archive nor a pickle: not a file of torch.save, or damaged")
	}
	if err != nil {
		return nil, err
	}
	f := &File{close: func() error { return nil }, tensors: map[string]*tensor{}, places: places}
	state, err := stateDict(root)
	if err != nil {
		return nil, err
	}
	return f, f.index(state)
}

// stateDict finds the dict of tensors in what the pickle made: under one of
// stateKeys, or the dict itself.
func stateDict(root any) (*dict, error) {
	d, ok := root.(*dict)
	for range 3 { // deeper is no checkpoint
		inner := d.under(stateKeys)
		if inner == nil {
			break
		}
		root = inner
		if d, ok = inner.(*dict); !ok {
			break
		}
	}
	if o, isOpaque := root.(opaque); isOpaque {
		return nil, fmt.Errorf("it holds an object of class %v, which is code: in PyTorch, save model.state_dict() instead of the model", o.class)
	}
	if ok {
		for _, v := range d.values {
			if _, ok := v.(*tensor); ok {
				return d, nil
			}
		}
	}
	return nil, fmt.Errorf("no dict of tensors, neither alone nor under %s: in PyTorch, save model.state_dict()", strings.Join(stateKeys, ", "))
}

// under returns the first dict or object under one of the keys, nil if there is none.
func (d *dict) under(keys []string) any {
	if d == nil {
		return nil
	}
	for _, key := range keys {
		v, _ := d.get(key)
		switch v.(type) {
		case *dict, opaque:
			return v
		}
	}
	return nil
}

// index lists the tensors of the dict and holds them against their storages.
func (f *File) index(d *dict) error {
	for i, v := range d.values {
		t, ok := v.(*tensor)
		name, ok2 := d.keys[i].(string)
		if !ok || !ok2 {
			continue // counters and the like
		}
		if f.tensors[name] != nil {
			return fmt.Errorf("two tensors are called %q", name)
		}
		if t.dtype.Bytes() == 0 {
			return fmt.Errorf("tensor %q: its elements have a type that is not read", name)
		}
		have, err := f.places.size(t.storage)
		if err != nil {
			return fmt.Errorf("tensor %q: %w", name, err)
		}
		if want := t.storage.elems; want > have/int64(t.dtype.Bytes()) {
			return fmt.Errorf("tensor %q: storage %q has %d bytes, too few for %d elements of %s", name, t.key, have, want, t.dtype)
		}
		f.tensors[name] = t
		f.infos = append(f.infos, safetensors.Info{Name: name, DType: t.dtype, Shape: t.shape, Bytes: uint64(t.bytes)})
	}
	return nil
}

// Close releases the file; it is safe to call twice.
func (f *File) Close() error {
	c := f.close
	f.close = func() error { return nil }
	return c()
}

// Tensors lists the tensors of the state_dict, in its order.
func (f *File) Tensors() []safetensors.Info { return f.infos }

// Read copies the elements of a tensor, little-endian, the last dimension fastest,
// into dst, which must have their length.
func (f *File) Read(name string, dst []byte) error {
	t := f.tensors[name]
	switch {
	case t == nil:
		return f.errorf("no tensor %q among %d", name, len(f.infos))
	case int64(len(dst)) != t.bytes:
		return f.errorf("tensor %q has %d bytes, the buffer %d", name, t.bytes, len(dst))
	case t.elems == 0:
		return nil
	}
	if f.raw == nil || f.key != t.key {
		raw, err := f.places.read(t.storage)
		if err != nil {
			return f.errorf("tensor %q: storage %q: %w", name, t.key, err)
		}
		f.key, f.raw = t.key, raw
	}
	if t.storage.elems > int64(len(f.raw)/t.dtype.Bytes()) {
		return f.errorf("tensor %q: storage %q has %d bytes, too few for %d elements of %s", name, t.key, len(f.raw), t.storage.elems, t.dtype)
	}
	t.gather(dst, f.raw)
	return nil
}

func (f *File) errorf(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	if f.path == "" {
		return fmt.Errorf("torch: %w", err)
	}
	return fmt.Errorf("torch: %s: %w", f.path, err)
}
