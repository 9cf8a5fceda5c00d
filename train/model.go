package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"sparsevk/sparsenet"
	"sparsevk/train/internal/durable"
	"sparsevk/train/safetensors"
)

// modelFormat is the value of the metadata key "format" of a file that holds a
// trained network and nothing of its run; modelKey is the key of its Description.
const (
	modelFormat = "sparsevk model 1"
	modelKey    = "model"
)

// A Description says what network a file holds, and what it takes and tells: enough
// to classify an image without another word.
type Description struct {
	Network sparsenet.Config `json:"network"`
	Dataset string           `json:"dataset,omitempty"`     // what it was trained on
	Classes []string         `json:"classes,omitempty"`     // their names, or nil
	Mean    []float32        `json:"mean,omitempty"`        // per channel, of the pixels as value/255; nil if unknown
	Std     []float32        `json:"std,omitempty"`         // as Mean
	Pixels  []float32        `json:"pixel_means,omitempty"` // [C][H][W], added to Mean; nil: none
}

// describe returns the description of what t trains.
func (t *Trainer) describe() *Description {
	s := t.Train.Set
	return &Description{Network: t.Model.Graph.Config, Dataset: s.Name, Classes: s.ClassNames, Mean: t.Model.Mean, Std: t.Model.Std, Pixels: t.Model.Pixels}
}

// Check reports numbers that disagree.
func (d *Description) Check() error {
	c := d.Network
	switch {
	case len(d.Mean) != len(d.Std) || (d.Mean != nil && len(d.Mean) != c.Input.C):
		return fmt.Errorf("train: %d means and %d deviations for images of %d channels", len(d.Mean), len(d.Std), c.Input.C)
	case d.Pixels != nil && (d.Mean == nil || len(d.Pixels) != c.Input.C*c.Input.H*c.Input.W):
		return fmt.Errorf("train: means of %d pixels, and of %d channels, for images of %v", len(d.Pixels), len(d.Mean), c.Input)
	case d.Classes != nil && len(d.Classes) != c.Classes:
		return fmt.Errorf("train: %d names for %d classes", len(d.Classes), c.Classes)
	}
	for i, s := range d.Std {
		if !(s > 0) {
			return fmt.Errorf("train: channel %d has deviation %g", i, s)
		}
	}
	return nil
}

// Describe returns what a checkpoint or a file of SaveModel says of its network; nil
// if it says nothing, as files of other programs do.
func Describe(f *safetensors.File) (*Description, error) {
	d, err := parseDescription(f.Metadata())
	if err != nil {
		return nil, fmt.Errorf("train: description of the network: %w: name the network with flags, such as --preset", err)
	}
	return d, nil
}

// parseDescription finds the description in a file's metadata.
func parseDescription(meta map[string]string) (d *Description, err error) {
	switch format := meta["format"]; {
	case strings.HasPrefix(format, checkpointKind):
		var s State
		err = json.Unmarshal([]byte(meta["state"]), &s)
		d = s.Model
	case format == modelFormat:
		err = json.Unmarshal([]byte(meta[modelKey]), &d)
	}
	if err != nil || d == nil {
		return nil, err
	}
	if d.Network, err = d.Network.Resolve(); err != nil {
		return nil, err
	}
	return d, d.Check()
}

// SaveModel writes parameters and running statistics to a safetensors file, whole or
// not at all, with the description and extra metadata. names are the tensors' names
// in the file, by the network's; nil means the network's.
func SaveModel(path string, d *Description, g *sparsenet.Graph, values map[string][]float32, names map[string]string) error {
	text, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("train: %s: %w", path, err)
	}
	var list []safetensors.Tensor
	for _, p := range g.Params.All {
		name := p.Name
		if names != nil {
			name = names[name]
		}
		list = append(list, safetensors.Float32(name, p.Shape, values[p.Name]))
	}
	return WriteTensors(path, map[string]string{"format": modelFormat, modelKey: string(text)}, list)
}

// FindModel returns the file of a model: path itself, or in a run directory the
// checkpoint that validated best, or the newest one that is whole.
func FindModel(path string) (string, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "", fmt.Errorf("train: %w", err)
	case !info.IsDir():
		return path, nil
	}
	c, err := Best(path)
	if errors.Is(err, fs.ErrNotExist) {
		c, _, err = Newest(path)
	}
	if err != nil {
		return "", err
	}
	return c.Path, c.Close()
}

// IsCheckpoint reports whether f is a checkpoint of this project, which also holds
// tensors of its run.
func IsCheckpoint(f *safetensors.File) bool {
	return strings.HasPrefix(f.Metadata()["format"], checkpointKind)
}

// NetworkName returns the name of the network in a checkpoint of a version that had
// no Description, "" if there is none.
func NetworkName(f *safetensors.File) string {
	var s State
	if json.Unmarshal([]byte(f.Metadata()["state"]), &s) != nil {
		return ""
	}
	return s.Config["network"]
}

// WriteFile writes what write gives it to path, whole or not at all.
func WriteFile(path string, write func(io.Writer) error) error {
	if err := durable.Write(durable.OS{}, path, write); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	return nil
}
