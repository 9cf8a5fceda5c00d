package picture

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
)

// A camera stores what its sensor saw, and says in the Exif part of a JPEG file how
// it was held: one of eight orientations (Exif 2.32, tag 0x0112; JEITA CP-3451).
const (
	upright        = 1
	orientationTag = 0x0112
	shortType      = 3
)

// orientation returns that of a JPEG file, upright where the file says nothing that
// can be read: a damaged tag is no reason to lose the picture.
func orientation(file []byte) int {
	if !bytes.HasPrefix(file, []byte{0xff, 0xd8}) {
		return upright
	}
	for b := file[2:]; len(b) >= 4 && b[0] == 0xff; {
		if b[1] == 0xff { // a marker may be padded
			b = b[1:]
			continue
		}
		n := int(binary.BigEndian.Uint16(b[2:])) + 2 // with the marker
		if b[1] == 0xda || n < 4 || n > len(b) {     // the pixels begin
			break
		}
		if tiff, ok := bytes.CutPrefix(b[4:n], []byte("Exif\x00\x00")); ok && b[1] == 0xe1 {
			return orientationOf(tiff)
		}
		b = b[n:]
	}
	return upright
}

// orientationOf looks for the tag in the first directory of Exif's TIFF structure.
func orientationOf(tiff []byte) int {
	var order binary.ByteOrder = binary.LittleEndian
	switch {
	case bytes.HasPrefix(tiff, []byte("MM\x00*")):
		order = binary.BigEndian
	case !bytes.HasPrefix(tiff, []byte("II*\x00")):
		return upright
	}
	if len(tiff) < 8 {
		return upright
	}
	at := order.Uint32(tiff[4:])
	if uint64(at)+2 > uint64(len(tiff)) {
		return upright
	}
	entries := tiff[at+2:]
	for range order.Uint16(tiff[at:]) {
		if len(entries) < 12 {
			break
		}
		if order.Uint16(entries) == orientationTag && order.Uint16(entries[2:]) == shortType {
			if o := int(order.Uint16(entries[8:])); o >= 1 && o <= 8 {
				return o
			}
			break
		}
		entries = entries[12:]
	}
	return upright
}

// A turned image is a stored one as it is to be seen.
type turned struct {
	stored      image.Image
	orientation int
}

// turn returns m as it is to be seen.
func turn(m image.Image, orientation int) image.Image {
	if orientation == upright {
		return m
	}
	return turned{m, orientation}
}

// ColorModel is that of the stored image.
func (t turned) ColorModel() color.Model { return t.stored.ColorModel() }

// Bounds begin at 0.
func (t turned) Bounds() image.Rectangle {
	s := t.stored.Bounds().Size()
	if t.orientation > 4 { // turned by a quarter
		s.X, s.Y = s.Y, s.X
	}
	return image.Rectangle{Max: s}
}

// At returns a pixel of the image as it is to be seen.
func (t turned) At(x, y int) color.Color {
	b := t.stored.Bounds()
	x, y = source(t.orientation, x, y, b.Dx(), b.Dy())
	return t.stored.At(b.Min.X+x, b.Min.Y+y)
}

// source returns where pixel (x, y) of what is to be seen lies in the w×h pixels that
// are stored.
func source(orientation, x, y, w, h int) (int, int) {
	switch orientation {
	case 2: // mirrored
		return w - 1 - x, y
	case 3: // upside down
		return w - 1 - x, h - 1 - y
	case 4:
		return x, h - 1 - y
	case 5:
		return y, x
	case 6: // the camera's left side was up
		return y, h - 1 - x
	case 7:
		return w - 1 - y, h - 1 - x
	case 8:
		return w - 1 - y, x
	}
	return x, y
}
