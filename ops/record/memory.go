package record

import (
	"encoding/binary"
	"errors"
	"fmt"

	"sparsevk/gpu"
	"sparsevk/ops"
)

// Memory is the arena of a plan on a device: the device address space in
// chunks, one buffer each, and the host-visible one in one mapped buffer.
type Memory struct {
	dev    *gpu.Device
	chunk  uint64
	device []*gpu.Buffer
	host   *gpu.Buffer
}

// A ShortError says that the device ran out of memory before all of a plan was
// allocated.
type ShortError struct {
	Part         string // which buffer
	Bytes        uint64 // of that buffer
	Got, Planned uint64 // bytes that were allocated before, and of the whole plan
	Cause        error
}

// Error names the part that was not handed out, and how far the plan had come.
func (e *ShortError) Error() string {
	return fmt.Sprintf("record: %s of %d bytes, after %d of %d planned: %v", e.Part, e.Bytes, e.Got, e.Planned, e.Cause)
}

// Unwrap returns what the device said.
func (e *ShortError) Unwrap() error { return e.Cause }

// NewMemory allocates what p describes. On failure nothing stays allocated; the
// error is a *ShortError if the memory did not suffice.
func NewMemory(dev *gpu.Device, p *ops.Plan) (*Memory, error) {
	m := &Memory{dev: dev, chunk: p.Chunk}
	var got uint64
	allocate := func(n uint64, kind gpu.Kind, part string) (*gpu.Buffer, error) {
		b, err := dev.NewBuffer(n, kind, part)
		switch {
		case errors.Is(err, gpu.ErrOutOfMemory):
			err = &ShortError{part, n, got, p.Total(), err}
		case err != nil:
			err = fmt.Errorf("record: %s of %d bytes: %w", part, n, err)
		}
		if err != nil {
			return nil, errors.Join(err, m.Close())
		}
		got += n
		return b, nil
	}
	for left := p.DeviceBytes(); left > 0; {
		n := min(left, p.Chunk)
		b, err := allocate(n, gpu.DeviceLocal, fmt.Sprintf("arena %d", len(m.device)))
		if err != nil {
			return nil, err
		}
		m.device = append(m.device, b)
		left -= n
	}
	if n := p.HostBytes(); n > 0 {
		b, err := allocate(n, gpu.HostVisible, "staging")
		if err != nil {
			return nil, err
		}
		m.host = b
	}
	return m, nil
}

// Close frees the memory; it is safe twice.
func (m *Memory) Close() error {
	var errs []error
	for _, b := range m.device {
		errs = append(errs, b.Close())
	}
	if m.host != nil {
		errs = append(errs, m.host.Close())
	}
	m.device, m.host = nil, nil
	return errors.Join(errs...)
}

// at returns the buffer of an address range and the offset in it.
func (m *Memory) at(host bool, off, n uint64) (gpu.Range, error) {
	if host {
		return gpu.Range{Buffer: m.host, Off: off, Bytes: n}, nil
	}
	i := off / m.chunk
	if i >= uint64(len(m.device)) || (off+n-1)/m.chunk != i {
		return gpu.Range{}, fmt.Errorf("record: bytes [%d,%d) cross a chunk of %d bytes or lie outside of the arena", off, off+n, m.chunk)
	}
	return gpu.Range{Buffer: m.device[i], Off: off - i*m.chunk, Bytes: n}, nil
}

// Upload copies words to the elements of v, which must be as many; of 16-bit
// elements a word holds the bits.
func (m *Memory) Upload(v ops.View, words []uint32) error {
	if uint64(len(words)) != v.Elems() {
		return fmt.Errorf("record: upload of %d words to %v, which has %d", len(words), v, v.Elems())
	}
	b := make([]byte, 0, uint64(len(words))*v.Block.Precision.Bytes())
	for _, w := range words {
		if v.Block.Precision == ops.FP32 {
			b = binary.LittleEndian.AppendUint32(b, w)
		} else {
			b = binary.LittleEndian.AppendUint16(b, uint16(w))
		}
	}
	return m.UploadBytes(v, b)
}

// UploadFloats copies values, rounded to the precision of v, to its elements, which
// must be as many.
func (m *Memory) UploadFloats(v ops.View, values []float32) error {
	words := make([]uint32, len(values))
	for i, x := range values {
		words[i] = v.Block.Precision.Encode(x)
	}
	return m.Upload(v, words)
}

// UploadBytes copies b to the start of v.
func (m *Memory) UploadBytes(v ops.View, b []byte) error {
	lo, hi := v.Bytes()
	if uint64(len(b)) > hi-lo {
		return fmt.Errorf("record: upload of %d bytes to %v, which has %d", len(b), v, hi-lo)
	}
	if len(b) == 0 {
		return nil
	}
	r, err := m.at(v.Block.Host(), lo, uint64(len(b)))
	if err != nil {
		return err
	}
	return m.dev.Upload(r.Buffer, r.Off, b)
}

// Download returns the elements of v as words, as Upload takes them.
func (m *Memory) Download(v ops.View) ([]uint32, error) {
	b, err := m.DownloadBytes(v)
	if err != nil {
		return nil, err
	}
	words := make([]uint32, v.Elems())
	for i := range words {
		if v.Block.Precision == ops.FP32 {
			words[i] = binary.LittleEndian.Uint32(b[4*i:])
		} else {
			words[i] = uint32(binary.LittleEndian.Uint16(b[2*i:]))
		}
	}
	return words, nil
}

// DownloadBytes returns the bytes of v.
func (m *Memory) DownloadBytes(v ops.View) ([]byte, error) {
	lo, hi := v.Bytes()
	b := make([]byte, hi-lo)
	if len(b) == 0 {
		return b, nil
	}
	r, err := m.at(v.Block.Host(), lo, hi-lo)
	if err != nil {
		return nil, err
	}
	return b, m.dev.Download(r.Buffer, r.Off, b)
}

// DownloadFloats returns the elements of v as floats.
func (m *Memory) DownloadFloats(v ops.View) ([]float32, error) {
	words, err := m.Download(v)
	f := make([]float32, len(words))
	for i, w := range words {
		f[i] = v.Block.Precision.Decode(w)
	}
	return f, err
}

// Mapped returns the bytes of a staging view: what the host writes there before
// a submission the device sees, and the other way round after it.
func (m *Memory) Mapped(v ops.View) []byte {
	lo, hi := v.Bytes()
	return m.host.Mapped()[lo:hi]
}
