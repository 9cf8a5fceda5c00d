// Package download gets files over HTTP so that nothing that has arrived is
// fetched twice and nothing half is taken for whole: bytes go to a .part file,
// an interrupted transfer goes on where it stopped, and the file gets its name
// once its length and its hash are right. Package train/data uses it.
package download

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"sparsevk/train/internal/durable"
)

// ErrSum says that what arrived is not what was published.
var ErrSum = errors.New("not the published file")

// A File is what to get.
type File struct {
	URL  string
	Path string // what has arrived of it lies in Path + ".part"
	Max  int64  // bytes that are taken at most
	MD5  string // published, in hex; "" if it is not known
}

// Options change how Get works. The zero value is what a user wants.
type Options struct {
	Client   *http.Client            // nil: http.DefaultClient
	Progress func(done, total int64) // bytes; total is -1 where the server does not say; may be nil
	Attempts int                     // transfers before it gives up; less than 1 means 5
	Pause    time.Duration           // before the second attempt, doubled for each; 0 means a second
	Stall    time.Duration           // without a byte, after which a transfer has failed; 0 means a minute
}

// Get gets the file, unless it is there. After an error what has arrived is
// kept, and the next Get goes on from it: if the server sends ranges and says by
// ETag or date that the file is still the same, else from the start.
func Get(ctx context.Context, f File, o Options) error {
	if _, err := os.Stat(f.Path); err == nil && f.check(f.Path) == nil {
		return nil
	}
	if o.Client == nil {
		o.Client = http.DefaultClient
	}
	if o.Progress == nil {
		o.Progress = func(int64, int64) {}
	}
	o.Attempts, o.Pause, o.Stall = orDefault(o.Attempts, 5), orDefault(o.Pause, time.Second), orDefault(o.Stall, time.Minute)
	var err error
	for try := range o.Attempts {
		if try > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(o.Pause << (try - 1)):
			}
		}
		err = f.attempt(ctx, o)
		if err == nil || ctx.Err() != nil || !errors.As(err, new(temporary)) {
			return err
		}
	}
	return fmt.Errorf("%w (%d attempts; what has arrived is kept, and the next goes on from it)", err, o.Attempts)
}

func orDefault[T int | time.Duration](v, d T) T {
	if v < 1 {
		return d
	}
	return v
}

// A temporary error may go away if it is tried again.
type temporary struct{ error }

func (t temporary) Unwrap() error { return t.error }

// attempt goes on from what has arrived to the end of the file, or fails.
func (f File) attempt(ctx context.Context, o Options) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stalled := time.AfterFunc(o.Stall, func() { cancel(fmt.Errorf("no byte for %v", o.Stall)) })
	defer stalled.Stop()
	p := f.openPart()
	request, err := f.request(ctx, p)
	if err != nil {
		return err
	}
	response, err := o.Client.Do(request)
	if dial := new(net.OpError); errors.As(err, &dial) && dial.Op == "dial" {
		return err // no network or no such server: neither goes away in seconds
	}
	if err != nil {
		return f.failed(ctx, err)
	}
	defer response.Body.Close()
	resumed := response.StatusCode == http.StatusPartialContent
	if done, err := f.accept(response, &p); err != nil {
		return err
	} else if done {
		return f.finish(true)
	}
	if err := f.receive(ctx, response.Body, &p, func(done int64) {
		stalled.Reset(o.Stall)
		o.Progress(done, p.Total)
	}); err != nil {
		return err
	}
	return f.finish(resumed)
}

// failed makes a transfer's error temporary and says why it was broken off.
func (f File) failed(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return temporary{fmt.Errorf("%s: %w", f.URL, err)}
}

// receive appends the body to the part.
func (f File) receive(ctx context.Context, body io.Reader, p *part, progress func(done int64)) error {
	out, err := os.OpenFile(f.part(), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	defer out.Close()
	progress(p.size)
	b := make([]byte, 1<<17)
	for {
		n, err := body.Read(b)
		if p.size+int64(n) > f.Max {
			return errors.Join(f.tooLarge(p.size+int64(n)), f.discard())
		}
		if _, writing := out.Write(b[:n]); writing != nil {
			return fmt.Errorf("%w: make room, and fetch again to go on", writing)
		}
		p.size += int64(n)
		progress(p.size)
		switch {
		case err == io.EOF && p.Total >= 0 && p.size < p.Total:
			return f.failed(ctx, fmt.Errorf("ended after %d of %d bytes: %w", p.size, p.Total, io.ErrUnexpectedEOF))
		case err == io.EOF:
			return errors.Join(out.Sync(), out.Close())
		case err != nil:
			return f.failed(ctx, fmt.Errorf("after %d of %d bytes: %w", p.size, p.Total, err))
		}
	}
}

func (f File) tooLarge(n int64) error {
	return fmt.Errorf("%s: %d bytes or more, at most %d are taken: not the published file", f.URL, n, f.Max)
}

// finish checks what has arrived and gives it its name. What is wrong is thrown
// away; if it was pieced together, another attempt from the start may be right.
func (f File) finish(resumed bool) error {
	if err := f.check(f.part()); err != nil {
		err = errors.Join(fmt.Errorf("%s: %w", f.URL, err), f.discard())
		if resumed && errors.Is(err, ErrSum) {
			return temporary{err}
		}
		return err
	}
	if err := os.Rename(f.part(), f.Path); err != nil {
		return err
	}
	return errors.Join(f.discard(), durable.OS{}.SyncDir(filepath.Dir(f.Path)))
}

// check compares the file at path with the published hash.
func (f File) check(path string) error {
	if f.MD5 == "" {
		return nil
	}
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	h := md5.New()
	if _, err := io.Copy(h, in); err != nil {
		return err
	}
	if sum := hex.EncodeToString(h.Sum(nil)); sum != f.MD5 {
		return fmt.Errorf("has MD5 %s, published is %s: %w", sum, f.MD5, ErrSum)
	}
	return nil
}
