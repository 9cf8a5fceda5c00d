package data

import (
	"encoding/binary"
	"fmt"
)

// The magic numbers of IDX: unsigned bytes in one or three dimensions. (LeCun,
// Cortes, Burges, "The MNIST database", section "File formats".)
const (
	idxLabels = 0x00000801
	idxImages = 0x00000803
)

// readIDX reads MNIST's pair of files, images and labels.
func (s *Set) readIDX(k *known, paths []string, o Options) error {
	images, dims, err := readIDX(paths[0], idxImages, "images")
	if err != nil {
		return err
	}
	labels, count, err := readIDX(paths[1], idxLabels, "labels")
	if err != nil {
		return err
	}
	want := k.records[s.Split]
	switch {
	case dims[0] != count[0]:
		return fmt.Errorf("%s has %d images, %s has %d labels: not a pair", paths[0], dims[0], paths[1], count[0])
	case o.Foreign:
	case dims[0] != want || dims[1] != k.h || dims[2] != k.w:
		return fmt.Errorf("%s has %d images of %dx%d, the %s split of %s has %d of %dx%d: not its file",
			paths[0], dims[0], dims[1], dims[2], s.Split, k.title, want, k.h, k.w)
	}
	for i, l := range labels[idxHeader(1):] {
		if int(l) >= s.Classes {
			return fmt.Errorf("%s: label %d (byte %d) is %d, labels are below %d: damaged, or not %s",
				paths[1], i, idxHeader(1)+i, l, s.Classes, k.title)
		}
		s.Labels = append(s.Labels, uint16(l))
	}
	for i, content := range [][]byte{images, labels} {
		if err := s.verify(k.files[s.Split][i], paths[i], content, o); err != nil {
			return err
		}
	}
	s.H, s.W = dims[1], dims[2]
	s.Images = images[idxHeader(3):]
	return nil
}

// idxHeader returns the bytes before the elements.
func idxHeader(dims int) int { return 4 + 4*dims }

// readIDX returns the whole content of an IDX file of bytes, and its dimensions.
func readIDX(path string, magic uint32, what string) (content []byte, dims []int, err error) {
	if content, err = readFile(path); err != nil {
		return nil, nil, err
	}
	if dims, err = parseIDX(content, magic, what); err != nil {
		return nil, nil, fmt.Errorf("%s %w", path, err)
	}
	return content, dims, nil
}

// parseIDX returns the dimensions of an IDX file of bytes, which its content
// fills to the last byte. Its errors continue a sentence that starts with the
// name of the file.
func parseIDX(content []byte, magic uint32, what string) (dims []int, err error) {
	rank := int(magic & 0xff)
	if len(content) < idxHeader(rank) {
		return nil, fmt.Errorf("has %d bytes, an IDX file of %s has a header of %d: truncated; get it again",
			len(content), what, idxHeader(rank))
	}
	switch got := binary.BigEndian.Uint32(content); {
	case got == magic:
	case got == idxLabels || got == idxImages:
		return nil, fmt.Errorf("starts with %#08x where %s start with %#08x: images and labels are swapped",
			got, what, magic)
	default:
		return nil, fmt.Errorf("starts with %#08x, an IDX file of %s with %#08x: not such a file", got, what, magic)
	}
	size := 1
	for i := range rank {
		d := int(binary.BigEndian.Uint32(content[4+4*i:]))
		dims = append(dims, d)
		if d < 1 || d > maxContent || size > maxContent/d {
			return nil, fmt.Errorf("has a header of %v %s", dims, what)
		}
		size *= d
	}
	if got := len(content) - idxHeader(rank); got < size {
		return nil, fmt.Errorf("holds %d bytes of %s, its header promises %v, which is %d: truncated; get it again",
			got, what, dims, size)
	} else if got > size {
		return nil, fmt.Errorf("holds %d bytes of %s, its header promises %v, which is %d: the rest is foreign",
			got, what, dims, size)
	}
	return dims, nil
}
