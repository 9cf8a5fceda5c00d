package durable

import (
	"errors"
	"io/fs"
	"os"
)

// ErrNotRegular says that something is no file with a size and a beginning.
var ErrNotRegular = errors.New("not a regular file")

// Open opens a regular file to read, and returns its size in bytes. Anything else
// gives ErrNotRegular, without being opened: to open a pipe is to wait for its writer.
// Errors leave it to the caller to name the path.
func Open(path string) (f *os.File, size int64, err error) {
	stat, err := os.Stat(path)
	if err == nil && !stat.Mode().IsRegular() {
		err = ErrNotRegular
	}
	if err == nil {
		f, err = os.Open(path)
	}
	if err != nil {
		return nil, 0, cause(err)
	}
	if stat, err = f.Stat(); err != nil { // of this very file
		f.Close()
		return nil, 0, cause(err)
	}
	return f, stat.Size(), nil
}

// cause is err without the path.
func cause(err error) error {
	if named := (*fs.PathError)(nil); errors.As(err, &named) {
		return named.Err
	}
	return err
}
