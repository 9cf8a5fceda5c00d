package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Sort puts tensors into the order in which [Write] writes them: the widest
// elements first, so that all are aligned, then by name.
func Sort(tensors []Tensor) {
	slices.SortFunc(tensors, func(a, b Tensor) int {
		if d := b.DType.Bytes() - a.DType.Bytes(); d != 0 {
			return d
		}
		return strings.Compare(a.Name, b.Name)
	})
}

// Write writes a file that holds the tensors, in the order of [Sort], and the
// metadata. The same arguments in any order give the same bytes. Nothing is
// written if a tensor is not valid: its data must have the bytes that dtype and
// shape ask for, and names must be valid UTF-8 and differ.
func Write(w io.Writer, metadata map[string]string, tensors []Tensor) error {
	tensors = slices.Clone(tensors)
	Sort(tensors)
	header, err := encodeHeader(metadata, tensors)
	if err != nil {
		return fmt.Errorf("safetensors: %w", err)
	}
	length := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	for _, b := range [][]byte{length, header} {
		if _, err := w.Write(b); err != nil {
			return fmt.Errorf("safetensors: header: %w", err)
		}
	}
	for _, t := range tensors {
		if _, err := w.Write(t.Data); err != nil {
			return fmt.Errorf("safetensors: tensor %q: %w", t.Name, err)
		}
	}
	return nil
}

// encodeHeader returns the header for sorted tensors, padded with spaces so
// that the data begins at a multiple of 8.
func encodeHeader(metadata map[string]string, tensors []Tensor) ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	if len(metadata) > 0 {
		for k, v := range metadata {
			if !utf8.ValidString(k) || !utf8.ValidString(v) {
				return nil, fmt.Errorf("metadata %q is not valid UTF-8", k)
			}
		}
		b.WriteString(quote(metadataKey) + ":{")
		for i, k := range slices.Sorted(maps.Keys(metadata)) {
			comma(&b, i)
			b.WriteString(quote(k) + ":" + quote(metadata[k]))
		}
		b.WriteString("}")
	}
	seen, off := map[string]bool{}, uint64(0)
	for i, t := range tensors {
		size, err := checkTensor(t, seen)
		if err != nil {
			return nil, err
		}
		comma(&b, i+len(metadata))
		shape := strings.Join(strings.Fields(fmt.Sprint(t.Shape)), ",")
		fmt.Fprintf(&b, `%s:{"dtype":%s,"shape":%s,"data_offsets":[%d,%d]}`,
			quote(t.Name), quote(string(t.DType)), shape, off, off+size)
		off += size
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	if b.Len() > MaxHeader {
		return nil, fmt.Errorf("header of %d bytes, at most %d can be read again", b.Len(), MaxHeader)
	}
	return b.Bytes(), nil
}

func checkTensor(t Tensor, seen map[string]bool) (uint64, error) {
	size, err := sizeOf(t.DType, t.Shape)
	switch {
	case err != nil:
	case t.Name == metadataKey:
		err = errors.New("the name is reserved")
	case !utf8.ValidString(t.Name):
		err = errors.New("the name is not valid UTF-8")
	case seen[t.Name]:
		err = errors.New("two tensors have this name")
	case uint64(len(t.Data)) != size:
		err = fmt.Errorf("%s of shape %v has %d bytes, the data %d", t.DType, t.Shape, size, len(t.Data))
	}
	if err != nil {
		return 0, fmt.Errorf("tensor %q: %w", t.Name, err)
	}
	seen[t.Name] = true
	return size, nil
}

func comma(b *bytes.Buffer, i int) {
	if i > 0 {
		b.WriteByte(',')
	}
}

// quote returns s, valid UTF-8, as a JSON string.
func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic("safetensors: a string is always JSON: " + err.Error())
	}
	return string(b)
}
