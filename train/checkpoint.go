package train

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"slices"
	"strings"

	"sparsevk/train/internal/durable"
	"sparsevk/train/safetensors"
)

// ErrDamaged says that a checkpoint is there but not whole.
var ErrDamaged = errors.New("damaged checkpoint")

// checkpointFormat is the value of the metadata key "format"; a change of State
// or of the tensors' meaning changes its number.
const (
	checkpointKind   = "sparsevk checkpoint "
	checkpointFormat = checkpointKind + "1"
)

// A State is what a run needs, beside its tensors, to go on with the same bits.
// It holds no time and no path, so that equal runs give equal files.
type State struct {
	Step     uint64 `json:"step"`     // updates of the parameters done
	Epoch    uint64 `json:"epoch"`    // epochs finished
	Position uint64 `json:"position"` // batches of the current epoch done
	Seed     uint64 `json:"seed"`     // of initialisation, order, augmentation, dropout

	// What must be the same for the same bits, see Differences.
	Schedule string            `json:"schedule"` // Schedule.String
	Data     string            `json:"data"`     // data.Set.Hash of the training set
	Config   map[string]string `json:"config"`   // network, engine, batch, optimiser, ... by flag

	// What the network is and takes, for programs that use it; nil in old files.
	Model *Description `json:"model,omitempty"`

	// Sums over the current epoch so far, for its line in the metrics.
	Loss    float64 `json:"loss"`    // sum of the batches' losses
	Correct uint64  `json:"correct"` // images classified right
	Images  uint64  `json:"images"`  // images seen

	Plateau PlateauState `json:"plateau,omitzero"`

	LossScale LossScale `json:"loss_scale,omitzero"` // in float16 only

	// The best validation so far; BestStep 0 means none.
	Best     float64 `json:"best"` // accuracy
	BestStep uint64  `json:"best_step"`
	Stale    int     `json:"stale,omitzero"` // epochs since then
}

// Differences lists what keeps a run in state s from being continued as one in
// state now, one line for each thing; it is empty if nothing does.
func (s State) Differences(now State) []string {
	var list []string
	add := func(what string, was, is any) {
		if was != is {
			list = append(list, fmt.Sprintf("%s was %v, is %v", what, was, is))
		}
	}
	add("seed", s.Seed, now.Seed)
	add("schedule", s.Schedule, now.Schedule)
	add("hash of the data", s.Data, now.Data)
	keys := maps.Clone(s.Config)
	if keys == nil {
		keys = map[string]string{}
	}
	maps.Copy(keys, now.Config)
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		add(k, orUnset(s.Config, k), orUnset(now.Config, k))
	}
	return list
}

func orUnset(m map[string]string, key string) string {
	if v, ok := m[key]; ok {
		return v
	}
	return "unset"
}

// A Checkpoint is an open checkpoint whose hash was found right. Parameters and
// running statistics have their own names; before what the optimizer keeps of a
// parameter stands the name of a sparsenet.Model.Slots and a dot.
type Checkpoint struct {
	*safetensors.File
	Path  string
	State State
}

// SaveCheckpoint writes a checkpoint to path: whole, or not at all, with the
// file that was there before untouched. Equal arguments give equal bytes.
func SaveCheckpoint(path string, s State, tensors []safetensors.Tensor) error {
	return saveCheckpoint(durable.OS{}, path, s, tensors)
}

func saveCheckpoint(d durable.Disk, path string, s State, tensors []safetensors.Tensor) error {
	state, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("train: checkpoint %s: state: %w", path, err)
	}
	tensors = slices.Clone(tensors)
	safetensors.Sort(tensors)
	h := newDigest(state)
	for _, t := range tensors {
		h.describe(t.Name, t.DType, t.Shape)
	}
	for _, t := range tensors {
		h.Write(t.Data)
	}
	meta := map[string]string{"format": checkpointFormat, "state": string(state), "sha256": h.hex()}
	err = durable.Write(d, path, func(w io.Writer) error { return safetensors.Write(w, meta, tensors) })
	if err != nil {
		return fmt.Errorf("train: checkpoint: %w", err)
	}
	return nil
}

// LoadCheckpoint opens the checkpoint at path and reads it once, to compare its
// hash. A file that is not whole gives ErrDamaged, with what is wrong with it.
// The caller closes the checkpoint.
func LoadCheckpoint(path string) (*Checkpoint, error) {
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, damaged(err)
	}
	c := &Checkpoint{File: f, Path: path}
	if err := c.verify(); err != nil {
		f.Close()
		return nil, fmt.Errorf("train: %s: %w", path, err)
	}
	return c, nil
}

// OpenModel opens a safetensors file for its parameters. If it is a checkpoint its
// hash must be right, as for LoadCheckpoint.
func OpenModel(path string) (*safetensors.File, error) {
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, damaged(err)
	}
	if !strings.HasPrefix(f.Metadata()["format"], checkpointKind) {
		return f, nil
	}
	c := &Checkpoint{File: f}
	if err := c.verify(); err != nil {
		f.Close()
		return nil, fmt.Errorf("train: %s: %w", path, err)
	}
	return f, nil
}

// damaged marks an error of the format, but not one of the system, which may be
// gone the next time.
func damaged(err error) error {
	var system interface{ Timeout() bool } // every error of package os has it
	if errors.As(err, &system) {
		return fmt.Errorf("train: checkpoint: %w", err)
	}
	return fmt.Errorf("train: %w: %w", ErrDamaged, err)
}

func (c *Checkpoint) verify() error {
	meta := c.Metadata()
	if meta["format"] != checkpointFormat {
		return fmt.Errorf("%w: format %q, want %q: not a checkpoint of this version, or the header is damaged",
			ErrDamaged, meta["format"], checkpointFormat)
	}
	h := newDigest([]byte(meta["state"]))
	for _, t := range c.Tensors() {
		h.describe(t.Name, t.DType, t.Shape)
	}
	if _, err := io.Copy(h, c.Data()); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if got := h.hex(); got != meta["sha256"] {
		return fmt.Errorf("%w: SHA-256 is %s, the header says %s", ErrDamaged, got, meta["sha256"])
	}
	d := json.NewDecoder(bytes.NewReader([]byte(meta["state"])))
	d.DisallowUnknownFields()
	if err := d.Decode(&c.State); err != nil {
		return fmt.Errorf("%w: state: %w", ErrDamaged, err)
	}
	return nil
}

// digest is the hash over all that a checkpoint says: state, the tensors' names
// and shapes, and their data. A flipped bit anywhere in the file changes it or
// breaks the format.
type digest struct{ hash.Hash }

func newDigest(state []byte) digest {
	h := digest{sha256.New()}
	fmt.Fprintf(h, "%s\n%d %s\n", checkpointFormat, len(state), state)
	return h
}

func (h digest) describe(name string, d safetensors.DType, shape []int) {
	fmt.Fprintf(h, "%q %s %v\n", name, d, shape)
}

func (h digest) hex() string { return hex.EncodeToString(h.Sum(nil)) }

// WriteTensors writes a plain safetensors file to path, whole or not at all.
func WriteTensors(path string, metadata map[string]string, tensors []safetensors.Tensor) error {
	err := durable.Write(durable.OS{}, path, func(w io.Writer) error { return safetensors.Write(w, metadata, tensors) })
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	return nil
}
