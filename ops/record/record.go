package record

import (
	"fmt"
	"time"

	"sparsevk/gpu"
	"sparsevk/ops"
	"sparsevk/shaders"
)

// Options of a recording.
type Options struct {
	Timestamps bool          // time every dispatch
	MaxSubmit  time.Duration // longest submission; 0 is the device's default of 250 ms
	Barriers   []bool        // nil: those that Barriers finds. Tests drop one to see it noticed
}

// A Recording is a list of steps that runs any number of times.
type Recording struct {
	*gpu.Recording
	Steps    []ops.Step
	Barriers int // barriers between the dispatches
}

// New makes a recording of steps whose blocks lie in m.
func New(dev *gpu.Device, m *Memory, steps []ops.Step, o Options) (*Recording, error) {
	barriers := o.Barriers
	if barriers == nil {
		barriers = Barriers(steps)
	}
	cmds, count := make([]gpu.Dispatch, len(steps)), 0
	for i := range steps {
		d, err := lower(dev, m, &steps[i])
		if err != nil {
			return nil, fmt.Errorf("record: %s: %w", steps[i].Label, err)
		}
		d.Barrier = barriers[i]
		if d.Barrier {
			count++
		}
		cmds[i] = d
	}
	r, err := dev.Record(cmds, gpu.RecordOptions{Timestamps: o.Timestamps, MaxSubmit: o.MaxSubmit})
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	return &Recording{r, steps, count}, nil
}

// texelBytes are what a fetch of a texel buffer reads.
const texelBytes = 16

// lower turns one step into a dispatch.
func lower(dev *gpu.Device, m *Memory, s *ops.Step) (gpu.Dispatch, error) {
	if k := s.Kernel; len(s.Args) != len(k.Bindings) {
		return gpu.Dispatch{}, fmt.Errorf("%d arguments for the %d bindings of %s", len(s.Args), len(k.Bindings), k.Name)
	}
	k := s.Code()
	p, err := dev.Pipeline(specialised(k, s), s.Spec)
	if err != nil {
		return gpu.Dispatch{}, err
	}
	push := shaders.PushBytes(s.Push)
	if uint32(len(push)) != k.PushBytes {
		return gpu.Dispatch{}, fmt.Errorf("%d bytes of push constants for %s, which takes %d", len(push), k.Name, k.PushBytes)
	}
	d := gpu.Dispatch{Label: s.Label, Pipeline: p, Push: push, Groups: s.Groups}
	for i, a := range s.Args {
		if len(a) == 0 {
			return gpu.Dispatch{}, fmt.Errorf("nothing bound to %s of %s", k.Bindings[i].Name, k.Name)
		}
		off, n := a.Range()
		if k.Bindings[i].Type == shaders.Texel {
			n = (n + texelBytes - 1) &^ (texelBytes - 1) // a block's place has a multiple of ops.Align bytes
		}
		r, err := m.at(a[0].Block.Host(), off, n)
		if err != nil {
			return gpu.Dispatch{}, fmt.Errorf("binding %s of %s: %w", k.Bindings[i].Name, k.Name, err)
		}
		d.Args = append(d.Args, r)
	}
	return d, nil
}

// Pipeline returns the pipeline of k with the specialization constants spec, which
// count on subgroups of so many lanes, or on none.
func Pipeline(dev *gpu.Device, k *shaders.Kernel, spec []uint32, lanes uint32) (*gpu.Pipeline, error) {
	s := shader(k, spec)
	s.Lanes = lanes
	return dev.Pipeline(s, spec)
}

// CompileAhead has the driver compile what steps need before they are recorded, on
// several cores at once (gpu.Device.CompileAhead).
func CompileAhead(dev *gpu.Device, steps []ops.Step) error {
	var all []gpu.Specialised
	seen := map[string]bool{}
	for i := range steps {
		s, k := &steps[i], steps[i].Code()
		if key := fmt.Sprint(k.Name, s.Spec); !seen[key] {
			seen[key] = true
			all = append(all, gpu.Specialised{Shader: specialised(k, s), Spec: s.Spec})
		}
	}
	if err := dev.CompileAhead(all); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

// specialised is shader for the kernel k of s.
func specialised(k *shaders.Kernel, s *ops.Step) gpu.Shader {
	out := shader(k, s.Spec)
	if s.Shared > 0 {
		out.SharedBytes = s.Shared
	}
	out.Lanes = s.Lanes
	return out
}

// shader describes k to package gpu, which does not know package shaders.
func shader(k *shaders.Kernel, spec []uint32) gpu.Shader {
	s := gpu.Shader{Name: k.Name, Code: k.SPIRV, PushBytes: k.PushBytes, Addresses: k.Addresses, SharedBytes: k.SharedBytes, Local: k.Size(spec), Subgroup: k.Subgroup}
	for _, b := range k.Bindings {
		s.Bindings = append(s.Bindings, [...]gpu.BindingType{shaders.Storage: gpu.Storage, shaders.Texel: gpu.Texel, shaders.Address: gpu.Address}[b.Type])
	}
	return s
}
