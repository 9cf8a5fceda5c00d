package data

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// flat is a PNG of one colour.
func flat(t testing.TB, w, h int, c color.Color) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := range w * h {
		m.Set(i%w, i/w, c)
	}
	var b bytes.Buffer
	require.NoError(t, png.Encode(&b, m))
	return b.Bytes()
}

// photo is a JPEG of noise, so that half of its bytes are half of its pixels.
func photo(t testing.TB) []byte {
	t.Helper()
	m := image.NewGray(image.Rect(0, 0, 64, 64))
	s := newStream(3, 0, 0)
	for i := range m.Pix {
		m.Pix[i] = byte(s.next())
	}
	var b bytes.Buffer
	require.NoError(t, jpeg.Encode(&b, m, nil))
	return b.Bytes()
}

// pets is a folder of two classes: cats are red and dogs are blue, of any size,
// and the brighter the higher their number is.
func pets(t testing.TB, dir string, cats, dogs int) {
	t.Helper()
	for i := range cats {
		file(t, dir, fmt.Sprintf("cat/c%02d.png", i), flat(t, 8+i, 20-i, color.RGBA{byte(100 + i), 0, 0, 255}))
	}
	for i := range dogs {
		file(t, dir, fmt.Sprintf("dog/d%02d.PNG", i), flat(t, 9, 9+i, color.RGBA{0, 0, byte(100 + i), 255}))
	}
}

func file(t testing.TB, dir, name string, b []byte) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, b, 0o644))
}

var small4 = FolderOptions{H: 4, W: 4, C: 3}

// shades returns the brightness of each image, by class.
func shades(s *Set) (list [2][]int) {
	for i, l := range s.Labels {
		list[l] = append(list[l], int(s.Image(i)[2*int(l)*16]))
	}
	for _, l := range list {
		slices.Sort(l)
	}
	return list
}

func TestFolderWithoutSplits(t *testing.T) {
	dir := t.TempDir()
	pets(t, dir, 10, 6)
	file(t, dir, "dog/notes.txt", []byte("x"))
	file(t, dir, ".git/x.png", nil)
	file(t, dir, "cat/.hidden.png", nil)
	f, err := OpenFolder(dir)
	require.NoError(t, err)
	assert.Equal(t, []string{"cat", "dog"}, f.Classes)
	assert.Equal(t, []int{14, 2, 1}, []int{f.Len(Train), f.Len(Test), f.Other})
	var told int
	o := small4
	o.Progress = func(done, total int) { told = done * total }
	train, broken, err := f.Read(context.Background(), Train, o)
	require.NoError(t, err)
	assert.Empty(t, broken)
	assert.Equal(t, 14*14, told)
	test, _, err := f.Read(context.Background(), Test, small4)
	require.NoError(t, err)
	assert.Equal(t, []int{9, 5}, train.Counts(), "a tenth of each class is held out")
	assert.Equal(t, []int{1, 1}, test.Counts())
	a, b := shades(train), shades(test)
	assert.Equal(t, []int{100, 101, 102, 103, 104, 105, 106, 107, 108, 109}, sorted(a[0], b[0]), "each image once")
	assert.Equal(t, []int{100, 101, 102, 103, 104, 105}, sorted(a[1], b[1]))
	assert.False(t, slices.IsSorted(train.Labels), "not class by class: the first images are a sample")

	again, err := OpenFolder(dir)
	require.NoError(t, err)
	second, _, err := again.Read(context.Background(), Train, small4)
	require.NoError(t, err)
	assert.Equal(t, train.Hash(), second.Hash(), "the same images are held out, in the same order")

	o.Images = 5
	head, _, err := f.Read(context.Background(), Train, o)
	require.NoError(t, err)
	assert.Equal(t, train.Labels[:5], head.Labels)
	assert.Equal(t, train.Images[:5*48], head.Images)

	grey, _, err := f.Read(context.Background(), Test, FolderOptions{H: 2, W: 3, C: 1})
	require.NoError(t, err)
	assert.Equal(t, []int{2, 3, 1, 2 * 6}, []int{grey.H, grey.W, grey.C, len(grey.Images)})
}

func sorted(a, b []int) []int {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return all
}

func TestFolderWithSplits(t *testing.T) {
	for _, name := range testFolders {
		dir := t.TempDir()
		pets(t, filepath.Join(dir, "train"), 3, 2)
		pets(t, filepath.Join(dir, name), 0, 4)
		f, err := OpenFolder(dir)
		require.NoError(t, err)
		test, _, err := f.Read(context.Background(), Test, small4)
		require.NoError(t, err, name)
		assert.Equal(t, []int{0, 4}, test.Counts(), "labels are those of the training split")
		assert.Equal(t, 5, f.Len(Train))
	}
}

// Images that cannot be read are named and left out; the labels of the others
// stay theirs.
func TestFolderBroken(t *testing.T) {
	dir := t.TempDir()
	pets(t, filepath.Join(dir, "train"), 6, 6)
	half := photo(t)
	for name, b := range map[string][]byte{
		"cat/a.jpg": half[:len(half)/2], "cat/empty.png": nil, "dog/page.jpeg": []byte("<html>"), "dog/pixel.png": flat(t, 1, 1, color.White),
	} {
		file(t, filepath.Join(dir, "train"), name, b)
	}
	require.NoError(t, os.Mkdir(filepath.Join(dir, "train", "dog", "folder.png"), 0o755))
	f, err := OpenFolder(dir)
	require.NoError(t, err)
	s, broken, err := f.Read(context.Background(), Train, small4)
	require.NoError(t, err)
	assert.Equal(t, []int{6, 6}, s.Counts())
	want := []int{100, 101, 102, 103, 104, 105}
	assert.Equal(t, [2][]int{want, want}, shades(s))
	var text []string
	for _, b := range broken {
		text = append(text, b.Error())
	}
	slices.Sort(text)
	require.Len(t, text, 5)
	for i, want := range []string{"a.jpg: picture: the file is cut short: ", "empty.png: picture: neither PNG", "folder.png: not a regular file",
		"page.jpeg: picture: neither PNG", "pixel.png: picture: 1×1 pixels, at least 2 on a side make an image"} {
		assert.Contains(t, text[i], want)
	}

	o := small4
	o.Strict = true
	_, _, err = f.Read(context.Background(), Train, o)
	var one Broken
	require.ErrorAs(t, err, &one)
	assert.Contains(t, err.Error(), one.Path)
}

func TestFolderRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		files string // name:kind
		want  string
	}{
		"nothing":                {"", "has no folders: it wants one for each class"},
		"images without folders": {"a.png b.jpg", "has 2 images and no folders: put the images of each class into a folder"},
		"one class":              {"cat/a.png", `has one folder, "cat"`},
		"one image":              {"cat/a.png dog/", "class dog is empty: no PNG, JPEG"},
		"empty class":            {"cat/a.png cat/b.png dog/readme.txt", "class dog is empty"},
		"class of broken images": {"cat/a.png cat/b.png dog/x.png! dog/y.png!", "class dog: none of its images could be read: "},
		"foreign class in test":  {"train/cat/a.png train/dog/a.png test/cow/a.png test/cat/a.png", `test has class "cow"`},
		"train without classes":  {"train/a.png", "train has 1 images and no folders"},
		"test without images":    {"train/cat/a.png train/dog/a.png test/cat/ test/dog/", "no images of any class in"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, f := range strings.Fields(c.files) {
				if path, ok := strings.CutSuffix(f, "/"); ok {
					require.NoError(t, os.MkdirAll(filepath.Join(dir, path), 0o755))
					continue
				}
				path, broken := strings.CutSuffix(f, "!")
				b := flat(t, 4, 4, color.White)
				if broken {
					b = b[:20]
				}
				file(t, dir, path, b)
			}
			f, err := OpenFolder(dir)
			if err == nil {
				_, _, err = f.Read(context.Background(), Train, small4)
			}
			require.ErrorContains(t, err, c.want)
			assert.ErrorContains(t, err, dir)
		})
	}
	_, err := OpenFolder("")
	assert.ErrorContains(t, err, "--data DIR")
	_, err = OpenFolder("/no/such/folder")
	assert.ErrorIs(t, err, os.ErrNotExist)

	dir := t.TempDir()
	pets(t, dir, 1, 1)
	f, err := OpenFolder(dir)
	require.NoError(t, err)
	_, _, err = f.Read(context.Background(), Test, small4)
	assert.ErrorContains(t, err, "too few images to hold out a test split: 2 in 2 classes")
	pets(t, filepath.Join(dir, "train"), 3, 3)
	f, err = OpenFolder(dir)
	require.NoError(t, err)
	_, _, err = f.Read(context.Background(), Test, small4)
	assert.ErrorContains(t, err, "has a folder train and none of test, val, valid, validation")
	for want, o := range map[string]FolderOptions{
		"6 images of 4x4x3 take 0.0 GiB, at most 0.0 are held in memory: use a smaller input (--input), or fewer images (--images 4)": {H: 4, W: 4, C: 3, MaxBytes: 200},
		"6 images of 100000x100000x3 take 167.6 GiB, at most 4.0 are held":                                                            {H: 100000, W: 100000, C: 3},
		"limit of 7 images, the train split of":                                                                                       {H: 4, W: 4, C: 3, Images: 7},
		"input of 4x4x2: images have 1 channel or 3":                                                                                  {H: 4, W: 4, C: 2},
	} {
		_, _, err = f.Read(context.Background(), Train, o)
		assert.ErrorContains(t, err, want)
	}
	stopped, cancel := context.WithCancel(context.Background())
	cancel()
	_, _, err = f.Read(stopped, Train, small4)
	assert.ErrorIs(t, err, context.Canceled)
}

// A pipe among the images is not waited for.
func TestFolderWithAPipe(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no pipes in folders on Windows")
	}
	dir := t.TempDir()
	pets(t, filepath.Join(dir, "train"), 2, 2)
	require.NoError(t, exec.Command("mkfifo", filepath.Join(dir, "train", "cat", "pipe.png")).Run())
	f, err := OpenFolder(dir)
	require.NoError(t, err)
	_, broken, err := f.Read(context.Background(), Train, small4)
	require.NoError(t, err)
	require.Len(t, broken, 1)
	assert.ErrorContains(t, broken[0], "not a regular file")
}
