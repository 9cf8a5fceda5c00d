package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sparsevk/sparsenet"
	"sparsevk/train"
	"sparsevk/train/data"
	"sparsevk/train/data/picture"
)

// predictFlags are the flags of `sparsenet predict`.
type predictFlags struct {
	model    modelFlags
	dev      deviceFlags
	engine   engineFlag
	top      int
	batch    int
	features bool
}

// newPredictCommand makes `sparsenet predict FILE|DIR|-...`.
func newPredictCommand() *cobra.Command {
	f := &predictFlags{}
	c := &cobra.Command{
		Use:   "predict FILE|DIR|-...",
		Short: "Classify images with a trained model",
		Long: `Prints the most likely classes of images: PNG, JPEG, WebP, BMP or GIF files, all
those in a directory and below it, or standard input (-). They are turned as their
Exif orientation says, scaled and cropped to the size of the training images, and
normalised as those were; the checkpoint says how. Files that cannot be read are
named on standard error and counted; then the exit status is 1.

--features adds the vector before the classifier. With --json there is one JSON
object on each line.`,
		Example: "  sparsenet predict --checkpoint runs/cifar photo.jpg holidays/\n" +
			"  curl -s https://example.org/cat.png | sparsenet predict --checkpoint runs/cifar --json -",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("predict needs images: files, directories, or - for standard input")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	f.model.add(c)
	s := c.Flags()
	s.IntVar(&f.top, "top", 3, "classes to print")
	s.IntVar(&f.batch, "batch", 16, "images in a step")
	s.BoolVar(&f.features, "features", false, "also print the vector before the classifier")
	f.engine.add(c)
	f.dev.add(c)
	return c
}

// errBroken says that some images could not be read.
var errBroken = errors.New("could not be read")

func (f *predictFlags) run(cmd *cobra.Command, args []string) (err error) {
	p, o, err := f.prepare(cmd)
	if err != nil {
		return err
	}
	files, err := imageFiles(args)
	if err != nil {
		return err
	}
	d, err := f.dev.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	n, err := sparsenet.NewNetwork(p.graph, f.dev.kernels(o, d))
	if err != nil {
		return err
	}
	if p.model, err = openModel(n, d, 0); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.model.Close()) }()
	if err := loadFile(p.model, f.model.path); err != nil {
		return err
	}
	broken := 0
	for chunk := range slices.Chunk(files, f.batch) {
		if err := cmd.Context().Err(); err != nil {
			return err
		}
		bad, err := p.predict(cmd, chunk)
		if err != nil {
			return err
		}
		broken += bad
	}
	if broken > 0 {
		return fmt.Errorf("%d of %d images %w", broken, len(files), errBroken)
	}
	return nil
}

// prepare checks everything that needs no device.
func (f *predictFlags) prepare(cmd *cobra.Command) (*predictor, sparsenet.Options, error) {
	var o sparsenet.Options
	switch {
	case f.top < 1:
		return nil, o, usagef("--top %d: want at least 1 class", f.top)
	case f.batch < 1:
		return nil, o, usagef("--batch %d: want at least 1 image", f.batch)
	}
	if err := f.model.find(cmd); err != nil {
		return nil, o, err
	}
	c, err := f.model.net.config()
	if err != nil {
		return nil, o, err
	}
	g, err := sparsenet.Build(c)
	if err != nil {
		return nil, o, usageError{err}
	}
	e, err := f.engine.parse()
	if err != nil {
		return nil, o, err
	}
	if f.model.missing != nil {
		return nil, o, f.model.missing
	}
	d := f.model.describe(g)
	if d.Mean == nil {
		return nil, o, usagef("%s does not say how its images were normalised: bring it in with 'sparsenet import --mean --std', or --dataset", f.model.path)
	}
	if c.Input.C != 1 && c.Input.C != 3 {
		return nil, o, usagef("%s takes images of %d channels: image files have 1 or 3", f.model.path, c.Input.C)
	}
	set := data.Set{Name: "images", H: c.Input.H, W: c.Input.W, C: c.Input.C, Classes: c.Classes, Mean: d.Mean, Std: d.Std}
	if facts, err := data.Published(d.Dataset); err == nil { // padded, where the network takes larger ones
		set.H, set.W = min(set.H, facts.H), min(set.W, facts.W)
	}
	o = sparsenet.Options{Batch: f.batch, Engine: e, Inference: true, Mean: d.Mean, Std: d.Std, Pixels: d.Pixels, Features: f.features}
	return &predictor{graph: g, set: set, names: d.Classes, top: min(f.top, c.Classes)}, o, nil
}

// imageFiles returns the files that the arguments name: those of directories by their
// extension, sorted.
func imageFiles(args []string) (files []string, err error) {
	for _, arg := range args {
		info, err := os.Stat(arg)
		if arg == "-" || err != nil || !info.IsDir() { // what is not there is told with the broken ones
			files = append(files, arg)
			continue
		}
		found := 0
		err = filepath.WalkDir(arg, func(path string, e fs.DirEntry, err error) error {
			if err == nil && !e.IsDir() && picture.Named(path) {
				files = append(files, path)
				found++
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		if found == 0 {
			return nil, fmt.Errorf("%s holds no images: PNG, JPEG, WebP, BMP or GIF files", arg)
		}
	}
	return files, nil
}

// A predictor classifies image files.
type predictor struct {
	graph *sparsenet.Graph
	model *sparsenet.Model
	set   data.Set // the form of the images; it has none
	names []string
	top   int
}

// prediction is what predict prints of one image.
type prediction struct {
	File     string      `json:"file"`
	Classes  []classProb `json:"classes"`
	Features []float32   `json:"features,omitempty"`
}

type classProb struct {
	Class       string  `json:"class"`
	Index       int     `json:"index"`
	Probability float64 `json:"probability"`
}

// predict classifies at most a batch of files, prints what it finds and names those
// that cannot be read.
func (p *predictor) predict(cmd *cobra.Command, files []string) (broken int, err error) {
	set := p.set
	var names []string
	for _, path := range files {
		planes, err := p.read(cmd.InOrStdin(), path)
		if err != nil {
			fmt.Fprintf(cmd.ErrOrStderr(), "sparsenet: passed over: %s: %v\n", path, err)
			broken++
			continue
		}
		names = append(names, path)
		set.Images = append(set.Images, planes...)
		set.Labels = append(set.Labels, 0)
	}
	if len(names) == 0 {
		return broken, nil
	}
	in := p.graph.Config.Input
	padded, err := set.Pad(in.H, in.W)
	if err != nil {
		return broken, err
	}
	l := data.Loader{Set: padded, Size: p.model.Batch}
	_, err = train.EvaluateEach(cmd.Context(), p.model, l, func(data.Batch) error { return p.print(cmd, names) })
	return broken, err
}

func (p *predictor) read(stdin io.Reader, path string) ([]byte, error) {
	if path != "-" {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		stdin = bytes.NewReader(b)
	}
	m, err := picture.Decode(stdin)
	if err != nil {
		return nil, err
	}
	return picture.Planes(m, p.set.H, p.set.W, p.set.C)
}

// print tells the outcome of the last step for the files, in order.
func (p *predictor) print(cmd *cobra.Command, files []string) error {
	logits, err := p.model.Logits()
	if err != nil {
		return err
	}
	var features []float32
	if p.model.Options.Features {
		if features, err = p.model.Features(); err != nil {
			return err
		}
	}
	k, n := p.graph.Config.Classes, p.graph.Features
	for i, path := range files {
		out := prediction{File: path, Classes: p.best(logits[i*k : (i+1)*k])}
		if features != nil {
			out.Features = features[i*n : (i+1)*n]
		}
		if err := out.write(cmd); err != nil {
			return err
		}
	}
	return nil
}

// best returns the most likely classes, with the softmax of the logits.
func (p *predictor) best(logits []float32) []classProb {
	largest := float64(slices.Max(logits))
	sum := 0.0
	order := make([]int, len(logits))
	for i, v := range logits {
		order[i] = i
		sum += math.Exp(float64(v) - largest)
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case logits[a] > logits[b]:
			return -1
		case logits[a] < logits[b]:
			return 1
		}
		return 0
	})
	var list []classProb
	for _, i := range order[:p.top] {
		name := fmt.Sprint(i)
		if i < len(p.names) {
			name = p.names[i]
		}
		list = append(list, classProb{name, i, math.Exp(float64(logits[i])-largest) / sum})
	}
	return list
}

func (r prediction) write(cmd *cobra.Command) error {
	if wantsJSON(cmd) {
		b, err := json.Marshal(r)
		if err == nil {
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", b)
		}
		return err
	}
	parts := []string{r.File}
	for _, c := range r.Classes {
		parts = append(parts, fmt.Sprintf("%s %.2f%%", c.Class, 100*c.Probability))
	}
	if r.Features != nil {
		parts = append(parts, strings.Trim(fmt.Sprint(r.Features), "[]"))
	}
	_, err := fmt.Fprintln(cmd.OutOrStdout(), strings.Join(parts, "  "))
	return err
}
