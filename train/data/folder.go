package data

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sparsevk/train/data/picture"
)

// A Folder is a data set of the user's own: a folder with a folder of image files
// for each class, named as the class is. It may have the two splits in folders
// train and test (or val, valid, validation), which hold the classes then;
// otherwise a tenth of each class is held out as the test split, always the same.
type Folder struct {
	Dir     string
	Classes []string // in order of labels: sorted by name
	Own     bool     // whether the splits are folders of their own
	Other   int      // files that are not of an image format, which are left alone

	files [2][]labelled // by Split, in the order in which they are read
}

// labelled is an image file.
type labelled struct {
	path  string
	label uint16
}

// The share of each class that is held out where the splits have no folders, and
// what the choice is made with.
const (
	heldOutShare = 0.1
	folderSeed   = 0
)

// testFolders are the names that a folder with the test split may have, the first
// that is there is taken.
var testFolders = []string{"test", "val", "valid", "validation"}

// OpenFolder lists the classes and files in dir, and reads no image. Errors name
// what is missing: classes, a class without images, images for a split.
func OpenFolder(dir string) (*Folder, error) {
	f := &Folder{Dir: dir}
	if dir == "" {
		return nil, errors.New("data: a folder of images has no usual place: name it (--data DIR)")
	}
	err := f.list()
	if err != nil {
		return nil, fmt.Errorf("data: folder of images: %w", err)
	}
	for split := range f.files {
		newStream(folderSeed, folderStream, uint64(split)).shuffleFiles(f.files[split])
	}
	return f, nil
}

// list finds the classes and the files of both splits.
func (f *Folder) list() error {
	entries, err := os.ReadDir(f.Dir)
	if err != nil {
		return err
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if f.Own = slices.Contains(names, "train"); !f.Own {
		return f.listOne()
	}
	if f.Classes, err = classesOf(filepath.Join(f.Dir, "train"), 2); err != nil {
		return err
	}
	if f.files[Train], err = f.listClasses(filepath.Join(f.Dir, "train"), true); err != nil {
		return err
	}
	for _, name := range testFolders {
		if !slices.Contains(names, name) {
			continue
		}
		dir := filepath.Join(f.Dir, name)
		classes, err := classesOf(dir, 1)
		if err != nil {
			return err
		}
		for _, c := range classes {
			if !slices.Contains(f.Classes, c) {
				return fmt.Errorf("%s has class %q, %s has not: a network knows the classes that it was trained on", dir, c, filepath.Join(f.Dir, "train"))
			}
		}
		f.files[Test], err = f.listClasses(dir, false)
		return err
	}
	return nil
}

// listOne finds the classes in the folder itself, and holds out some images.
func (f *Folder) listOne() error {
	var err error
	if f.Classes, err = classesOf(f.Dir, 2); err != nil {
		return err
	}
	all, err := f.listClasses(f.Dir, true)
	if err != nil {
		return err
	}
	for label := range f.Classes {
		var class []labelled
		for _, file := range all {
			if int(file.label) == label {
				class = append(class, file)
			}
		}
		newStream(folderSeed, holdOutStream, uint64(label)).shuffleFiles(class)
		held := int(math.Round(heldOutShare * float64(len(class))))
		if held == 0 && len(class) > 1 {
			held = 1
		}
		f.files[Test] = append(f.files[Test], class[:held]...)
		f.files[Train] = append(f.files[Train], class[held:]...)
	}
	return nil
}

// classesOf returns the names of the folders in dir, at least so many; hidden ones
// are left out.
func classesOf(dir string, least int) (classes []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	images := 0
	for _, e := range entries {
		switch stat, err := os.Stat(filepath.Join(dir, e.Name())); { // follows links
		case strings.HasPrefix(e.Name(), "."):
		case err == nil && stat.IsDir():
			classes = append(classes, e.Name())
		case picture.Named(e.Name()):
			images++
		}
	}
	switch {
	case len(classes) == 0 && images > 0:
		return nil, fmt.Errorf("%s has %d images and no folders: put the images of each class into a folder of its name", dir, images)
	case len(classes) == 0:
		return nil, fmt.Errorf("%s has no folders: it wants one for each class, with its images", dir)
	case len(classes) < least:
		return nil, fmt.Errorf("%s has one folder, %q: it wants one for each class, and at least 2 classes", dir, classes[0])
	case len(classes) > math.MaxUint16:
		return nil, fmt.Errorf("%s has %d folders: at most %d classes", dir, len(classes), math.MaxUint16)
	}
	return classes, nil
}

// listClasses returns the image files of the classes in dir. Each class must have
// some, if all is set.
func (f *Folder) listClasses(dir string, all bool) (files []labelled, err error) {
	for label, class := range f.Classes {
		entries, err := os.ReadDir(filepath.Join(dir, class))
		if errors.Is(err, fs.ErrNotExist) && !all {
			continue
		}
		if err != nil {
			return nil, err
		}
		before := len(files)
		for _, e := range entries {
			switch {
			case strings.HasPrefix(e.Name(), "."):
			case picture.Named(e.Name()):
				files = append(files, labelled{filepath.Join(dir, class, e.Name()), uint16(label)})
			default:
				f.Other++
			}
		}
		if all && len(files) == before {
			return nil, fmt.Errorf("class %s is empty: no PNG, JPEG, WebP, BMP or GIF files in %s; add some, or remove the folder",
				class, filepath.Join(dir, class))
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no images of any class in %s", dir)
	}
	return files, nil
}

// Len returns the number of image files of a split.
func (f *Folder) Len(split Split) int { return len(f.files[split]) }

// shuffleFiles is shuffle of files, which come sorted by class and name: the first
// so many of them are then a fair sample.
func (s *stream) shuffleFiles(files []labelled) {
	order := upTo(len(files))
	s.shuffle(order)
	old := slices.Clone(files)
	for i, j := range order {
		files[i] = old[j]
	}
}

// count returns how many images of each class there are.
func (f *Folder) count(labels []uint16) []int {
	counts := make([]int, len(f.Classes))
	for _, l := range labels {
		counts[l]++
	}
	return counts
}

// A Broken image is one that could not be read.
type Broken struct {
	Path string
	Err  error
}

// Error names the file and what is wrong with it.
func (b Broken) Error() string { return b.Path + ": " + b.Err.Error() }

// Unwrap returns what is wrong with the file.
func (b Broken) Unwrap() error { return b.Err }

// FolderOptions say how the images of a [Folder] are read.
type FolderOptions struct {
	H, W, C  int                   // of the images in the set: scaled, and the middle taken; 1 channel or 3
	Images   int                   // read the first so many only; 0 means all
	Strict   bool                  // a broken image is an error, not left out
	MaxBytes int64                 // of all images in memory; 0 means 4 GiB
	Progress func(done, total int) // told of images that were read, one call at a time; may be nil
}

// DefaultMaxBytes is what the images of a folder may take in memory.
const DefaultMaxBytes = 4 << 30

// check refuses what cannot be read or held.
func (o *FolderOptions) check(f *Folder, split Split) error {
	o.MaxBytes = cmp.Or(o.MaxBytes, DefaultMaxBytes)
	n := f.Len(split)
	switch {
	case n == 0 && f.Own:
		return fmt.Errorf("%s has a folder train and none of %s: add one, or do without the test split", f.Dir, strings.Join(testFolders, ", "))
	case n == 0:
		return fmt.Errorf("%s has too few images to hold out a test split: %d in %d classes; a class needs 2", f.Dir, f.Len(Train), len(f.Classes))
	case o.H < 1 || o.W < 1 || o.C != 1 && o.C != 3:
		return fmt.Errorf("input of %dx%dx%d: images have 1 channel or 3", o.H, o.W, o.C)
	case o.Images < 0 || o.Images > n:
		return fmt.Errorf("limit of %d images, the %s split of %s has %d", o.Images, split, f.Dir, n)
	}
	if o.Images > 0 {
		n = o.Images
	}
	if bytes := int64(n) * int64(o.H*o.W*o.C); bytes > o.MaxBytes {
		return fmt.Errorf("%d images of %dx%dx%d take %.1f GiB, at most %.1f are held in memory: use a smaller input (--input), or fewer images (--images %d)",
			n, o.H, o.W, o.C, float64(bytes)/(1<<30), float64(o.MaxBytes)/(1<<30), o.MaxBytes/int64(o.H*o.W*o.C))
	}
	return nil
}

// Read decodes the images of a split, on all cores. Those that cannot be read are
// left out and returned, by path; if Strict is set, the first is the error. Mean
// and deviation are those of the images that were read: to train and test with
// the same, take them of the training split.
func (f *Folder) Read(ctx context.Context, split Split, o FolderOptions) (*Set, []Broken, error) {
	if err := o.check(f, split); err != nil {
		return nil, nil, fmt.Errorf("data: folder of images: %w", err)
	}
	files := f.files[split]
	if o.Images > 0 {
		files = files[:o.Images]
	}
	s := &Set{Name: FolderName, Split: split, H: o.H, W: o.W, C: o.C, Classes: len(f.Classes), ClassNames: f.Classes}
	broken, err := s.decode(ctx, files, o)
	if err != nil {
		return nil, broken, fmt.Errorf("data: folder of images: %w", err)
	}
	for label, n := range f.count(s.Labels) {
		if n == 0 && split == Train && o.Images == 0 {
			return nil, broken, fmt.Errorf("data: folder of images: class %s: none of its images could be read: %w", f.Classes[label], anyOf(broken))
		}
	}
	if s.Len() == 0 {
		return nil, broken, fmt.Errorf("data: folder of images: none of the %d images could be read: %w", len(files), anyOf(broken))
	}
	s.Mean, s.Std = s.Measure()
	for c := range s.Std {
		s.Std[c] = max(s.Std[c], 1.0/255) // images of one colour cannot be normalised by their own
	}
	return s, broken, s.Check()
}

// FolderName is the name of every [Folder] as a data set.
const FolderName = "folder"

func anyOf(broken []Broken) error {
	if len(broken) == 0 {
		return nil
	}
	return broken[0]
}
