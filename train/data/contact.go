package data

import (
	"fmt"
	"image"
	"image/color"
)

// ContactSheet returns a picture of the first images of each class: a row for a
// class, columns images in it, with a pixel between them. Classes that have
// fewer leave room.
func ContactSheet(s *Set, columns int) (image.Image, error) {
	if columns < 1 || columns > 1000 {
		return nil, fmt.Errorf("data: contact sheet of %d columns, want 1 to 1000", columns)
	}
	if s.C != 1 && s.C != 3 {
		return nil, fmt.Errorf("data: contact sheet of images of %d channels, want 1 or 3", s.C)
	}
	img := image.NewRGBA(image.Rect(0, 0, columns*(s.W+1)-1, s.Classes*(s.H+1)-1))
	filled := make([]int, s.Classes)
	for i, l := range s.Labels {
		if filled[l] < columns {
			s.draw(img, i, filled[l]*(s.W+1), int(l)*(s.H+1))
			filled[l]++
		}
	}
	return img, nil
}

// draw puts an image with its top left corner at (left, top).
func (s *Set) draw(img *image.RGBA, i, left, top int) {
	pixels, plane := s.Image(i), s.H*s.W
	for p := range plane {
		c := color.RGBA{pixels[p], pixels[p], pixels[p], 255}
		if s.C == 3 {
			c.G, c.B = pixels[plane+p], pixels[2*plane+p]
		}
		img.SetRGBA(left+p%s.W, top+p/s.W, c)
	}
}
