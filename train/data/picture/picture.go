// Package picture turns image files into the bytes that networks take: PNG, JPEG,
// WebP, BMP and GIF, of any size, scaled and cropped to one.
//
// It knows single images and neither data sets nor labels; package data and
// cmd/sparsenet use it.
package picture

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	_ "image/gif"
	"image/jpeg"
	_ "image/png"
	"io"
	"path/filepath"
	"slices"
	"strings"

	_ "golang.org/x/image/bmp"
	"golang.org/x/image/draw"
	_ "golang.org/x/image/webp"
)

// Bounds of what is decoded: a small file can say that it is a very large image.
const (
	MaxBytes  = 256 << 20 // of a file
	MaxPixels = 64 << 20  // of an image
	// MinSide is the least width and height: an image of a single pixel is a
	// placeholder, such as trackers and broken downloads leave.
	MinSide = 2
)

// extensions are those of files that Decode may read.
var extensions = []string{".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif"}

// Named reports whether path has the extension of an image.
func Named(path string) bool {
	return slices.Contains(extensions, strings.ToLower(filepath.Ext(path)))
}

// Decode reads one image. Of a GIF it is the first frame; a JPEG is turned as its Exif
// orientation says. The size is checked before the pixels are decoded. A decoder that
// panics has met a broken file.
func Decode(r io.Reader) (m image.Image, err error) {
	defer func() {
		if p := recover(); p != nil {
			m, err = nil, fmt.Errorf("picture: its decoder panics: %v", p)
		}
	}()
	b, err := io.ReadAll(io.LimitReader(r, MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("picture: %w", err)
	}
	if len(b) > MaxBytes {
		return nil, fmt.Errorf("picture: more than %d MiB", MaxBytes>>20)
	}
	c, _, err := image.DecodeConfig(bytes.NewReader(b))
	switch {
	case errors.Is(err, image.ErrFormat):
		return nil, errors.New("picture: neither PNG, JPEG, WebP, BMP nor GIF")
	case err != nil:
		return nil, broken(err)
	case c.Width < MinSide || c.Height < MinSide:
		return nil, fmt.Errorf("picture: %d×%d pixels, at least %d on a side make an image", c.Width, c.Height, MinSide)
	case c.Width > MaxPixels/c.Height:
		return nil, fmt.Errorf("picture: %d×%d pixels are %d, at most %d are read: scale it down", c.Width, c.Height, int64(c.Width)*int64(c.Height), MaxPixels)
	}
	if m, _, err = image.Decode(bytes.NewReader(b)); err != nil {
		return nil, broken(err)
	}
	if s := m.Bounds(); s.Dx() < 1 || s.Dy() < 1 {
		return nil, errors.New("picture: no pixels")
	}
	return turn(m, orientation(b)), nil
}

// broken says what is wrong with a file.
func broken(err error) error {
	short := jpeg.FormatError("short Huffman data") // how image/jpeg says it
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, short) {
		return fmt.Errorf("picture: the file is cut short: %w", err)
	}
	return fmt.Errorf("picture: %w", err)
}

// Planes returns the pixels of m as [c][h][w] bytes: c is 3 for red, green and blue,
// 1 for grey (luma as in ITU-R 601). An image of another size is scaled so that it
// just covers h×w, and its middle is taken; what is transparent is black.
func Planes(m image.Image, h, w, c int) ([]byte, error) {
	if h < 1 || w < 1 || (c != 1 && c != 3) {
		return nil, fmt.Errorf("picture: %d channels of %d×%d: want 1 or 3 channels", c, h, w)
	}
	held := upright
	if t, ok := m.(turned); ok { // the few pixels of the result are turned: faster by far
		m, held = t.stored, t.orientation
	}
	fit := image.Rect(0, 0, w, h)
	if held > 4 {
		fit = image.Rect(0, 0, h, w)
	}
	fitted := image.NewRGBA(fit) // black
	from := m.Bounds()
	if from.Size() == fit.Size() {
		draw.Draw(fitted, fitted.Bounds(), m, from.Min, draw.Src)
	} else {
		draw.CatmullRom.Scale(fitted, fitted.Bounds(), m, middle(from, fit.Dy(), fit.Dx()), draw.Src, nil)
	}
	out := make([]byte, c*h*w)
	for i := range h * w {
		x, y := source(held, i%w, i/w, fit.Dx(), fit.Dy())
		p := fitted.Pix[fitted.PixOffset(x, y):]
		if c == 1 {
			out[i] = color.GrayModel.Convert(color.RGBA{p[0], p[1], p[2], 255}).(color.Gray).Y
			continue
		}
		for k, v := range p[:3] {
			out[k*h*w+i] = v
		}
	}
	return out, nil
}

// middle returns the largest rectangle of h to w in the middle of from, of at least
// one pixel.
func middle(from image.Rectangle, h, w int) image.Rectangle {
	cut := from
	if wide := from.Dy() * w / h; wide < from.Dx() {
		cut.Min.X += (from.Dx() - max(1, wide)) / 2
		cut.Max.X = cut.Min.X + max(1, wide)
	} else if high := from.Dx() * h / w; high < from.Dy() {
		cut.Min.Y += (from.Dy() - max(1, high)) / 2
		cut.Max.Y = cut.Min.Y + max(1, high)
	}
	return cut
}
