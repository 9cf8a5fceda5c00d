package picture

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// quarters are four rectangles of 2·side by side pixels: red and green, below them blue
// and white.
func quarters(side int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, 4*side, 2*side))
	for y := range 2 * side {
		for x := range 4 * side {
			m.Set(x, y, [2][2]color.RGBA{{{255, 0, 0, 255}, {0, 255, 0, 255}}, {{0, 0, 255, 255}, {255, 255, 255, 255}}}[y/side][x/side/2])
		}
	}
	return m
}

// corners names the colours at the corners of planes, row after row.
func corners(planes []byte, h, w int) (names string) {
	for _, i := range []int{0, w - 1, (h - 1) * w, h*w - 1} {
		var bright [3]bool
		for c := range bright {
			bright[c] = planes[c*h*w+i] > 127
		}
		names += map[[3]bool]string{{true, false, false}: "R", {false, true, false}: "G", {false, false, true}: "B", {true, true, true}: "W"}[bright]
	}
	return names
}

// exif is the segment with an orientation, behind another tag.
func exif(order binary.AppendByteOrder, orientation uint16) []byte {
	tiff := []byte("II*\x00")
	if order == binary.BigEndian {
		tiff = []byte("MM\x00*")
	}
	tiff = order.AppendUint32(tiff, 8)
	tiff = order.AppendUint16(tiff, 2)
	for _, tag := range [][2]uint16{{0x010f, 7}, {orientationTag, orientation}} {
		tiff = order.AppendUint16(tiff, tag[0])
		tiff = order.AppendUint16(tiff, shortType)
		tiff = order.AppendUint32(tiff, 1)
		tiff = order.AppendUint16(tiff, tag[1])
		tiff = order.AppendUint16(tiff, 0)
	}
	body := append([]byte("Exif\x00\x00"), tiff...)
	return append(binary.BigEndian.AppendUint16([]byte{0xff, 0xe1}, uint16(len(body)+2)), body...)
}

// withExif puts a segment into a JPEG file, behind another one.
func withExif(file, segment []byte) []byte {
	comment := []byte{0xff, 0xff, 0xfe, 0, 4, 'h', 'i'}
	return append(append(append(bytes.Clone(file[:2]), comment...), segment...), file[2:]...)
}

// Every orientation of a photograph, as the standard draws them.
func TestOrientation(t *testing.T) {
	file := encoded(t, func(w io.Writer) error { return jpeg.Encode(w, quarters(16), nil) })
	for o, want := range map[uint16]string{
		0: "RGBW", 1: "RGBW", 2: "GRWB", 3: "WBGR", 4: "BWRG", 5: "RBGW", 6: "BRWG", 7: "WGBR", 8: "GWRB", 9: "RGBW",
	} {
		for _, order := range []binary.AppendByteOrder{binary.BigEndian, binary.LittleEndian} {
			m, err := Decode(bytes.NewReader(withExif(file, exif(order, o))))
			require.NoError(t, err)
			h, w := 32, 64
			if o > 4 && o < 9 {
				h, w = w, h
			}
			require.Equal(t, image.Rect(0, 0, w, h), m.Bounds(), o)
			for _, size := range [][2]int{{h, w}, {h / 4, w / 4}} { // as it is, and scaled
				planes, err := Planes(m, size[0], size[1], 3)
				require.NoError(t, err)
				assert.Equal(t, want, corners(planes, size[0], size[1]), "orientation %d, %v", o, size)
			}
			red, _, _, _ := m.At(0, 0).RGBA()
			assert.Equal(t, want[0] == 'R' || want[0] == 'W', red > 0x8000, "orientation %d", o)
		}
	}
}

// A file that Pillow wrote: stored on its side, upright once it is turned.
func TestOrientationOfPillow(t *testing.T) {
	f, err := os.Open(filepath.Join("testdata", "side.jpg"))
	require.NoError(t, err)
	defer f.Close()
	m, err := Decode(f)
	require.NoError(t, err)
	planes, err := Planes(m, 64, 32, 3)
	require.NoError(t, err)
	assert.Equal(t, "BRWG", corners(planes, 64, 32))
}

// What is damaged is upright, and no reason to panic or to fail.
func TestDamagedOrientation(t *testing.T) {
	file := encoded(t, func(w io.Writer) error { return jpeg.Encode(w, quarters(8), nil) })
	whole := exif(binary.LittleEndian, 6)
	for n := range len(whole) {
		cut := append(bytes.Clone(whole[:n]), file[2:]...)
		assert.NotPanics(t, func() { orientation(append([]byte{0xff, 0xd8}, cut...)) }, n)
		if n >= 10 {
			assert.Equal(t, upright, orientationOf(whole[10:n]), n)
		}
	}
	far := bytes.Clone(whole[10:])
	binary.LittleEndian.PutUint32(far[4:], 1<<32-1)
	assert.Equal(t, upright, orientationOf(far))
	assert.Equal(t, 6, orientationOf(whole[10:]))
}

// FuzzOrientation: whatever a file says, it has one of the eight orientations.
func FuzzOrientation(f *testing.F) {
	for _, segment := range [][]byte{exif(binary.LittleEndian, 6), exif(binary.BigEndian, 3), exif(binary.BigEndian, 0)} {
		f.Add(append([]byte{0xff, 0xd8}, segment...))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		if o := orientation(file); o < 1 || o > 8 {
			t.Error(o)
		}
	})
}
