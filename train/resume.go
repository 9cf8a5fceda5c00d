package train

import (
	"errors"
	"fmt"
	"strings"

	"sparsevk/sparsenet"
	"sparsevk/train/safetensors"
)

// ErrChanged says that a run cannot be continued with the same bits.
var ErrChanged = errors.New("the run was started differently")

// Resume takes the trainer to where a checkpoint stands: parameters, running
// statistics, momentum, order and counters. Other data, schedule or
// configuration is refused with ErrChanged, unless force is set; what differs is
// in the error.
func (t *Trainer) Resume(c *Checkpoint, force bool) error {
	if err := t.check(); err != nil {
		return err
	}
	if list := c.State.Differences(t.state); len(list) > 0 {
		way := "use the same, or --force"
		err := holds(t.Model, c.File)
		if err != nil {
			way = fmt.Sprintf("--force is no help, since %v: use the same, or another run directory", err)
		}
		if err != nil || !force {
			return fmt.Errorf("train: %s: %w: %s: %s", c.Path, ErrChanged, strings.Join(list, "; "), way)
		}
	}
	if err := LoadModel(t.Model, c.File, true); err != nil {
		return fmt.Errorf("train: %s: %w", c.Path, err)
	}
	now := t.state
	t.state = c.State
	t.state.Seed, t.state.Schedule, t.state.Data, t.state.Config, t.state.Model = now.Seed, now.Schedule, now.Data, now.Config, now.Model
	return nil
}

// State returns where the run stands.
func (t *Trainer) State() State { return t.state }

// Tensors returns the model's parameters and running statistics, and with
// optimizer what that keeps of every parameter, as they go into a file.
func Tensors(m *sparsenet.Model, optimizer bool) ([]safetensors.Tensor, error) {
	values, err := m.Values()
	if err != nil {
		return nil, err
	}
	var list []safetensors.Tensor
	for _, p := range m.Graph.Params.All {
		list = append(list, safetensors.Float32(p.Name, p.Shape, values[p.Name]))
	}
	if !optimizer {
		return list, nil
	}
	for _, slot := range m.Slots() {
		if values, err = m.Slot(slot); err != nil {
			return nil, err
		}
		for _, p := range m.Graph.Params.Trained {
			list = append(list, safetensors.Float32(slotName(slot, p), p.Shape, values[p.Name]))
		}
	}
	return append(list, imported(m.Imported())...), nil
}

// Names of the tensors that a checkpoint has if the run began with running
// statistics that differed among the readers of a map.
const (
	importedPrefix = "imported."
	importedSteps  = "imported_steps"
)

func imported(i sparsenet.Imported) (list []safetensors.Tensor) {
	for name, d := range i.Differences {
		list = append(list, safetensors.Float64(importedPrefix+name, []int{len(d)}, d))
	}
	if list != nil {
		list = append(list, safetensors.Uint32(importedSteps, nil, []uint32{uint32(i.Steps)}))
	}
	return list
}

func readImported(m *sparsenet.Model, f *safetensors.File) (i sparsenet.Imported, err error) {
	i.Differences = map[string][]float64{}
	for _, p := range m.Graph.Params.Running {
		name := importedPrefix + p.Name
		if _, ok := f.Info(name); !ok {
			continue
		}
		if err := fits(f, name, p); err != nil {
			return i, err
		}
		if i.Differences[p.Name], err = f.Float64(name); err != nil {
			return i, err
		}
	}
	if len(i.Differences) == 0 {
		return i, nil
	}
	steps, err := f.Uint32(importedSteps)
	if err == nil && len(steps) == 1 {
		i.Steps = int(steps[0])
	}
	return i, err
}

// LoadModel sets the model's parameters and running statistics, and with
// optimizer what that keeps of every parameter, from a file. It refuses a file
// that lacks a tensor or has one of another shape, names the first, and then
// changes nothing.
func LoadModel(m *sparsenet.Model, f *safetensors.File, optimizer bool) error {
	values := map[string][]float32{}
	for _, p := range m.Graph.Params.All {
		v, err := readTensor(f, p.Name, p)
		if err != nil {
			return err
		}
		values[p.Name] = v
	}
	if !optimizer {
		return m.Load(values)
	}
	slots := map[string]map[string][]float32{}
	for _, slot := range m.Slots() {
		slots[slot] = map[string][]float32{}
		for _, p := range m.Graph.Params.Trained {
			v, err := readTensor(f, slotName(slot, p), p)
			if err != nil {
				return err
			}
			slots[slot][p.Name] = v
		}
	}
	differ, err := readImported(m, f)
	if err != nil {
		return err
	}
	if err := m.Load(values); err != nil {
		return err
	}
	for slot, kept := range slots {
		if err := m.LoadSlot(slot, kept); err != nil {
			return err
		}
	}
	if len(differ.Differences) == 0 {
		return nil
	}
	return m.LoadImported(differ)
}

// AverageName is the name in a checkpoint of the moving average of p.
func AverageName(p sparsenet.Param) string { return slotName(sparsenet.SlotAverage, p) }

// slotName is the name in a checkpoint of what the optimizer keeps of p.
func slotName(slot string, p sparsenet.Param) string { return slot + "." + p.Name }

func readTensor(f *safetensors.File, name string, p sparsenet.Param) ([]float32, error) {
	if err := fits(f, name, p); err != nil {
		return nil, fmt.Errorf("%w: is this a checkpoint of another network or optimizer?", err)
	}
	return f.Float32(name)
}

// holds reports the first tensor that the model and its optimizer need and a file
// does not have.
func holds(m *sparsenet.Model, f *safetensors.File) error {
	for _, p := range m.Graph.Params.All {
		if err := fits(f, p.Name, p); err != nil {
			return err
		}
	}
	for _, slot := range m.Slots() {
		for _, p := range m.Graph.Params.Trained {
			if err := fits(f, slotName(slot, p), p); err != nil {
				return err
			}
		}
	}
	return nil
}

// fits holds a tensor of a file against the shape of p.
func fits(f *safetensors.File, name string, p sparsenet.Param) error {
	i, ok := f.Info(name)
	if !ok {
		return fmt.Errorf("tensor %s is missing", name)
	}
	if fmt.Sprint(i.Shape) != fmt.Sprint(p.Shape) {
		return fmt.Errorf("tensor %s has shape %v, the network's is %v", name, i.Shape, p.Shape)
	}
	return nil
}
