package picture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/image/bmp"
)

// colours is an image of w×h pixels that are all different.
func colours(w, h int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.Set(x, y, color.RGBA{byte(5 * x), byte(7 * y), byte(x + y), 255})
		}
	}
	return m
}

func encoded(t testing.TB, encode func(io.Writer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, encode(&b))
	return b.Bytes()
}

// Lossless formats give back the very bytes, also with an origin that is not zero.
func TestPlanesAreTheBytes(t *testing.T) {
	m := colours(4, 3)
	for name, b := range map[string][]byte{
		"png": encoded(t, func(w io.Writer) error { return png.Encode(w, m) }),
		"bmp": encoded(t, func(w io.Writer) error { return bmp.Encode(w, m) }),
	} {
		got, err := Decode(bytes.NewReader(b))
		require.NoError(t, err, name)
		planes, err := Planes(got, 3, 4, 3)
		require.NoError(t, err)
		assert.Equal(t, []byte{0, 5, 10, 15, 0, 5, 10, 15, 0, 5, 10, 15, 0, 0, 0, 0, 7, 7, 7, 7, 14, 14, 14, 14, 0, 1, 2, 3, 1, 2, 3, 4, 2, 3, 4, 5}, planes, name)
	}
	sub := colours(6, 6).SubImage(image.Rect(2, 3, 4, 5))
	planes, err := Planes(sub, 2, 2, 3)
	require.NoError(t, err)
	assert.Equal(t, []byte{10, 15, 10, 15, 21, 21, 28, 28, 5, 6, 6, 7}, planes)

	grey := image.NewGray(image.Rect(0, 0, 256, 1))
	for i := range grey.Pix {
		grey.Pix[i] = byte(i)
	}
	planes, err = Planes(grey, 1, 256, 1)
	require.NoError(t, err)
	assert.Equal(t, grey.Pix, planes)
}

// Other sizes: the middle is kept, one pixel fills everything, an even colour stays.
func TestPlanesScale(t *testing.T) {
	planes, err := Planes(colours(1, 1), 5, 7, 3)
	require.NoError(t, err)
	assert.Equal(t, make([]byte, 105), planes)

	wide := image.NewGray(image.Rect(0, 0, 90, 30)) // thirds of 10, 200 and 90
	for i := range wide.Pix {
		wide.Pix[i] = [3]byte{10, 200, 90}[i%90/30]
	}
	planes, err = Planes(wide, 8, 8, 1)
	require.NoError(t, err)
	assert.Equal(t, bytes.Repeat([]byte{200}, 64), planes)

	for _, s := range [][2]int{{3, 1000}, {1000, 3}, {31, 33}, {1, 2}} {
		even := image.NewNRGBA(image.Rect(0, 0, s[0], s[1]))
		for i := range even.Pix {
			even.Pix[i] = [4]byte{40, 90, 250, 255}[i%4]
		}
		planes, err := Planes(even, 4, 5, 3)
		require.NoError(t, err)
		for i, v := range planes {
			require.Equal(t, []byte{40, 90, 250}[i/20], v, "%v", s)
		}
	}
	clear := image.NewNRGBA(image.Rect(0, 0, 2, 2))
	for i := range clear.Pix {
		clear.Pix[i] = [4]byte{40, 90, 250, 0}[i%4]
	}
	planes, err = Planes(clear, 2, 2, 3)
	require.NoError(t, err)
	assert.Equal(t, make([]byte, 12), planes)
	_, err = Planes(clear, 2, 2, 2)
	assert.ErrorContains(t, err, "want 1 or 3 channels")
}

// hugePNG says that it has side×side pixels.
func hugePNG(t testing.TB, side uint32) []byte {
	b := encoded(t, func(w io.Writer) error { return png.Encode(w, colours(1, 1)) })
	binary.BigEndian.PutUint32(b[16:], side)
	binary.BigEndian.PutUint32(b[20:], side)
	binary.BigEndian.PutUint32(b[29:], crc32.ChecksumIEEE(b[12:29]))
	return b
}

func TestDecodeRefuses(t *testing.T) {
	photo := encoded(t, func(w io.Writer) error { return jpeg.Encode(w, colours(40, 40), nil) })
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"empty":          {nil, "neither PNG, JPEG"},
		"text":           {[]byte("no image"), "neither PNG, JPEG"},
		"truncated JPEG": {photo[:len(photo)/2], "the file is cut short: "},
		"most of a JPEG": {photo[:len(photo)-20], "the file is cut short: "},
		"header alone":   {photo[:20], "EOF"},
		"20,000 pixels":  {hugePNG(t, 20000), "20000×20000 pixels are 400000000, at most 67108864 are read"},
		"more than fits": {hugePNG(t, 1<<31-1), "picture: "},
		"one pixel":      {encoded(t, func(w io.Writer) error { return png.Encode(w, colours(1, 1)) }), "1×1 pixels, at least 2 on a side"},
		"one row":        {encoded(t, func(w io.Writer) error { return png.Encode(w, colours(9, 1)) }), "9×1 pixels, at least 2"},
		"no pixels":      {hugePNG(t, 0), "picture: "},
	} {
		m, err := Decode(bytes.NewReader(c.file))
		assert.Nil(t, m, name)
		assert.ErrorContains(t, err, c.want, name)
	}
	_, err := Decode(failing{})
	assert.ErrorContains(t, err, "broken disk")
	m, err := Decode(bytes.NewReader(photo))
	require.NoError(t, err)
	assert.Equal(t, image.Rect(0, 0, 40, 40), m.Bounds())
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("broken disk") }

func TestNamed(t *testing.T) {
	for path, want := range map[string]bool{"a.PNG": true, "b/c.jpeg": true, "d.webp": true, "e.txt": false, "png": false, ".bmp": true} {
		assert.Equal(t, want, Named(path), path)
	}
}

// FuzzDecode: no file makes a decoder panic, or gives an image that has no planes.
func FuzzDecode(f *testing.F) {
	m := colours(3, 2)
	f.Add(encoded(f, func(w io.Writer) error { return png.Encode(w, m) }))
	f.Add(encoded(f, func(w io.Writer) error { return bmp.Encode(w, m) }))
	f.Add(encoded(f, func(w io.Writer) error { return gif.Encode(w, m, nil) }))
	photo := encoded(f, func(w io.Writer) error { return jpeg.Encode(w, m, nil) })
	f.Add(photo)
	f.Add(withExif(photo, exif(binary.LittleEndian, 6)))
	webp, err := os.ReadFile(filepath.Join("testdata", "tiny.webp"))
	require.NoError(f, err)
	f.Add(webp)
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, _, err := image.DecodeConfig(bytes.NewReader(b)); err == nil && c.Width*c.Height > 1<<20 {
			return // right, but slow
		}
		m, err := Decode(bytes.NewReader(b))
		if err != nil {
			return
		}
		if _, err := Planes(m, 2, 3, 3); err != nil {
			t.Fatal(err)
		}
	})
}

// A lossless WebP, which Pillow wrote.
func TestWebP(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("testdata", "tiny.webp"))
	require.NoError(t, err)
	m, err := Decode(bytes.NewReader(b))
	require.NoError(t, err)
	planes, err := Planes(m, 4, 5, 3)
	require.NoError(t, err)
	for i := range 20 {
		assert.Equal(t, []byte{byte(i % 5 * 50), byte(i / 5 * 60), 9}, []byte{planes[i], planes[20+i], planes[40+i]})
	}
}
