package download

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// content is a published file, larger than one read.
var content = bytes.Repeat([]byte("0123456789abcdef"), 20000)

func sum(b []byte) string {
	s := md5.Sum(b)
	return hex.EncodeToString(s[:])
}

// A host serves one file with faults, and counts what it was asked.
type host struct {
	content []byte
	etag    string
	ranges  bool
	cut     []int // bytes after which request i is broken off; -1: not
	status  []int // of request i, if not 0
	asked   []string
	sent    int
}

func (h *host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i := len(h.asked)
	h.asked = append(h.asked, r.Header.Get("Range"))
	if i < len(h.status) && h.status[i] != 0 {
		w.WriteHeader(h.status[i])
		return
	}
	body := h.content
	if h.etag != "" {
		w.Header().Set("ETag", h.etag)
	}
	var first int
	if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &first); err == nil && h.ranges &&
		(r.Header.Get("If-Range") == "" || r.Header.Get("If-Range") == h.etag) {
		if first >= len(body) {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes */%d", len(body)))
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			return
		}
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, len(body)-1, len(body)))
		body = body[first:]
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(http.StatusPartialContent)
	} else {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	if i < len(h.cut) && h.cut[i] >= 0 {
		body = body[:h.cut[i]]
	}
	n, _ := w.Write(body)
	h.sent += n
	if i < len(h.cut) && h.cut[i] >= 0 {
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler) // the connection breaks
	}
}

func serve(t *testing.T, h http.Handler) string {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL + "/x.gz"
}

var quick = Options{Pause: time.Millisecond}

func file(t *testing.T, url string) File {
	return File{URL: url, Path: filepath.Join(t.TempDir(), "x.gz"), Max: 1 << 20, MD5: sum(content)}
}

// arrived says that the file is whole and nothing else is left.
func arrived(t *testing.T, f File) {
	t.Helper()
	got, err := os.ReadFile(f.Path)
	require.NoError(t, err)
	assert.True(t, bytes.Equal(content, got))
	entries, err := os.ReadDir(filepath.Dir(f.Path))
	require.NoError(t, err)
	assert.Len(t, entries, 1)
}

func TestGet(t *testing.T) {
	const third = 100000
	for name, c := range map[string]struct {
		host  host
		asked []string
		sent  int
	}{
		"at once":              {host{}, []string{""}, len(content)},
		"goes on":              {host{etag: `"a"`, ranges: true, cut: []int{third}}, []string{"", "bytes=100000-"}, len(content)},
		"goes on without ETag": {host{ranges: true, cut: []int{third}}, []string{"", "bytes=100000-"}, len(content)},
		"twice broken":         {host{etag: `"a"`, ranges: true, cut: []int{third, third}}, []string{"", "bytes=100000-", "bytes=200000-"}, len(content)},
		"no ranges":            {host{etag: `"a"`, cut: []int{third}}, []string{"", "bytes=100000-"}, third + len(content)},
		"busy":                 {host{status: []int{503, 429}}, []string{"", "", ""}, len(content)},
		"breaks at the end": {host{etag: `"a"`, ranges: true, cut: []int{len(content) - 1}},
			[]string{"", fmt.Sprintf("bytes=%d-", len(content)-1)}, len(content)},
	} {
		t.Run(name, func(t *testing.T) {
			h := c.host
			h.content = content
			f := file(t, serve(t, &h))
			require.NoError(t, Get(context.Background(), f, quick))
			arrived(t, f)
			assert.Equal(t, c.asked, h.asked)
			assert.Equal(t, c.sent, h.sent)
			require.NoError(t, Get(context.Background(), f, quick), "what is there is not asked for again")
			assert.Len(t, h.asked, len(c.asked))
		})
	}
}

// A transfer goes on in another process, or begins anew if the file changed, if
// it came from elsewhere, or if what lies there is longer than the file.
func TestGetGoesOnLater(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(*host, *File)
		last string
	}{
		"goes on": {func(*host, *File) {}, "bytes=1000-"},
		"file changed": {func(h *host, f *File) {
			h.etag = `"b"`
		}, "bytes=1000-"},
		"other address": {func(_ *host, f *File) { f.URL += "?v=2" }, ""},
		"part too long": {func(_ *host, f *File) {
			_ = os.WriteFile(f.part(), append(bytes.Clone(content), 1), 0o666)
		}, ""},
		"part whole": {func(_ *host, f *File) {
			_ = os.WriteFile(f.part(), content, 0o666)
		}, fmt.Sprintf("bytes=%d-", len(content))},
		"wrong bytes in the part": {func(_ *host, f *File) {
			_ = os.WriteFile(f.part(), []byte("xyz"), 0o666)
		}, ""},
		"origin damaged": {func(_ *host, f *File) { _ = os.WriteFile(f.origin(), []byte("{"), 0o666) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := &host{content: content, etag: `"a"`, ranges: true, cut: []int{1000}}
			f := file(t, serve(t, h))
			err := Get(context.Background(), f, Options{Attempts: 1})
			require.ErrorContains(t, err, "after 1000 of 320000 bytes")
			assert.NoFileExists(t, f.Path)
			c.edit(h, &f)
			require.NoError(t, Get(context.Background(), f, quick))
			arrived(t, f)
			assert.Equal(t, c.last, h.asked[len(h.asked)-1])
		})
	}
}

func TestGetFails(t *testing.T) {
	wrong := bytes.Clone(content)
	wrong[77] ^= 1
	for name, c := range map[string]struct {
		host  host
		edit  func(*File)
		want  string
		asked int
	}{
		"not found":       {host{status: []int{404}}, nil, "/x.gz: the server answers 404 Not Found", 1},
		"always busy":     {host{status: []int{500, 500, 500, 500, 500, 500}}, nil, "500 Internal Server Error (5 attempts", 5},
		"wrong byte":      {host{content: wrong}, nil, "has MD5 " + sum(wrong) + ", published is " + sum(content), 1},
		"too large":       {host{content: content}, func(f *File) { f.Max = 1000 }, "320000 bytes or more, at most 1000 are taken", 1},
		"always cut":      {host{content: content, cut: []int{9, 9, 9, 9, 9}}, nil, "after 9 of 320000 bytes", 5},
		"no such address": {host{}, func(f *File) { f.URL = "http://bad host/" }, "invalid character", 0},
	} {
		t.Run(name, func(t *testing.T) {
			h := c.host
			f := file(t, serve(t, &h))
			if c.edit != nil {
				c.edit(&f)
			}
			err := Get(context.Background(), f, quick)
			require.ErrorContains(t, err, c.want)
			assert.Len(t, h.asked, c.asked)
			assert.NoFileExists(t, f.Path)
			if name == "wrong byte" {
				assert.ErrorIs(t, err, ErrSum)
				assert.NoFileExists(t, f.part(), "a wrong file is not gone on from")
			}
		})
	}
}

// A body of unknown length is bounded too, and a redirect is followed.
func TestGetUnknownLength(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("/x.gz", http.RedirectHandler("/moved.gz", http.StatusFound))
	mux.HandleFunc("/moved.gz", func(w http.ResponseWriter, _ *http.Request) {
		w.(http.Flusher).Flush() // so the length is not known
		_, _ = w.Write(content)
	})
	f := file(t, serve(t, mux))
	var last, total int64
	o := quick
	o.Progress = func(done, of int64) { last, total = done, of }
	require.NoError(t, Get(context.Background(), f, o))
	arrived(t, f)
	assert.Equal(t, []int64{int64(len(content)), -1}, []int64{last, total})

	small := file(t, f.URL)
	small.Max = 5
	require.ErrorContains(t, Get(context.Background(), small, quick), "at most 5 are taken")
	assert.NoFileExists(t, small.part())
}

// A server that says nothing more, and a user who has enough.
func TestGetStalls(t *testing.T) {
	quiet := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(content[:10])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	f := file(t, serve(t, quiet))
	err := Get(context.Background(), f, Options{Attempts: 1, Stall: 30 * time.Millisecond})
	require.ErrorContains(t, err, "no byte for 30ms")

	ctx, cancel := context.WithCancel(context.Background())
	o := Options{Progress: func(done, _ int64) {
		if done > 0 {
			cancel()
		}
	}}
	require.ErrorIs(t, Get(ctx, f, o), context.Canceled)
}
