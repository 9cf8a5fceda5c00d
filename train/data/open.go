package data

import (
	"compress/gzip"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ErrForeign says that a file is well formed but not the published one.
var ErrForeign = errors.New("not the published file")

// Options change how [Open] reads files.
type Options struct {
	// Foreign accepts files of the right format that are not the published
	// ones: any number of images, any content. The default is to refuse them,
	// since a wrong byte in an image or a label shows nowhere else.
	Foreign bool
}

// Open reads a split of one of the sets in [Names] from dir, or from the folder
// in dir that the set's archive unpacks to. An empty dir means the places where
// package managers put the set. Files may be gzipped.
//
// Every file is checked: its size, its header, the range of its labels, and its
// SHA-256 against the published one where we know it ([ErrForeign]). Errors name
// the file.
func Open(name, dir string, split Split, o Options) (*Set, error) {
	k := lookUp(name)
	if k == nil {
		return nil, unknown(name)
	}
	paths, err := k.find(dir, split)
	if err != nil {
		return nil, fmt.Errorf("data: %s: %w", name, err)
	}
	s := &Set{
		Name: name, Split: split, H: k.h, W: k.w, C: k.c, Classes: len(k.classes),
		Mean: k.mean, Std: k.std, ClassNames: k.classes,
	}
	read := s.readRecords
	if k.idx {
		read = s.readIDX
	}
	err = read(k, paths, o)
	if errors.Is(err, ErrForeign) {
		err = fmt.Errorf("%w; get it again if it is damaged, or allow foreign files (--foreign) if it is meant", err)
	}
	if err != nil {
		return nil, fmt.Errorf("data: %s: %w", name, err)
	}
	return s, s.Check()
}

func unknown(name string) error {
	return fmt.Errorf("data: unknown data set %q, known are %s", name, strings.Join(Names(), ", "))
}

// find returns the paths of a split's files, all from the first folder that has
// any of them.
func (k *known) find(dir string, split Split) ([]string, error) {
	folders := []string{dir, filepath.Join(dir, k.folder)}
	if dir == "" {
		folders = k.defaults
	}
	first := k.files[split][0].names[0]
	for _, folder := range folders {
		var paths []string
		var missing []string
		for _, f := range k.files[split] {
			path, err := f.in(folder)
			switch {
			case err != nil:
				return nil, err
			case path == "":
				missing = append(missing, f.names[0])
			default:
				paths = append(paths, path)
			}
		}
		switch {
		case len(missing) == 0:
			return paths, nil
		case len(paths) > 0:
			return nil, fmt.Errorf("%s is missing in %s, which has %d of the %d files of the %s split: %s",
				strings.Join(missing, ", "), folder, len(paths), len(k.files[split]), split, k.wayOut(dir))
		}
	}
	if len(folders) == 0 {
		return nil, fmt.Errorf("no folder is named, and no package installs %s: %s", k.title, k.wayOut("DIR"))
	}
	return nil, fmt.Errorf("no %s, gzipped or not, in %s: %s", first, strings.Join(folders, " or "), k.wayOut(dir))
}

func (k *known) wayOut(dir string) string {
	if dir == "" {
		dir = "DIR"
	}
	from := ""
	if len(k.defaults) == 0 {
		from = " --from ARCHIVE"
	}
	return fmt.Sprintf("name the folder that holds the files, or make them with 'sparsenet data import %s%s --data %s' from %s",
		k.name, from, dir, k.carriers())
}

// in returns the path of the file in folder, "" if it is not there.
func (f published) in(folder string) (string, error) {
	for _, name := range f.names {
		for _, suffix := range []string{"", ".gz"} {
			path := filepath.Join(folder, name+suffix)
			stat, err := os.Stat(path)
			switch {
			case errors.Is(err, fs.ErrNotExist):
			case err != nil:
				return "", err
			case !stat.Mode().IsRegular():
				return "", fmt.Errorf("%s is not a regular file", path)
			default:
				return path, nil
			}
		}
	}
	return "", nil
}

// maxContent is the most that is unpacked of one file, in bytes: an archive of
// zeros must not fill the memory.
const maxContent = 1 << 31

// readFile returns the content of the file, unpacked if its name ends in .gz.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil {
		return nil, err
	}
	var r io.Reader = f
	size := stat.Size()
	if strings.HasSuffix(path, ".gz") {
		z, err := gzip.NewReader(f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		defer z.Close()
		r, size = z, 2*size
	}
	if size > maxContent {
		return nil, fmt.Errorf("%s: %d bytes, at most %d are read", path, stat.Size(), maxContent)
	}
	content := make([]byte, 0, size+512)
	content, err = appendAll(content, io.LimitReader(r, maxContent+1))
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, fmt.Errorf("%s: truncated after %d bytes of content: get it again", path, len(content))
	case err != nil:
		return nil, fmt.Errorf("%s: %w", path, err)
	case len(content) > maxContent:
		return nil, fmt.Errorf("%s: more than %d bytes unpacked", path, maxContent)
	}
	return content, nil
}

// appendAll is io.ReadAll into a slice with room.
func appendAll(b []byte, r io.Reader) ([]byte, error) {
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
}

// verify records the file in s and compares its hash with the published one.
func (s *Set) verify(f published, path string, content []byte, o Options) error {
	sum := sha256.Sum256(content)
	file := File{Path: path, Bytes: len(content), SHA256: hex.EncodeToString(sum[:])}
	kind, got := "SHA-256", file.SHA256
	if len(f.sum) == hex.EncodedLen(sha1.Size) {
		sum := sha1.Sum(content)
		kind, got = "SHA-1", hex.EncodeToString(sum[:])
	}
	file.Known = got == f.sum
	s.Files = append(s.Files, file)
	if file.Known || o.Foreign {
		return nil
	}
	if other := owner(got); other != "" {
		return fmt.Errorf("%s holds %s: %w", path, other, ErrForeign)
	}
	return fmt.Errorf("%s has %s %s, published is %s: %w", path, kind, got, f.sum, ErrForeign)
}
