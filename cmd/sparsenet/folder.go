package main

import (
	"fmt"
	"slices"
	"strings"

	"sparsevk/sparsenet"
	"sparsevk/train/data"
)

// shape returns what is known of the data set before its images are read.
func (f *dataFlags) shape() (data.Shape, error) {
	if f.name != data.FolderName {
		s, err := data.Describe(f.name)
		if err != nil {
			return s, usagef("%w, and folder", err)
		}
		return s, nil
	}
	if err := f.list(); err != nil {
		return data.Shape{}, err
	}
	return data.Shape{Classes: len(f.folder.Classes)}, nil
}

// list opens the folder, once.
func (f *dataFlags) list() (err error) {
	if f.folder == nil {
		f.folder, err = data.OpenFolder(f.dir)
	}
	return err
}

// openFolder reads the images of a split, at the size that the network takes.
func (f *dataFlags) openFolder(split data.Split, in sparsenet.Input) (*data.Set, error) {
	if err := f.list(); err != nil {
		return nil, err
	}
	if f.classes != nil && !slices.Equal(f.classes, f.folder.Classes) {
		return nil, fmt.Errorf("%s has the classes %s, the model was trained on %s: the labels would not be the same",
			f.dir, inShort(f.folder.Classes), inShort(f.classes))
	}
	line := newProgress(f.cmd)
	defer line.clear()
	o := data.FolderOptions{H: in.H, W: in.W, C: in.C, Strict: f.strict, Progress: func(done, total int) {
		line.show("reading images: %d of %d", done, total)
	}}
	if split == data.Train {
		o.Images = f.images
	}
	s, broken, err := f.folder.Read(f.cmd.Context(), split, o)
	line.clear()
	if len(broken) > 0 {
		f.note("%d of %d images of the %s split are broken and left out: %s", len(broken), min(f.folder.Len(split), len(broken)+lenOf(s)), split, inShort(broken))
	}
	if split == data.Train && f.folder.Other > 0 {
		f.note("%d files in %s are not images by their names, and left alone", f.folder.Other, f.dir)
	}
	return s, err
}

func lenOf(s *data.Set) int {
	if s == nil {
		return 0
	}
	return s.Len()
}

// note tells of something on standard error, and keeps it for the run's log.
func (f *dataFlags) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	f.notes = append(f.notes, text)
	fmt.Fprintln(f.cmd.ErrOrStderr(), "sparsenet: "+text)
}

// inShort lists the first few of a list.
func inShort[T any](list []T) string {
	const most = 5
	var parts []string
	for _, v := range list[:min(most, len(list))] {
		parts = append(parts, fmt.Sprint(v))
	}
	if len(list) > most {
		parts = append(parts, fmt.Sprintf("and %d more", len(list)-most))
	}
	return strings.Join(parts, ", ")
}
