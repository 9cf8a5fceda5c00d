package main

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tree returns the contents of all files below dir, by path.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		all[path] = string(b)
		return err
	}))
	return all
}

// oddImages are images that cannot be learned from, by name.
func oddImages(t *testing.T) map[string][]byte {
	t.Helper()
	encode := func(w, h int) []byte {
		var b bytes.Buffer
		require.NoError(t, png.Encode(&b, image.NewPaletted(image.Rect(0, 0, w, h), color.Palette{color.Black})))
		return b.Bytes()
	}
	huge := encode(2, 2) // a header that says more
	binary.BigEndian.PutUint32(huge[16:], 20000)
	binary.BigEndian.PutUint32(huge[20:], 20000)
	binary.BigEndian.PutUint32(huge[29:], crc32.ChecksumIEEE(huge[12:29]))
	var photo bytes.Buffer
	require.NoError(t, jpeg.Encode(&photo, image.NewGray(image.Rect(0, 0, 90, 90)), nil))
	return map[string][]byte{"dot.png": encode(1, 1), "huge.png": huge, "cut.jpg": photo.Bytes()[:photo.Len()-40], "text.webp": []byte("no image")}
}

// What the user's own folder can have wrong: every image is named with its fault, the
// others are trained on or classified, and nothing of the user's is touched.
func TestOddImages(t *testing.T) {
	needDevice(t)
	dir, run := photos(t, 20), filepath.Join(t.TempDir(), "run")
	faults := map[string]string{
		"dot.png": "1×1 pixels, at least 2 on a side make an image", "huge.png": "20000×20000 pixels are 400000000, at most 67108864 are read",
		"cut.jpg": "the file is cut short", "text.webp": "neither PNG, JPEG, WebP, BMP nor GIF", "half.jpg": "the file is cut short",
	}
	for name, b := range oddImages(t) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "cat", name), b, 0o600))
	}
	long, err := os.Create(filepath.Join(dir, "dog", "long.png")) // 20,000 pixels wide, and fine
	require.NoError(t, err)
	require.NoError(t, png.Encode(long, image.NewGray(image.Rect(0, 0, 20000, 30))))
	require.NoError(t, long.Close())
	before := tree(t, dir)

	line := "train --dataset folder --data " + dir + " --input 8x8x3 --depth 7 --growth 2 --batch 4 --class plain --epochs 1 --pad 0 --no-test --out " + run
	_, errOut, code := execute(t, line)
	require.Equal(t, exitSuccess, code, errOut)
	text, errOut, code := execute(t, "predict --batch 4 --class plain --checkpoint "+run+" "+dir)
	assert.Equal(t, exitFailure, code, "some could not be read")
	for name, fault := range faults {
		assert.Regexp(t, "sparsenet: passed over: .*"+name+": picture: "+fault, errOut)
	}
	assert.Contains(t, errOut, "5 of 46 images could not be read")
	assert.Equal(t, 41, strings.Count(text, "%  "), "the others are classified")
	assert.Contains(t, text, "long.png  ")
	assert.Equal(t, before, tree(t, dir))

	strict := filepath.Join(t.TempDir(), "strict")
	_, errOut, code = execute(t, strings.Replace(line, run, strict, 1)+" --strict")
	assert.Equal(t, exitFailure, code)
	assert.Regexp(t, `(dot|huge|cut|text|half)\.[a-z]+: picture: `, errOut)
	assert.NoDirExists(t, strict, "nothing is begun")

	require.NoError(t, os.Mkdir(filepath.Join(dir, "emu"), 0o755))
	_, errOut, code = execute(t, strings.Replace(line, run, strict, 1))
	assert.Equal(t, exitFailure, code)
	assert.Contains(t, errOut, "class emu is empty: no PNG, JPEG, WebP, BMP or GIF files in "+filepath.Join(dir, "emu"))

	// the same in folders of their own: one label has no class to go to
	own := t.TempDir()
	require.NoError(t, os.Remove(filepath.Join(dir, "emu")))
	require.NoError(t, os.Rename(dir, filepath.Join(own, "train")))
	require.NoError(t, os.MkdirAll(filepath.Join(own, "test", "wolf"), 0o755))
	_, errOut, code = execute(t, strings.Replace(strings.Replace(line, run, strict, 1), dir, own, 1))
	assert.Equal(t, exitFailure, code)
	assert.Contains(t, errOut, `test has class "wolf"`)
	require.NoError(t, os.Rename(filepath.Join(own, "train"), dir))
}

// A file that cannot be written leaves nothing behind, and what stood there stays.
func TestModelThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	model := importSparse(t)
	export := "export --checkpoint " + model + " --out "
	fails(t, exitFailure, export+dir+"/no/x.onnx", dir+"/no/x.onnx: no file can be made in "+dir+"/no: no such file or directory")
	fails(t, exitFailure, export+dir+"/no/x.safetensors", "no file can be made in "+dir+"/no: no such file or directory")
	require.NoError(t, os.Mkdir(filepath.Join(dir, "folder.onnx"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "folder.onnx", "mine"), []byte("kept"), 0o600))
	before := maps.Clone(tree(t, dir))
	fails(t, exitFailure, export+dir+"/folder.onnx", "folder.onnx", "file exists")
	assert.Equal(t, before, tree(t, dir))

	recipe := filepath.Join(dir, "mine.toml")
	require.NoError(t, os.WriteFile(recipe, []byte("epochs = 3\nlearning_rate = 1\n"), 0o600))
	run := filepath.Join(dir, "run")
	fails(t, exitUsage, "train --recipe "+recipe+" --out "+run, "unknown keys learning_rate (line 2): a recipe has epochs, batch, optimizer, lr")
	assert.NoDirExists(t, run)
}
