package data

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"sparsevk/train/internal/download"
	"sparsevk/train/internal/durable"
)

// FetchOptions change how [Fetch] works. The zero value gets a set from its own
// home.
type FetchOptions struct {
	// Mirror is the address of a folder that holds the set's archives, by the
	// names that they have at home, which is then not asked.
	Mirror string
	// Client makes the requests; nil means http.DefaultClient.
	Client *http.Client
	// Progress, if not nil, is told of the bytes that have arrived of an archive;
	// total is -1 where the server does not say.
	Progress func(archive string, done, total int64)

	pause time.Duration // see download.Options; tests do not wait
}

// The folders that a fetch makes beside the set's own. Their names begin with a
// dot: nothing in them is whole.
const (
	downloadsPrefix = ".sparsevk-fetch-"
	unpackSuffix    = "-unpacked"
)

// maxDownload is the most that is taken of one archive, in bytes; the largest
// has 170 MB.
const maxDownload = 1 << 29

// Fetch downloads a data set from its home into the folder of dir where [Open]
// looks for it, and returns its files. A transfer that was interrupted goes on
// where it stopped. Archives are compared with the hashes that their homes
// publish, and files with the published ones; they are unpacked aside and renamed,
// so that the set is there whole or not at all. A set that is there already is
// checked and left alone.
func Fetch(ctx context.Context, name, dir string, o FetchOptions) ([]File, error) {
	k := lookUp(name)
	if k == nil {
		return nil, unknown(name)
	}
	if files, err := k.present(dir); err == nil {
		return files, nil
	}
	files, err := k.fetch(ctx, dir, o)
	if err != nil {
		return nil, fmt.Errorf("data: fetch %s: %w", name, err)
	}
	return files, nil
}

// present returns the files of both splits, if they are all there and right.
func (k *known) present(dir string) (files []File, err error) {
	for _, split := range []Split{Train, Test} {
		s, err := Open(k.name, filepath.Join(dir, k.folder), split, Options{})
		if err != nil {
			return nil, err
		}
		files = append(files, s.Files...)
	}
	return files, nil
}

func (k *known) fetch(ctx context.Context, dir string, o FetchOptions) ([]File, error) {
	downloads := filepath.Join(dir, downloadsPrefix+k.folder)
	if err := os.MkdirAll(downloads, 0o777); err != nil {
		return nil, err
	}
	lock := flock.New(filepath.Join(downloads, "lock"))
	if locked, err := lock.TryLock(); err != nil || !locked {
		return nil, errors.Join(err, fmt.Errorf("another process fetches into %s: wait for it", downloads))
	}
	defer lock.Close()
	homes := k.homes
	if o.Mirror != "" {
		homes = []string{o.Mirror}
	}
	if err := k.download(ctx, homes, downloads, o); err != nil {
		removeUnused(downloads)
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%w: what has arrived is kept, and another fetch goes on from it", err)
		}
		return nil, fmt.Errorf("%w; where it cannot be reached, 'sparsenet data import %s --from FILE --data %s' makes the same files from %s",
			err, k.name, dir, k.carriers())
	}
	aside := downloads + unpackSuffix
	if err := os.RemoveAll(aside); err != nil { // what a killed process left
		return nil, err
	}
	defer os.RemoveAll(aside)
	from := downloads
	if len(k.archives) == 1 {
		from = filepath.Join(downloads, k.archives[0].name)
	}
	files, err := k.importFrom(ctx, source(from), aside)
	if err != nil && ctx.Err() == nil { // an archive of unknown hash, or a home that changed its files
		err = errors.Join(err, os.RemoveAll(downloads))
	}
	if err != nil {
		return nil, err
	}
	if err := install(aside, filepath.Join(dir, k.folder), files); err != nil {
		return nil, err
	}
	return files, os.RemoveAll(downloads)
}

// download gets all archives from the first home that has them.
func (k *known) download(ctx context.Context, homes []string, folder string, o FetchOptions) error {
	var failed error
	for _, home := range homes {
		err := k.downloadFrom(ctx, home, folder, o)
		switch {
		case err == nil || ctx.Err() != nil:
			return err
		case failed == nil:
			failed = err
		default:
			failed = fmt.Errorf("%w; and %w", failed, err)
		}
	}
	return failed
}

func (k *known) downloadFrom(ctx context.Context, home, folder string, o FetchOptions) error {
	for _, a := range k.archives {
		progress := func(int64, int64) {}
		if o.Progress != nil {
			progress = func(done, total int64) { o.Progress(a.name, done, total) }
		}
		f := download.File{
			URL: strings.TrimSuffix(home, "/") + "/" + a.name, Path: filepath.Join(folder, a.name), Max: maxDownload, MD5: a.md5,
		}
		if err := download.Get(ctx, f, download.Options{Client: o.Client, Progress: progress, Pause: o.pause}); err != nil {
			return err
		}
	}
	return nil
}

// removeUnused removes a downloads folder in which nothing has arrived.
func removeUnused(downloads string) {
	if entries, err := os.ReadDir(downloads); err == nil && len(entries) == 1 { // the lock
		_ = os.RemoveAll(downloads) // an empty folder that stays does no harm
	}
}

// install gives the files in the folder aside their place: all at once where
// there is none yet, else one by one, each replaced whole.
func install(aside, folder string, files []File) error {
	_, err := os.Stat(folder)
	switch {
	case errors.Is(err, os.ErrNotExist):
		err = os.Rename(aside, folder)
	case err == nil:
		for _, f := range files {
			if err = os.Rename(f.Path, filepath.Join(folder, filepath.Base(f.Path))); err != nil {
				break
			}
		}
	}
	if err != nil {
		return err
	}
	for i := range files {
		files[i].Path = filepath.Join(folder, filepath.Base(files[i].Path))
	}
	return errors.Join(durable.OS{}.SyncDir(folder), durable.OS{}.SyncDir(filepath.Dir(folder)))
}
