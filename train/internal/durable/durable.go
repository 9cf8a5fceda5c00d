// Package durable writes files that are there whole or not at all, whenever the
// process dies or the machine loses power: a temporary file in the same folder,
// synced, renamed over the target, and the folder synced. What is read is opened here
// too. Packages train and train/data use it, and those of files of networks.
package durable

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// A Disk is where files are written. Tests put one that fails in the place of
// the operating system's.
type Disk interface {
	Create(path string) (File, error) // fails if the file exists
	Rename(from, to string) error
	Remove(path string) error
	SyncDir(dir string) error
}

// A File is a file being written.
type File interface {
	io.Writer
	Sync() error
	Close() error
}

// OS is the disk of the operating system.
type OS struct{}

// Create makes a file that does not exist yet.
func (OS) Create(path string) (File, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
}

// Rename replaces to with from.
func (OS) Rename(from, to string) error { return os.Rename(from, to) }

// Remove deletes a file.
func (OS) Remove(path string) error { return os.Remove(path) }

// Names of temporary files: hidden, so that no pattern for data matches them.
const (
	tempPrefix = ".sparsevk-"
	tempSuffix = ".tmp"
)

// Write makes the file at path hold what write writes. On an error the file
// that was there before is untouched, and the temporary one is removed. The
// error of write is returned wrapped.
func Write(d Disk, path string, write func(io.Writer) error) error {
	dir := filepath.Dir(path)
	temp := filepath.Join(dir, fmt.Sprintf("%s%016x%s", tempPrefix, rand.Uint64(), tempSuffix))
	f, err := d.Create(temp)
	if err != nil {
		return fmt.Errorf("%s: no file can be made in %s: %w", path, dir, cause(err)) // the temporary name tells nobody anything
	}
	err = fill(f, write)
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = d.Rename(temp, path)
	}
	if err != nil {
		if removing := d.Remove(temp); removing != nil && !errors.Is(removing, fs.ErrNotExist) {
			err = fmt.Errorf("%w; and %s is left behind: %w", err, temp, removing)
		}
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := d.SyncDir(dir); err != nil {
		return fmt.Errorf("%s: folder: %w", path, err)
	}
	return nil
}

func fill(f File, write func(io.Writer) error) error {
	b := bufio.NewWriterSize(f, 1<<20)
	if err := write(b); err != nil {
		return err
	}
	if err := b.Flush(); err != nil {
		return err
	}
	return f.Sync()
}

// Sweep removes the temporary files that killed processes left in dir. Nobody
// may be writing there.
func Sweep(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), tempPrefix) && strings.HasSuffix(e.Name(), tempSuffix) {
			errs = append(errs, os.Remove(filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(errs...)
}
