package gpu

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"sparsevk/gpu/vk"
)

// BindingType is what a binding of a shader takes.
type BindingType uint8

// The binding types.
const (
	Storage BindingType = iota // a storage buffer
	Texel                      // a uniform texel buffer of four floats a texel (RGBA32F)
	Address                    // none: the push constants hold where the bytes lie (Shader.Addresses)
)

// A Shader is a compute shader: its code, and what that needs. Bindings are
// numbered from 0 in set 0, those of type Address last; the entry point is main.
type Shader struct {
	Name        string
	Code        []byte // SPIR-V
	Bindings    []BindingType
	PushBytes   uint32
	Addresses   []uint32 // for each Address, at which byte of the push constants a recording puts it: 8 bytes
	SharedBytes uint32
	Local       [3]uint32 // workgroup size, after specialisation
	Subgroup    bool      // it uses subgroup operations
	Lanes       uint32    // subgroup size that it counts on; 0: any
}

// A Pipeline is a shader compiled for a device under one specialisation.
type Pipeline struct {
	d     *Device
	h     vk.Pipeline
	lay   *layout
	name  string
	types []BindingType
	push  uint32
	at    []uint32 // Shader.Addresses
	spec  []uint32
	built time.Duration
}

// A PipelineInfo says what building a pipeline took.
type PipelineInfo struct {
	Name  string
	Spec  []uint32
	Build time.Duration // until vkCreateComputePipelines returned; some drivers compile later, at the first dispatch
}

// Pipelines lists the pipelines that were built on d, by name and
// specialisation.
func (d *Device) Pipelines() []PipelineInfo {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []PipelineInfo
	for _, m := range d.modules {
		for _, p := range m.pipes {
			all = append(all, PipelineInfo{p.name, p.spec, p.built})
		}
	}
	slices.SortFunc(all, func(a, b PipelineInfo) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), slices.Compare(a.Spec, b.Spec))
	})
	return all
}

// Statistics returns what the driver's compiler counted in p, by the driver's
// names ("VGPRs", "Spilled VGPRs" on AMD). The device must have been opened with
// Options.Statistics.
func (p *Pipeline) Statistics() (map[string]float64, error) {
	if err := p.d.usable(); err != nil {
		return nil, err
	}
	if !p.d.statistics {
		return nil, fmt.Errorf("gpu: shader %s: the device was opened without Options.Statistics", p.name)
	}
	s, r := p.d.dev.Statistics(p.h)
	return s, p.d.check("vkGetPipelineExecutableStatisticsKHR", r, "shader "+p.name)
}

// module is a shader's code and its pipelines by specialisation.
type module struct {
	h     vk.ShaderModule
	code  []byte
	pipes map[string]*Pipeline
}

// layout is shared by the pipelines with equal bindings and push constants.
type layout struct {
	set vk.SetLayout
	h   vk.PipelineLayout
}

// Pipeline returns the pipeline of s with the specialisation constants
// 0..len(spec)-1, building it at the first call with that name and spec. What
// the device does not allow is an error with the numbers.
func (d *Device) Pipeline(s Shader, spec []uint32) (*Pipeline, error) {
	if err := d.usable(); err != nil {
		return nil, err
	}
	key := specKey(spec)
	if p := d.built(&s, key); p != nil {
		return p, nil
	}
	m, lay, err := d.prepare(&s, spec)
	if err != nil {
		return nil, err
	}
	p, err := d.build(&s, spec, m, lay)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.compile += p.built
	if first := m.pipes[key]; first != nil { // another goroutine built it meanwhile
		d.dev.DestroyPipeline(p.h)
		return first, nil
	}
	m.pipes[key] = p
	return p, nil
}

// built returns the pipeline of s that is there, or nil. Every dispatch of a
// recording asks for its pipeline, so what needs a look at the code is not checked
// here again.
func (d *Device) built(s *Shader, key string) *Pipeline {
	d.mu.Lock()
	defer d.mu.Unlock()
	m := d.modules[s.Name]
	if m == nil || !bytes.Equal(m.code, s.Code) {
		return nil
	}
	return m.pipes[key]
}

// prepare returns the module and the layout of s, if the device allows it.
func (d *Device) prepare(s *Shader, spec []uint32) (*module, *layout, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if m := d.modules[s.Name]; m != nil && !bytes.Equal(m.code, s.Code) {
		return nil, nil, fmt.Errorf("gpu: shader %s: two modules have this name, of %d and %d bytes", s.Name, len(m.code), len(s.Code))
	}
	if err := d.checkShader(s, spec); err != nil {
		return nil, nil, fmt.Errorf("gpu: shader %s %v: %w", s.Name, spec, err)
	}
	m, err := d.module(s)
	if err != nil {
		return nil, nil, err
	}
	lay, err := d.layout(s)
	return m, lay, err
}

func specKey(spec []uint32) string {
	k := make([]byte, 0, 4*len(spec))
	for _, v := range spec {
		k = binary.LittleEndian.AppendUint32(k, v)
	}
	return string(k)
}

// build makes the pipeline. Drivers compile here, for seconds; several goroutines
// may do so at once.
func (d *Device) build(s *Shader, spec []uint32, m *module, lay *layout) (*Pipeline, error) {
	start := time.Now()
	h, r := d.dev.NewPipeline(d.cache, m.h, lay.h, spec, d.statistics, d.demanded(s.Lanes))
	built := time.Since(start)
	if err := d.check("vkCreateComputePipelines", r, fmt.Sprintf("shader %s %v", s.Name, spec)); err != nil {
		return nil, err
	}
	return &Pipeline{d: d, h: h, lay: lay, name: s.Name, types: s.Bindings, push: s.PushBytes, at: s.Addresses, spec: slices.Clone(spec), built: built}, nil
}

// module returns the module of s; d.mu is held.
func (d *Device) module(s *Shader) (*module, error) {
	if m := d.modules[s.Name]; m != nil {
		return m, nil
	}
	h, r := d.dev.NewShaderModule(s.Code)
	if err := d.check("vkCreateShaderModule", r, fmt.Sprintf("shader %s, %d bytes", s.Name, len(s.Code))); err != nil {
		return nil, err
	}
	m := &module{h: h, code: s.Code, pipes: map[string]*Pipeline{}}
	d.modules[s.Name] = m
	return m, nil
}

// layout returns the layout of s; d.mu is held.
func (d *Device) layout(s *Shader) (*layout, error) {
	key := fmt.Sprint(s.PushBytes, s.Bindings)
	if l := d.layouts[key]; l != nil {
		return l, nil
	}
	types := make([]vk.DescriptorType, len(s.Bindings)-len(s.Addresses))
	for i, b := range s.Bindings[:len(types)] {
		types[i] = [...]vk.DescriptorType{Storage: vk.StorageBuffer, Texel: vk.UniformTexelBuffer}[b]
	}
	set, r := d.dev.NewSetLayout(types)
	if err := d.check("vkCreateDescriptorSetLayout", r, "shader "+s.Name); err != nil {
		return nil, err
	}
	h, r := d.dev.NewPipelineLayout(set, s.PushBytes)
	if err := d.check("vkCreatePipelineLayout", r, "shader "+s.Name); err != nil {
		d.dev.DestroySetLayout(set)
		return nil, err
	}
	l := &layout{set, h}
	d.layouts[key] = l
	return l, nil
}

// checkShader compares what s needs with what the device allows.
func (d *Device) checkShader(s *Shader, spec []uint32) error {
	l := &d.limits
	var count [3]int
	for _, b := range s.Bindings {
		count[b]++
	}
	threads := uint64(s.Local[0]) * uint64(s.Local[1]) * uint64(s.Local[2])
	for _, c := range []struct {
		what        string
		wants, most uint64
	}{
		{"invocations in a workgroup", threads, uint64(l.Invocations)},
		{"invocations along x", uint64(s.Local[0]), uint64(l.GroupSize[0])},
		{"invocations along y", uint64(s.Local[1]), uint64(l.GroupSize[1])},
		{"invocations along z", uint64(s.Local[2]), uint64(l.GroupSize[2])},
		{"bytes of shared memory", uint64(s.SharedBytes), uint64(l.SharedBytes)},
		{"bytes of push constants", uint64(s.PushBytes), uint64(l.PushBytes)},
		{"storage buffers", uint64(count[Storage]), uint64(l.StorageBuffers)},
		{"texel buffers", uint64(count[Texel]), uint64(l.TexelBuffers)},
		{"bindings", uint64(count[Storage] + count[Texel]), uint64(l.Resources)},
		{"specialisation constants", uint64(len(spec)), vk.MaxSpec},
	} {
		if c.wants > c.most {
			return fmt.Errorf("wants %d %s, the device allows %d", c.wants, c.what, c.most)
		}
	}
	if threads == 0 || s.PushBytes%4 != 0 {
		return fmt.Errorf("workgroup size %v or %d bytes of push constants make no sense", s.Local, s.PushBytes)
	}
	bound := len(s.Bindings) - count[Address]
	if count[Address] != len(s.Addresses) || slices.Contains(s.Bindings[:bound], Address) ||
		slices.ContainsFunc(s.Addresses, func(at uint32) bool { return at%4 != 0 || at+8 > s.PushBytes }) {
		return fmt.Errorf("addresses at bytes %d of %d of push constants, of bindings %v", s.Addresses, s.PushBytes, s.Bindings)
	}
	if s.Subgroup && len(d.info.Features.Subgroup) == 0 {
		return fmt.Errorf("uses subgroup operations, which the device has none of in compute shaders")
	}
	if i := &d.info; s.Lanes != 0 && s.Lanes != i.SubgroupSize && (!i.Features.SubgroupControl || s.Lanes < i.SubgroupMin || s.Lanes > i.SubgroupMax) {
		return fmt.Errorf("wants subgroups of %d lanes, the device has %d and allows %d to %d", s.Lanes, i.SubgroupSize, i.SubgroupMin, i.SubgroupMax)
	}
	if s.Lanes != 0 && s.Local[0]%s.Lanes != 0 {
		return fmt.Errorf("%d invocations along x are no whole subgroups of %d", s.Local[0], s.Lanes)
	}
	return checkCode(s.Code, d.info.Features)
}

// demanded returns the subgroup size to demand of the driver for a shader that counts
// on so many lanes: none where it cannot vary.
func (d *Device) demanded(lanes uint32) uint32 {
	if !d.info.Features.SubgroupControl || d.info.SubgroupMin == d.info.SubgroupMax {
		return 0
	}
	return lanes
}

// closePipelines destroys pipelines, modules, layouts and the cache.
func (d *Device) closePipelines() {
	for _, m := range d.modules {
		for _, p := range m.pipes {
			d.dev.DestroyPipeline(p.h)
		}
		d.dev.DestroyShaderModule(m.h)
	}
	for _, l := range d.layouts {
		d.dev.DestroyPipelineLayout(l.h)
		d.dev.DestroySetLayout(l.set)
	}
	d.dev.DestroyPipelineCache(d.cache)
}
