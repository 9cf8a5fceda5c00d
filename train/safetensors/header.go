package safetensors

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

const metadataKey = "__metadata__"

// parseHeader reads the JSON header and checks every promise of the format
// against the number of data bytes that follow it. The tensors come back in the
// order of their data.
func parseHeader(header []byte, data uint64) (map[string]string, []Info, error) {
	if len(header) == 0 || header[0] != '{' {
		return nil, nil, errors.New("header does not start with '{'")
	}
	if !utf8.Valid(header) {
		return nil, nil, errors.New("header is not valid UTF-8")
	}
	d := &decoder{json.NewDecoder(bytes.NewReader(header))}
	d.UseNumber()
	meta := map[string]string{}
	var infos []Info
	err := d.object(func(key string) error {
		if key == metadataKey {
			return d.strings(meta)
		}
		info, err := d.tensor(key)
		if err != nil {
			return fmt.Errorf("tensor %q: %w", key, err)
		}
		infos = append(infos, info)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, nil, errors.New("header goes on after its closing brace")
	}
	return meta, infos, checkPlaces(infos, data)
}

// checkPlaces sorts infos by place and demands that they cover the data without
// overlap, hole or rest.
func checkPlaces(infos []Info, data uint64) error {
	slices.SortFunc(infos, func(a, b Info) int {
		switch {
		case a.Off != b.Off:
			return compare(a.Off, b.Off)
		case a.Bytes != b.Bytes:
			return compare(a.Bytes, b.Bytes)
		}
		return bytes.Compare([]byte(a.Name), []byte(b.Name))
	})
	end, last := uint64(0), "the header"
	for _, i := range infos {
		switch {
		case i.Off+i.Bytes > data:
			return fmt.Errorf("tensor %q ends at byte %d of %d: the file is truncated or its header wrong",
				i.Name, i.Off+i.Bytes, data)
		case i.Off < end:
			return fmt.Errorf("tensor %q starts at byte %d, inside %s, which ends at %d", i.Name, i.Off, last, end)
		case i.Off > end:
			return fmt.Errorf("hole of %d bytes between %s and tensor %q", i.Off-end, last, i.Name)
		}
		end, last = i.Off+i.Bytes, fmt.Sprintf("tensor %q", i.Name)
	}
	if end != data {
		return fmt.Errorf("%d bytes follow %s: the file is longer than its header says", data-end, last)
	}
	return nil
}

func compare(a, b uint64) int {
	if a < b {
		return -1
	}
	return 1
}

// decoder reads JSON token by token, since encoding/json lets the last of two
// equal keys win in silence.
type decoder struct{ *json.Decoder }

// object reads an object and calls value with every key, in order; value must
// read what follows the key.
func (d *decoder) object(value func(key string) error) error {
	if err := d.delim('{'); err != nil {
		return err
	}
	seen := map[string]bool{}
	for d.More() {
		key, err := d.string()
		if err != nil {
			return err
		}
		if seen[key] {
			return fmt.Errorf("duplicate key %q", key)
		}
		seen[key] = true
		if err := value(key); err != nil {
			return err
		}
	}
	return d.delim('}')
}

func (d *decoder) strings(m map[string]string) error {
	return d.object(func(key string) error {
		v, err := d.string()
		if err != nil {
			return fmt.Errorf("metadata %q: %w", key, err)
		}
		m[key] = v
		return nil
	})
}

// tensor reads one entry and checks it by itself; offsets beyond the data are
// checkPlaces' business.
func (d *decoder) tensor(name string) (Info, error) {
	info := Info{Name: name}
	var dtype, shape, offsets bool
	var place []int
	err := d.object(func(key string) (err error) {
		switch key {
		case "dtype":
			dtype = true
			var s string
			s, err = d.string()
			info.DType = DType(s)
		case "shape":
			shape = true
			info.Shape, err = d.sizes()
		case "data_offsets":
			offsets = true
			place, err = d.sizes()
		default:
			err = fmt.Errorf("unknown field %q", key)
		}
		return err
	})
	if err != nil {
		return info, err
	}
	if !dtype || !shape || !offsets {
		return info, errors.New("dtype, shape and data_offsets are needed")
	}
	if len(place) != 2 || place[1] < place[0] {
		return info, fmt.Errorf("data_offsets %v are not [begin, end]", place)
	}
	want, err := sizeOf(info.DType, info.Shape)
	if err != nil {
		return info, err
	}
	info.Off, info.Bytes = uint64(place[0]), uint64(place[1]-place[0])
	if info.Bytes != want {
		return info, fmt.Errorf("%s of shape %v has %d bytes, its offsets %v span %d",
			info.DType, info.Shape, want, place, info.Bytes)
	}
	return info, nil
}

// sizes reads an array of integers in [0, 2^63).
func (d *decoder) sizes() ([]int, error) {
	if err := d.delim('['); err != nil {
		return nil, err
	}
	list := []int{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		number, ok := t.(json.Number)
		if !ok {
			return nil, fmt.Errorf("%v stands where an integer belongs", t)
		}
		n, err := strconv.ParseUint(number.String(), 10, 64)
		if err != nil || n > math.MaxInt {
			return nil, fmt.Errorf("%s is not an integer from 0 to 2^63-1", number)
		}
		list = append(list, int(n))
	}
	return list, d.delim(']')
}

func (d *decoder) string() (string, error) {
	t, err := d.Token()
	if err != nil {
		return "", err
	}
	s, ok := t.(string)
	if !ok {
		return "", fmt.Errorf("%v stands where a string belongs", t)
	}
	return s, nil
}

func (d *decoder) delim(want json.Delim) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	if t != want {
		return fmt.Errorf("%v stands where %v belongs", t, want)
	}
	return nil
}
