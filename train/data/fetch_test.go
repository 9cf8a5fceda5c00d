package data

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/md5"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// atHome lets k be fetched from a server with the given archives.
func atHome(t *testing.T, k *known, files map[string][]byte) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, ok := files[strings.TrimPrefix(r.URL.Path, "/sets/")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		http.ServeContent(w, r, "", time.Unix(1e9, 0), bytes.NewReader(b))
	}))
	t.Cleanup(s.Close)
	k.homes = []string{s.URL + "/sets"}
	return s
}

// toyArchive is toy with an archive of its files.
func toyArchive(t *testing.T, edit func(map[string][]byte)) (*known, map[string][]byte, []byte) {
	t.Helper()
	k, content := toy()
	inside := map[string][]byte{}
	for name, b := range content {
		inside["toy/"+name] = b
	}
	if edit != nil {
		edit(inside)
	}
	b, err := os.ReadFile(tgz(t, inside))
	require.NoError(t, err)
	sum := md5.Sum(b)
	k.archives = []archive{{"toy.tar.gz", hex.EncodeToString(sum[:])}}
	return k, content, b
}

var noPause = FetchOptions{pause: time.Millisecond}

// list returns the names in a folder.
func list(t testing.TB, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestFetch(t *testing.T) {
	k, content, b := toyArchive(t, nil)
	atHome(t, k, map[string][]byte{"toy.tar.gz": b})
	dir := t.TempDir()
	var seen int64
	o := noPause
	o.Progress = func(name string, done, total int64) {
		assert.Equal(t, "toy.tar.gz", name)
		assert.Equal(t, int64(len(b)), total)
		seen = done
	}
	// What a killed process left does not matter.
	put(t, filepath.Join(dir, ".sparsevk-fetch-toy-unpacked", "data_batch_1.bin"), []byte("half"))
	put(t, filepath.Join(dir, ".sparsevk-fetch-toy", "toy.tar.gz.part"), []byte("half"))
	files, err := k.fetch(context.Background(), dir, o)
	require.NoError(t, err)
	assert.Equal(t, int64(len(b)), seen)
	require.Len(t, files, 3)
	for _, f := range files {
		got, err := os.ReadFile(f.Path)
		require.NoError(t, err)
		assert.Equal(t, content[filepath.Base(f.Path)], got)
	}
	assert.Equal(t, []string{"toy"}, list(t, dir), "nothing else is left")

	// A damaged file is replaced; what lies beside it stays.
	put(t, filepath.Join(dir, "toy", "data_batch_2.bin"), []byte("damaged"))
	put(t, filepath.Join(dir, "toy", "notes"), []byte("mine"))
	_, err = k.fetch(context.Background(), dir, noPause)
	require.NoError(t, err)
	got, err := os.ReadFile(filepath.Join(dir, "toy", "data_batch_2.bin"))
	require.NoError(t, err)
	assert.Equal(t, content["data_batch_2.bin"], got)
	assert.Equal(t, []string{"data_batch_1.bin", "data_batch_2.bin", "notes", "test_batch.bin"}, list(t, filepath.Join(dir, "toy")))
}

func TestFetchRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(map[string][]byte)
		want string
	}{
		"path that leaves": {func(f map[string][]byte) { f["../../data_batch_1.bin"] = nil }, `entry "../../data_batch_1.bin" lies outside`},
		"absolute path":    {func(f map[string][]byte) { f["/etc/data_batch_1.bin"] = nil }, `entry "/etc/data_batch_1.bin" lies outside`},
		"large entry": {func(f map[string][]byte) { f["toy/data_batch_1.bin"] = make([]byte, 1<<20) },
			"data_batch_1.bin: more than 9219 bytes: not the published file"},
		"wrong byte":   {func(f map[string][]byte) { f["toy/test_batch.bin"][100]++ }, "test_batch.bin has SHA-256"},
		"missing file": {func(f map[string][]byte) { delete(f, "toy/test_batch.bin") }, "no test_batch.bin in"},
	} {
		t.Run(name, func(t *testing.T) {
			k, _, b := toyArchive(t, c.edit)
			atHome(t, k, map[string][]byte{"toy.tar.gz": b})
			dir := t.TempDir()
			_, err := k.fetch(context.Background(), dir, noPause)
			require.ErrorContains(t, err, c.want)
			assert.Empty(t, list(t, dir), "nothing half, and nothing that would be taken again")
		})
	}
}

// An archive of zeros is given up early, and a link is not followed.
func TestArchiveIsBounded(t *testing.T) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	require.NoError(t, w.WriteHeader(&tar.Header{Name: "test_batch.bin", Linkname: "/etc/passwd", Typeflag: tar.TypeSymlink}))
	require.NoError(t, w.WriteHeader(&tar.Header{Name: "zeros", Mode: 0o644, Size: 1 << 20}))
	_, err := w.Write(make([]byte, 1<<20))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, z.Close())
	path := filepath.Join(t.TempDir(), "x.tgz")
	put(t, path, b.Bytes())
	var names []string
	visit := func(name string, _ io.Reader) error {
		names = append(names, filepath.Base(name))
		return nil
	}
	require.ErrorContains(t, walkArchive(context.Background(), path, 1<<20, visit), "more than 1048576 bytes unpacked")
	assert.Equal(t, []string{"zeros"}, names)
	require.NoError(t, walkArchive(context.Background(), path, maxArchive, visit))
}

func TestFetchFromTheNextHome(t *testing.T) {
	k, _, b := toyArchive(t, nil)
	atHome(t, k, map[string][]byte{"toy.tar.gz": b})
	good := k.homes[0]
	k.homes = []string{good + "/gone", good}
	dir := t.TempDir()
	_, err := k.fetch(context.Background(), dir, noPause)
	require.NoError(t, err)

	k.homes = []string{good + "/gone", good + "/lost"}
	_, err = k.fetch(context.Background(), dir, noPause)
	require.ErrorContains(t, err, "gone/toy.tar.gz: the server answers 404")
	require.ErrorContains(t, err, "lost/toy.tar.gz: the server answers 404")
	require.ErrorContains(t, err, "'sparsenet data import cifar10 --from FILE --data "+dir+"' makes the same files from")

	_, err = k.fetch(context.Background(), t.TempDir(), FetchOptions{Mirror: good + "/", pause: 1})
	require.NoError(t, err, "a mirror is asked instead")
}

// Two processes do not write into one another's files.
func TestFetchLocks(t *testing.T) {
	k, _, b := toyArchive(t, nil)
	dir := t.TempDir()
	atHome(t, k, map[string][]byte{"toy.tar.gz": b})
	tried := false
	o := noPause
	o.Progress = func(string, int64, int64) {
		if !tried {
			tried = true
			_, err := k.fetch(context.Background(), dir, noPause)
			assert.ErrorContains(t, err, "another process fetches into")
		}
	}
	_, err := k.fetch(context.Background(), dir, o)
	require.NoError(t, err)
	assert.True(t, tried)
}

// IDX sets are four archives; a set that is there is not asked for.
func TestFetchIDX(t *testing.T) {
	if _, err := lookUp("fashion-mnist").find("", Train); err != nil {
		t.Skip("Debian's dataset-fashion-mnist is not installed")
	}
	k := *lookUp("fashion-mnist")
	files := map[string][]byte{}
	for _, a := range k.archives {
		b, err := os.ReadFile(filepath.Join(k.defaults[0], a.name))
		require.NoError(t, err)
		files[a.name] = b
	}
	s := atHome(t, &k, files)
	dir := t.TempDir()
	got, err := Fetch(context.Background(), "fashion-mnist", dir, FetchOptions{Mirror: s.URL + "/sets", pause: 1})
	require.NoError(t, err)
	require.Len(t, got, 4)
	s.Close()
	again, err := Fetch(context.Background(), "fashion-mnist", dir, FetchOptions{Mirror: s.URL, pause: 1})
	require.NoError(t, err)
	assert.Equal(t, got, again)

	_, err = Fetch(context.Background(), "fashion", dir, FetchOptions{})
	assert.ErrorContains(t, err, `unknown data set "fashion"`)
}

// FuzzArchive: any bytes are an error or an archive, and nothing that they hold is
// written that is not published, or anywhere else.
func FuzzArchive(f *testing.F) {
	k, content := toy()
	b, err := os.ReadFile(tgz(f, content))
	require.NoError(f, err)
	f.Add(b)
	f.Add(b[:len(b)/2])
	b, err = os.ReadFile(tgz(f, map[string][]byte{"../data_batch_1.bin": content["data_batch_1.bin"], "data_batch_2.bin.gz": {1}}))
	require.NoError(f, err)
	f.Add(b)
	f.Add([]byte("no archive"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(dir, "x.tgz")
		if err := os.WriteFile(path, b, 0o666); err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, "to")
		files, err := k.importFrom(context.Background(), source(path), to)
		if err == nil && len(files) != 3 {
			t.Fatalf("%d files and no error", len(files))
		}
		for _, file := range files {
			if got, err := os.ReadFile(file.Path); err != nil || !bytes.Equal(got, content[filepath.Base(file.Path)]) {
				t.Fatalf("%s is not what was published: %v", file.Path, err)
			}
		}
		if names := list(t, dir); len(names) > 2 {
			t.Fatalf("%v", names)
		}
		if err := os.RemoveAll(to); err != nil {
			t.Fatal(err)
		}
	})
}
