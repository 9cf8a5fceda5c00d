package download

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"
)

// A part is what has arrived of a file, and where it came from. It lies in two
// files: the bytes in .part, the rest in .part.json.
type part struct {
	URL       string `json:"url"`
	Validator string `json:"validator"` // strong ETag or date of the file, "" if the server gave none
	Total     int64  `json:"total"`     // bytes of the whole file, -1 if the server does not say

	size int64
}

func (f File) part() string   { return f.Path + ".part" }
func (f File) origin() string { return f.Path + ".part.json" }

// openPart returns what can be gone on from: nothing if it came from elsewhere,
// or if neither validator nor hash would tell that the file has changed since.
func (f File) openPart() (p part) {
	none := part{URL: f.URL, Total: -1}
	b, err := os.ReadFile(f.origin())
	if err != nil || json.Unmarshal(b, &p) != nil || p.URL != f.URL || p.Validator == "" && f.MD5 == "" {
		return none
	}
	stat, err := os.Stat(f.part())
	if err != nil || !stat.Mode().IsRegular() || stat.Size() > f.Max {
		return none
	}
	p.size = stat.Size()
	return p
}

// discard removes what has arrived.
func (f File) discard() error {
	var errs []error
	for _, path := range []string{f.part(), f.origin()} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// request asks for what is missing.
func (f File) request(ctx context.Context, p part) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, f.URL, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept-Encoding", "identity") // else the transport unpacks .gz files
	r.Header.Set("User-Agent", "sparsenet")
	if p.size > 0 {
		r.Header.Set("Range", fmt.Sprintf("bytes=%d-", p.size))
		if p.Validator != "" {
			r.Header.Set("If-Range", p.Validator)
		}
	}
	return r, nil
}

// accept prepares the part for the body of a response: it goes on, or begins
// anew. It returns true if there is nothing to receive any more.
func (f File) accept(r *http.Response, p *part) (done bool, err error) {
	switch r.StatusCode {
	case http.StatusOK:
		*p = part{URL: f.URL, Validator: validator(r), Total: r.ContentLength}
		if p.Total > f.Max {
			return false, f.tooLarge(p.Total)
		}
		return false, f.begin(*p)
	case http.StatusPartialContent:
		var first, last, total int64
		if _, err := fmt.Sscanf(r.Header.Get("Content-Range"), "bytes %d-%d/%d", &first, &last, &total); err != nil ||
			first != p.size || last != total-1 || p.Total >= 0 && total != p.Total || total > f.Max {
			return false, f.mismatch(r, p)
		}
		p.Total = total
		return false, nil
	case http.StatusRequestedRangeNotSatisfiable:
		var total int64
		if _, err := fmt.Sscanf(r.Header.Get("Content-Range"), "bytes */%d", &total); err != nil || total != p.size || p.size == 0 {
			return false, f.mismatch(r, p)
		}
		return true, nil
	}
	err = fmt.Errorf("%s: the server answers %s", f.URL, r.Status)
	if r.StatusCode >= 500 || r.StatusCode == http.StatusRequestTimeout || r.StatusCode == http.StatusTooManyRequests {
		return false, temporary{err}
	}
	return false, err
}

// mismatch throws away a part that the server's answer does not go on from.
func (f File) mismatch(r *http.Response, p *part) error {
	err := fmt.Errorf("%s: asked from byte %d of %d on, the server answers %s with %q",
		f.URL, p.size, p.Total, r.Status, r.Header.Get("Content-Range"))
	return temporary{errors.Join(err, f.discard())}
}

// begin makes an empty part. The bytes go before what is said of them, so that
// no old byte is taken for a new file's.
func (f File) begin(p part) error {
	if err := f.discard(); err != nil {
		return err
	}
	b, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if err := os.WriteFile(f.part(), nil, 0o666); err != nil {
		return err
	}
	return os.WriteFile(f.origin(), b, 0o666)
}

// validator returns what If-Range takes: a strong ETag, else the date.
func validator(r *http.Response) string {
	if tag := r.Header.Get("ETag"); tag != "" && !strings.HasPrefix(tag, "W/") {
		return tag
	}
	return r.Header.Get("Last-Modified")
}
