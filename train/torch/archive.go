package torch

import (
	"archive/zip"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strings"
)

// zipped is the archive of torch.save since PyTorch 1.6: folder/data.pkl and one
// entry folder/data/KEY per storage, all stored without compression.
type zipped struct {
	folder  string // with the slash at its end
	pickle  *zip.File
	entries map[string]*zip.File
}

func readZip(r io.ReaderAt, size int64) (any, archive, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, nil, fmt.Errorf("zip archive: %w", err)
	}
	a := &zipped{entries: map[string]*zip.File{}}
	if err := a.index(z.File, size); err != nil {
		return nil, nil, err
	}
	if e := a.entries[a.folder+"byteorder"]; e != nil {
		order, err := readEntry(e, 16)
		if err != nil {
			return nil, nil, err
		}
		if s := strings.TrimSpace(string(order)); s != "little" {
			return nil, nil, fmt.Errorf("byte order %q: only little-endian files are read", s)
		}
	}
	pickle, err := readEntry(a.pickle, maxPickle)
	if err != nil {
		return nil, nil, err
	}
	m := &machine{data: pickle, persistent: persistent, call: call}
	root, err := m.run()
	if err != nil {
		return nil, nil, fmt.Errorf("data.pkl: %w", err)
	}
	return root, a, nil
}

// index files the entries by name and demands that none is compressed or shares
// bytes with another: then the archive cannot hold more than its own size.
func (a *zipped) index(files []*zip.File, size int64) error {
	if len(files) > maxEntries {
		return fmt.Errorf("zip archive of %d entries, at most %d are read", len(files), maxEntries)
	}
	type span struct {
		lo, hi int64
		name   string
	}
	var spans []span
	for _, e := range files {
		lo, err := e.DataOffset()
		switch {
		case err != nil:
			return fmt.Errorf("zip entry %q: %w", e.Name, err)
		case e.Method != zip.Store || e.CompressedSize64 != e.UncompressedSize64:
			return fmt.Errorf("zip entry %q is compressed, which torch.save never does", e.Name)
		case e.CompressedSize64 > uint64(size) || lo < 0 || lo > size-int64(e.CompressedSize64):
			return fmt.Errorf("zip entry %q of %d bytes at %d lies outside of the file's %d", e.Name, e.CompressedSize64, lo, size)
		case a.entries[e.Name] != nil:
			return fmt.Errorf("zip entry %q is there twice", e.Name)
		}
		a.entries[e.Name] = e
		spans = append(spans, span{lo, lo + int64(e.CompressedSize64), e.Name})
		if folder, ok := strings.CutSuffix(e.Name, "data.pkl"); ok && (folder == "" || strings.HasSuffix(folder, "/")) {
			if a.pickle != nil {
				return errors.New("zip archive with two pickles called data.pkl")
			}
			a.folder, a.pickle = folder, e
		}
	}
	if a.pickle == nil {
		return errors.New("zip archive without data.pkl: not a file of torch.save")
	}
	slices.SortFunc(spans, func(x, y span) int { return cmp.Compare(x.lo, y.lo) })
	for i := 1; i < len(spans); i++ {
		if spans[i].lo < spans[i-1].hi {
			return fmt.Errorf("zip entries %q and %q overlap", spans[i-1].name, spans[i].name)
		}
	}
	return nil
}

func readEntry(e *zip.File, most uint64) ([]byte, error) {
	if e.UncompressedSize64 > most {
		return nil, fmt.Errorf("%s has %d bytes, at most %d are read", e.Name, e.UncompressedSize64, most)
	}
	r, err := e.Open()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", e.Name, err)
	}
	defer r.Close()
	b := make([]byte, e.UncompressedSize64)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, fmt.Errorf("%s: %w", e.Name, err)
	}
	if _, err := io.ReadFull(r, make([]byte, 1)); err != io.EOF { // where the checksum is compared
		return nil, fmt.Errorf("%s: %w", e.Name, err)
	}
	return b, nil
}

func (a *zipped) entry(s storage) (*zip.File, error) {
	e := a.entries[a.folder+"data/"+s.key]
	if e == nil {
		return nil, fmt.Errorf("storage %q is not in the archive", s.key)
	}
	return e, nil
}

func (a *zipped) size(s storage) (int64, error) {
	e, err := a.entry(s)
	if err != nil {
		return 0, err
	}
	return int64(e.UncompressedSize64), nil
}

func (a *zipped) read(s storage) ([]byte, error) {
	e, err := a.entry(s)
	if err != nil {
		return nil, err
	}
	return readEntry(e, e.UncompressedSize64)
}

// legacy is the form before PyTorch 1.6: pickles of a magic number, the protocol,
// the writer's system, the object and the list of its storages' keys, then each
// storage as a count of elements and the elements.
type legacy struct {
	r      io.ReaderAt
	places map[string][2]int64 // first byte and number of bytes
}

// legacyMagic is the first pickle of a legacy file.
var legacyMagic, _ = new(big.Int).SetString("1950a86a20f9469cfc6c", 16)

func readLegacy(r io.ReaderAt, size int64) (any, archive, error) {
	data := make([]byte, min(size, maxPickle))
	if n, err := r.ReadAt(data, 0); n < len(data) {
		return nil, nil, err
	}
	elements := map[string]storage{}
	m := &machine{data: data, call: call, persistent: func(id any) (any, error) {
		v, err := persistent(id)
		if s, ok := v.(storage); ok {
			elements[s.key] = s
		}
		return v, err
	}}
	var parts [5]any
	for i := range parts {
		var err error
		if parts[i], err = m.run(); err != nil {
			return nil, nil, fmt.Errorf("pickle %d of the file: %w", i+1, err)
		}
		if magic, ok := parts[0].(*big.Int); !ok || magic.Cmp(legacyMagic) != 0 {
			return nil, nil, errors.New("a pickle that torch.save did not write")
		}
	}
	if system, ok := parts[2].(*dict); ok {
		if little, ok := system.get("little_endian"); ok && little != true {
			return nil, nil, errors.New("written on a big-endian machine: only little-endian files are read")
		}
	}
	keys, ok := parts[4].(*list)
	if !ok {
		return nil, nil, errors.New("no list of storages after the object")
	}
	a := &legacy{r, map[string][2]int64{}}
	return parts[3], a, a.index(keys.items, elements, int64(m.pos), size)
}

// index finds the storages, one after the other from byte at on.
func (a *legacy) index(keys []any, elements map[string]storage, at, size int64) error {
	for _, k := range keys {
		key, _ := k.(string)
		s, ok := elements[key]
		if !ok || s.dtype.Bytes() == 0 {
			return fmt.Errorf("storage %q is listed, but of no known type", key)
		}
		if _, twice := a.places[key]; twice {
			return fmt.Errorf("storage %q is there twice", key)
		}
		var count [8]byte
		if n, err := a.r.ReadAt(count[:], at); n < len(count) {
			return fmt.Errorf("storage %q at byte %d: the file is truncated: %w", key, at, err)
		}
		at += 8
		n, width := int64(binary.LittleEndian.Uint64(count[:])), int64(s.dtype.Bytes())
		if n < 0 || n > (size-at)/width {
			return fmt.Errorf("storage %q at byte %d has %d elements of %s: the file is truncated or damaged", key, at, n, s.dtype)
		}
		a.places[key] = [2]int64{at, n * width}
		at += n * width
	}
	if at != size {
		return fmt.Errorf("%d bytes follow the last storage", size-at)
	}
	return nil
}

func (a *legacy) size(s storage) (int64, error) {
	p, ok := a.places[s.key]
	if !ok {
		return 0, fmt.Errorf("storage %q is not in the file", s.key)
	}
	return p[1], nil
}

func (a *legacy) read(s storage) ([]byte, error) {
	p := a.places[s.key]
	b := make([]byte, p[1])
	if n, err := a.r.ReadAt(b, p[0]); n < len(b) {
		return nil, err
	}
	return b, nil
}
