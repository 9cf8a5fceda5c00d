package data

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The tests build small files of each format and open them as foreign ones,
// where any number of images is allowed; what strict mode demands beyond that
// is tested with files of the published size.

// pixel is the value of byte p of image i in made-up files.
func pixel(i, p int) byte { return byte(7*i + p + p/251) }

// records returns n records of a CIFAR file. Label j of record i is (i+j) modulo
// the number of classes.
func records(labels []int, n int) []byte {
	var b []byte
	for i := range n {
		for j, classes := range labels {
			b = append(b, byte((i+j)%classes))
		}
		for p := range 3072 {
			b = append(b, pixel(i, p))
		}
	}
	return b
}

// idx returns an IDX file.
func idx(magic uint32, content []byte, dims ...int) []byte {
	b := binary.BigEndian.AppendUint32(nil, magic)
	for _, d := range dims {
		b = binary.BigEndian.AppendUint32(b, uint32(d))
	}
	return append(b, content...)
}

func idxPair(n, h, w int) (images, labels []byte) {
	var pixels, classes []byte
	for i := range n {
		classes = append(classes, byte(i%10))
		for p := range h * w {
			pixels = append(pixels, pixel(i, p))
		}
	}
	return idx(idxImages, pixels, n, h, w), idx(idxLabels, classes, n)
}

func zip(t *testing.T, b []byte) []byte {
	t.Helper()
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	_, err := w.Write(b)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return z.Bytes()
}

func put(t testing.TB, path string, b []byte) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, b, 0o644))
}

var foreign = Options{Foreign: true}

func TestOpenCIFAR(t *testing.T) {
	for _, c := range []struct {
		set, folder string
		labels      []int
		label       int
		split       Split
		files       []string
	}{
		{"cifar10", ".", []int{10}, 0, Train, words("data_batch_1.bin data_batch_2.bin data_batch_3.bin data_batch_4.bin data_batch_5.bin")},
		{"cifar10", "cifar-10-batches-bin", []int{10}, 0, Test, words("test_batch.bin")},
		{"cifar100", "cifar-100-binary", []int{20, 100}, 1, Train, words("train.bin")},
		{"cifar100", ".", []int{20, 100}, 1, Test, words("test.bin.gz")},
		{"cifar100-coarse", ".", []int{20, 100}, 0, Test, words("test.bin")},
	} {
		t.Run(c.set+"_"+c.split.String(), func(t *testing.T) {
			const n = 30
			dir := t.TempDir()
			for _, f := range c.files {
				b := records(c.labels, n)
				if strings.HasSuffix(f, ".gz") {
					b = zip(t, b)
				}
				put(t, filepath.Join(dir, c.folder, f), b)
			}
			s, err := Open(c.set, dir, c.split, foreign)
			require.NoError(t, err)
			assert.Equal(t, n*len(c.files), s.Len())
			assert.Equal(t, [4]int{3, 32, 32, c.labels[c.label]}, [4]int{s.C, s.H, s.W, s.Classes})
			for i := range s.Len() {
				require.Equal(t, (i%n+c.label)%s.Classes, int(s.Labels[i]))
				for p, v := range s.Image(i) {
					require.Equal(t, pixel(i%n, p), v, "image %d, byte %d", i, p)
				}
			}
			require.Len(t, s.Files, len(c.files))
			assert.False(t, s.Files[0].Known)
			assert.Len(t, s.Files[0].SHA256, 64)
		})
	}
}

func TestOpenIDX(t *testing.T) {
	images, labels := idxPair(25, 28, 28)
	for name, c := range map[string]struct {
		split          Split
		images, labels string
		zip            bool
	}{
		"train gzipped":   {Train, "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", true},
		"test raw":        {Test, "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", false},
		"kaggle's names":  {Test, "t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte", false},
		"in its own name": {Train, "fashion-mnist/train-images-idx3-ubyte", "fashion-mnist/train-labels-idx1-ubyte", false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			i, l := images, labels
			if c.zip {
				i, l = zip(t, i), zip(t, l)
			}
			put(t, filepath.Join(dir, c.images), i)
			put(t, filepath.Join(dir, c.labels), l)
			s, err := Open("fashion-mnist", dir, c.split, foreign)
			require.NoError(t, err)
			assert.Equal(t, [5]int{25, 1, 28, 28, 10}, [5]int{s.Len(), s.C, s.H, s.W, s.Classes})
			for i := range s.Len() {
				require.Equal(t, i%10, int(s.Labels[i]))
				require.Equal(t, pixel(i, 300), s.Image(i)[300])
			}
		})
	}
}

func TestOpenRefusesCIFAR(t *testing.T) {
	whole := records([]int{10}, 10000)
	badLabel := bytes.Clone(whole)
	badLabel[1234*3073] = 10
	wrongByte := bytes.Clone(whole)
	wrongByte[5000*3073+77]++
	for name, c := range map[string]struct {
		content []byte
		want    string
	}{
		"empty":              {nil, "has 0 bytes, 10000 records of 3073 make 30730000: truncated after record 0"},
		"one byte short":     {whole[:len(whole)-1], "has 30729999 bytes, 10000 records of 3073 make 30730000: truncated after record 9999"},
		"one record short":   {whole[:len(whole)-3073], "truncated after record 9999"},
		"one byte long":      {append(bytes.Clone(whole), 0), "has 30730001 bytes, 10000 records of 3073 make 30730000: not a file of CIFAR-10"},
		"label out of range": {badLabel, "record 1234 (byte 3792082) has label 10, labels are below 10"},
		"other content":      {whole, "published is 8e2eb146"},
		"a wrong byte":       {wrongByte, "published is 8e2eb146"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "test_batch.bin")
			put(t, path, c.content)
			_, err := Open("cifar10", dir, Test, Options{})
			require.ErrorContains(t, err, c.want)
			assert.ErrorContains(t, err, path)
			assert.True(t, strings.HasPrefix(err.Error(), "data: cifar10: "), err)
			if strings.Contains(c.want, "published") {
				assert.ErrorIs(t, err, ErrForeign)
				assert.ErrorContains(t, err, "--foreign")
			}
		})
	}
}

func TestOpenRefusesForeignRecordsThatAreNotWhole(t *testing.T) {
	dir := t.TempDir()
	for _, b := range [][]byte{nil, make([]byte, 3072), make([]byte, 2*3073+1)} {
		put(t, filepath.Join(dir, "test_batch.bin"), b)
		_, err := Open("cifar10", dir, Test, foreign)
		assert.ErrorContains(t, err, "not a file of CIFAR-10", "%d bytes", len(b))
	}
}

func TestOpenRefusesIDX(t *testing.T) {
	images, labels := idxPair(30, 28, 28)
	late := bytes.Clone(labels)
	late[8+17] = 11
	_, shortLabels := idxPair(29, 28, 28)
	zipped := zip(t, images)
	bitFlip := bytes.Clone(zipped)
	bitFlip[len(bitFlip)-6] ^= 1 // in the checksum
	for name, c := range map[string]struct {
		images, labels []byte
		suffix, want   string
		o              Options
	}{
		"empty":          {nil, labels, "", "has 0 bytes, an IDX file of images has a header of 16: truncated", foreign},
		"swapped":        {labels, images, "", "0x00000801 where images start with 0x00000803: images and labels are swapped", foreign},
		"other magic":    {append([]byte("PK"), images[2:]...), labels, "", "not such a file", foreign},
		"truncated":      {images[:len(images)-1], labels, "", "holds 23519 bytes of images, its header promises [30 28 28], which is 23520: truncated", foreign},
		"too long":       {append(bytes.Clone(images), 1), labels, "", "the rest is foreign", foreign},
		"no images":      {idx(idxImages, nil, 0, 28, 28), labels, "", "has a header of [0] images", foreign},
		"huge header":    {idx(idxImages, nil, 1<<31, 1<<31, 1<<31), labels, "", "has a header of [2147483648 2147483648] images", foreign},
		"wide images":    {idx(idxImages, nil, 1<<32-1, 1, 1), labels, "", "has a header of [4294967295] images", foreign},
		"not a pair":     {images, shortLabels, "", "has 30 images", foreign},
		"label":          {images, late, "", "label 17 (byte 25) is 11, labels are below 10", foreign},
		"not gzip":       {images, labels, ".gz", "gzip: invalid header", foreign},
		"truncated gzip": {zipped[:len(zipped)/2], zip(t, labels), ".gz", "truncated after", foreign},
		"gzip checksum":  {bitFlip, zip(t, labels), ".gz", "gzip: invalid checksum", foreign},
		"too few images": {images, labels, "", "has 30 images of 28x28, the test split of MNIST has 10000 of 28x28", Options{}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			put(t, filepath.Join(dir, "t10k-images-idx3-ubyte"+c.suffix), c.images)
			put(t, filepath.Join(dir, "t10k-labels-idx1-ubyte"+c.suffix), c.labels)
			_, err := Open("mnist", dir, Test, c.o)
			require.ErrorContains(t, err, c.want)
			assert.ErrorContains(t, err, filepath.Join(dir, "t10k-"))
		})
	}
}

// A file that is cut short is refused wherever the cut is.
func TestTruncationIsFoundEverywhere(t *testing.T) {
	images, labels := idxPair(5, 9, 7)
	zipped := zip(t, images)
	dir := t.TempDir()
	put(t, filepath.Join(dir, "t10k-labels-idx1-ubyte"), labels)
	for _, c := range []struct {
		suffix  string
		content []byte
	}{{"", images}, {".gz", zipped}} {
		path := filepath.Join(dir, "t10k-images-idx3-ubyte"+c.suffix)
		for n := range len(c.content) {
			put(t, path, c.content[:n])
			_, err := Open("mnist", dir, Test, foreign)
			require.Error(t, err, "%d of %d bytes%s", n, len(c.content), c.suffix)
		}
		put(t, path, c.content)
		_, err := Open("mnist", dir, Test, foreign)
		require.NoError(t, err)
		require.NoError(t, os.Remove(path))
	}
}

func TestOpenNamesWhatIsMissing(t *testing.T) {
	dir := t.TempDir()
	_, err := Open("cifar10", dir, Train, Options{})
	assert.ErrorContains(t, err, "no data_batch_1.bin, gzipped or not, in "+dir)
	assert.ErrorContains(t, err, "sparsenet data import cifar10 --from ARCHIVE --data "+dir)

	put(t, filepath.Join(dir, "data_batch_2.bin"), records([]int{10}, 1))
	_, err = Open("cifar10", dir, Train, foreign)
	assert.ErrorContains(t, err, "data_batch_1.bin, data_batch_3.bin, data_batch_4.bin, data_batch_5.bin is missing in "+dir+
		", which has 1 of the 5 files of the train split")

	_, err = Open("cifar11", dir, Train, Options{})
	assert.ErrorContains(t, err, `unknown data set "cifar11", known are cifar10, cifar100, cifar100-coarse, fashion-mnist, mnist`)
	_, err = Open("mnist", "", Train, Options{})
	assert.ErrorContains(t, err, "no folder is named")

	require.NoError(t, os.Mkdir(filepath.Join(dir, "train.bin"), 0o755))
	_, err = Open("cifar100", dir, Train, Options{})
	assert.ErrorContains(t, err, "train.bin is not a regular file")
}

// The tables of known sets agree with themselves.
func TestKnownSetsAreConsistent(t *testing.T) {
	for _, name := range Names() {
		k := lookUp(name)
		assert.Len(t, k.mean, k.c, name)
		assert.Len(t, k.std, k.c, name)
		if !k.idx {
			assert.Len(t, k.classes, k.labels[k.label], name)
		}
		for split, files := range k.files {
			assert.NotEmpty(t, files, "%s %s", name, Split(split))
			for _, f := range files {
				assert.Contains(t, []int{40, 64}, len(f.sum), f.names)
			}
		}
		assert.NotEmpty(t, k.homes, name)
		for _, a := range k.archives {
			assert.True(t, k.idx || len(a.md5) == 32, a.name)
		}
		seen := map[string]bool{}
		for _, class := range k.classes {
			assert.False(t, seen[class], "%s: class %s", name, class)
			seen[class] = true
		}
	}
}

// FuzzIDX: any content is an error, or has the bytes that its header promises.
func FuzzIDX(f *testing.F) {
	images, labels := idxPair(3, 2, 2)
	f.Add(images)
	f.Add(labels)
	f.Fuzz(func(t *testing.T, content []byte) {
		for _, magic := range []uint32{idxImages, idxLabels} {
			dims, err := parseIDX(content, magic, "x")
			if err != nil {
				continue
			}
			size := 1
			for _, d := range dims {
				size *= d
			}
			if size < 1 || size != len(content)-idxHeader(len(dims)) {
				t.Fatalf("%d bytes for %v", len(content), dims)
			}
		}
	})
}

// FuzzRecords: any content is an error, or images with labels of the set, strictly
// as many as were published.
func FuzzRecords(f *testing.F) {
	k := &known{title: "Toy", h: 2, w: 2, c: 3, records: [2]int{3, 3}, labels: []int{2, 10}, label: 1}
	whole := bytes.Repeat([]byte{1, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, 3)
	f.Add(whole, false)
	f.Add(whole[:14], true)
	f.Add(whole[:13], true)
	f.Add(append(bytes.Clone(whole), 1), false)
	f.Add(append([]byte{2}, whole[1:]...), false)
	f.Fuzz(func(t *testing.T, content []byte, strict bool) {
		if k.checkRecords("x", content, 3, Options{Foreign: !strict}) != nil {
			return
		}
		s := Set{H: k.h, W: k.w, C: k.c}
		s.appendRecords(k, content, 1)
		n := len(s.Labels)
		if n == 0 || strict && n != 3 || len(s.Images) != n*12 || n*14 != len(content) {
			t.Fatalf("%d labels and %d bytes of images in %d bytes", n, len(s.Images), len(content))
		}
		for _, l := range s.Labels {
			if l >= 10 {
				t.Fatalf("label %d", l)
			}
		}
	})
}
