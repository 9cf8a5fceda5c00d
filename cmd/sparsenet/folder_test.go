package main

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// photos is a folder with n images of each class, red cats and blue dogs, and one
// broken file.
func photos(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	for class, c := range map[string]color.RGBA{"cat": {200, 0, 0, 255}, "dog": {0, 0, 200, 255}} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, class), 0o755))
		for i := range n {
			m := image.NewRGBA(image.Rect(0, 0, 9+i, 12))
			for p := range m.Rect.Dx() * m.Rect.Dy() {
				m.Set(p%m.Rect.Dx(), p/m.Rect.Dx(), c)
			}
			f, err := os.Create(filepath.Join(dir, class, fmt.Sprintf("%d.png", i)))
			require.NoError(t, err)
			require.NoError(t, png.Encode(f, m))
			require.NoError(t, f.Close())
		}
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "dog", "half.jpg"), []byte{0xff, 0xd8, 0xff}, 0o644))
	return dir
}

func TestFolderOfImages(t *testing.T) {
	needDevice(t)
	dir, out := photos(t, 20), filepath.Join(t.TempDir(), "run")
	text, errOut, code := execute(t, "data info folder --data "+dir)
	require.Equal(t, exitSuccess, code, errOut)
	assert.Contains(t, errOut, "1 of 3", "the broken one is in the split of three, or in the other")
	for _, want := range []string{"folder: 32x32x3, 2 classes", "cat", "dog"} {
		assert.Contains(t, text, want)
	}
	fails(t, exitFailure, "data info folder --strict --data "+dir, "half.jpg")

	train := "train --dataset folder --data " + dir + " --input 8x8x3 --depth 7 --growth 2 --batch 4 --class plain --epochs 2 --pad 0 --out " + out
	text, errOut, code = execute(t, train)
	require.Equal(t, exitSuccess, code, errOut)
	assert.Contains(t, errOut, "half.jpg: picture: ")
	assert.Contains(t, text, "test  4 images")
	log, err := os.ReadFile(filepath.Join(out, "log.txt"))
	require.NoError(t, err)
	assert.Contains(t, string(log), "half.jpg: picture: ", "told in the run's log too")

	text, errOut, code = execute(t, "eval --class plain --batch 4 --checkpoint "+out+" --data "+dir)
	require.Equal(t, exitSuccess, code, errOut)
	assert.Contains(t, text, "test  4 images", "the checkpoint says that it was a folder")
	require.NoError(t, os.Rename(filepath.Join(dir, "cat"), filepath.Join(dir, "zebra")))
	_, errOut, code = execute(t, "eval --class plain --batch 4 --checkpoint "+out+" --data "+dir)
	assert.Equal(t, exitFailure, code)
	assert.Contains(t, errOut, "has the classes dog, zebra, the model was trained on cat, dog: the labels would not be the same")
	_, errOut, code = execute(t, train+" --resume")
	assert.Equal(t, exitFailure, code, "other images in the meantime")
	assert.Contains(t, errOut, "--force")
}

func TestFolderErrors(t *testing.T) {
	empty, full := t.TempDir(), photos(t, 1)
	require.NoError(t, os.Mkdir(filepath.Join(empty, "cat"), 0o755))
	for line, want := range map[string]string{
		"--dataset folder":                                                 "a folder of images has no usual place: name it (--data DIR)",
		"--dataset folder --data /no/such":                                 "/no/such",
		"--dataset folder --data " + empty:                                 `has one folder, "cat"`,
		"--dataset folder --input 8x8x2 --data " + full:                    "images have 1 channel or 3",
		"--dataset folder --no-test --input 8x8x3 --data " + full:          "training images do not fill one batch of 64",
		"--dataset folder --no-test --images 9 --data " + full:             "limit of 9 images, the train split of",
		"--dataset folder --batch 1 --input 8x8x3 --strict --data " + full: "half.jpg",
	} {
		_, errOut, code := execute(t, "train --depth 7 --growth 2 "+line)
		assert.NotEqual(t, exitSuccess, code, line)
		assert.Contains(t, errOut, want, line)
	}
	_, errOut, code := execute(t, "train --dataset nothing")
	assert.Equal(t, exitUsage, code)
	assert.True(t, strings.HasSuffix(strings.TrimSpace(errOut), "fashion-mnist, mnist, and folder"), errOut)
}
