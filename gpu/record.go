package gpu

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"sparsevk/gpu/vk"
)

// A Range is a run of bytes of a buffer.
type Range struct {
	Buffer     *Buffer
	Off, Bytes uint64
}

// A Dispatch is one launch of a pipeline.
type Dispatch struct {
	Label    string // stands in errors and beside times
	Pipeline *Pipeline
	Args     []Range // one per binding
	Push     []byte
	Groups   [3]uint32
	// Barrier makes the writes of all earlier dispatches visible to this one
	// and lets it write what they read.
	Barrier bool
}

// RecordOptions of Record.
type RecordOptions struct {
	// Timestamps times every dispatch, see Recording.Times.
	Timestamps bool
	// MaxSubmit is how long one submission may take. The default is 250 ms,
	// which no watchdog minds.
	MaxSubmit time.Duration
}

const defaultMaxSubmit = 250 * time.Millisecond

// Record turns a list of dispatches into a recording. It copies what it needs:
// the list and the push constants may change afterwards.
func (d *Device) Record(cmds []Dispatch, o RecordOptions) (*Recording, error) {
	if err := d.usable(); err != nil {
		return nil, err
	}
	if len(cmds) == 0 {
		return nil, fmt.Errorf("gpu: record: no dispatches")
	}
	if o.Timestamps && d.limits.TimestampBits == 0 {
		return nil, fmt.Errorf("gpu: record: %q has no timestamps", d.info.Name)
	}
	for i := range cmds {
		if err := d.checkDispatch(&cmds[i]); err != nil {
			return nil, fmt.Errorf("gpu: dispatch %d, %s: %w", i, cmds[i].Label, err)
		}
	}
	if o.MaxSubmit <= 0 {
		o.MaxSubmit = defaultMaxSubmit
	}
	r := &Recording{d: d, each: o.Timestamps, cut: newCutter(len(cmds), float64(o.MaxSubmit))}
	if err := r.create(cmds); err != nil {
		r.destroy()
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.recordings[r] = struct{}{}
	return r, nil
}

// checkDispatch compares c with its pipeline and with the device's limits.
func (d *Device) checkDispatch(c *Dispatch) error {
	p := c.Pipeline
	if p == nil || p.d != d {
		return fmt.Errorf("no pipeline, or one of another device")
	}
	if len(c.Args) != len(p.types) || len(c.Push) != int(p.push) {
		return fmt.Errorf("%d arguments and %d bytes of push constants for %s, which takes %d and %d",
			len(c.Args), len(c.Push), p.name, len(p.types), p.push)
	}
	for i, n := range c.Groups {
		if n == 0 || n > d.limits.GroupCount[i] {
			return fmt.Errorf("%v groups of %s, the device allows 1 to %v", c.Groups, p.name, d.limits.GroupCount)
		}
	}
	for i, a := range c.Args {
		if err := d.checkRange(a, p.types[i]); err != nil {
			return fmt.Errorf("binding %d of %s: %w", i, p.name, err)
		}
	}
	return nil
}

func (d *Device) checkRange(a Range, t BindingType) error {
	if a.Buffer == nil || a.Buffer.d != d {
		return fmt.Errorf("no buffer, or one of another device")
	}
	if err := a.Buffer.span(a.Off, a.Bytes); err != nil {
		return err
	}
	align, unit, most := d.limits.StorageAlign, uint64(4), d.limits.StorageRange
	switch t {
	case Texel:
		align, unit, most = max(d.limits.TexelAlign, 16), 16, 16*d.limits.TexelElements
	case Address:
		align = 16
	}
	switch {
	case a.Bytes == 0 || a.Bytes%unit != 0:
		return fmt.Errorf("range of %d bytes of %s, it must be a multiple of %d", a.Bytes, a.Buffer.label, unit)
	case a.Bytes > most:
		return fmt.Errorf("range of %d bytes of %s, the device allows %d", a.Bytes, a.Buffer.label, most)
	case a.Off%align != 0:
		return fmt.Errorf("range at byte %d of %s, the device wants a multiple of %d", a.Off, a.Buffer.label, align)
	}
	return nil
}

// create makes the descriptors and records.
func (r *Recording) create(cmds []Dispatch) error {
	d := r.d
	var err error
	check := func(call string, res vk.Result) bool {
		err = d.check(call, res, fmt.Sprintf("recording of %d dispatches", len(cmds)))
		return err == nil
	}
	var res vk.Result
	if r.fence, res = d.dev.NewFence(); !check("vkCreateFence", res) {
		return err
	}
	if r.pool, res = d.dev.NewCommandPool(d.family); !check("vkCreateCommandPool", res) {
		return err
	}
	if d.limits.TimestampBits > 0 {
		if r.queries, res = d.dev.NewQueryPool(2 * len(cmds)); !check("vkCreateQueryPool", res) {
			return err
		}
		r.ticks = make([]uint64, 2*len(cmds))
	}
	if r.each {
		r.times = make([]time.Duration, len(cmds))
	}
	r.pieces = make([]float64, 0, len(cmds))
	sets, err := r.bind(cmds)
	if err != nil {
		return err
	}
	for i := range cmds {
		c := &cmds[i]
		r.ops = append(r.ops, vk.Dispatch(c.Pipeline.h, c.Pipeline.lay.h, sets[i], len(r.push), len(c.Push), c.Groups))
		r.push = append(r.push, c.Push...)
		c.addresses(r.push[len(r.push)-len(c.Push):])
		r.barrier = append(r.barrier, c.Barrier)
	}
	return r.record()
}

// addresses puts the addresses that the shader takes into its push constants.
func (c *Dispatch) addresses(push []byte) {
	p := c.Pipeline
	for i, at := range p.at {
		a := c.Args[len(c.Args)-len(p.at)+i]
		binary.LittleEndian.PutUint64(push[at:], a.Buffer.address+a.Off)
	}
}

// bind makes one descriptor set per dispatch, and texel views, and notes which
// buffers there are.
func (r *Recording) bind(cmds []Dispatch) ([]vk.DescriptorSet, error) {
	d := r.d
	var count [3]int
	for i := range cmds {
		for _, t := range cmds[i].Pipeline.types {
			count[t]++
		}
	}
	pool, res := d.dev.NewDescriptorPool(len(cmds), count[Storage], count[Texel])
	if err := d.check("vkCreateDescriptorPool", res, fmt.Sprintf("%d sets, %d storage buffers, %d texel buffers", len(cmds), count[Storage], count[Texel])); err != nil {
		return nil, err
	}
	r.sets = pool
	r.views = map[Range]vk.BufferView{}
	sets := make([]vk.DescriptorSet, len(cmds))
	writes := make([]vk.Write, 0, count[Storage]+count[Texel])
	for i := range cmds {
		c := &cmds[i]
		if sets[i], res = d.dev.NewDescriptorSet(pool, c.Pipeline.lay.set); res != vk.Success {
			return nil, d.check("vkAllocateDescriptorSets", res, fmt.Sprintf("dispatch %d of %d, %s", i, len(cmds), c.Label))
		}
		for k, a := range c.Args {
			if t := c.Pipeline.types[k]; t != Address {
				w, err := r.write(sets[i], k, a, t)
				if err != nil {
					return nil, err
				}
				writes = append(writes, w)
			}
			if !slices.Contains(r.buffers, a.Buffer) {
				r.buffers = append(r.buffers, a.Buffer)
			}
			if b := a.Buffer; b.mapped != nil && !b.coherent && !slices.Contains(r.mapped, a) {
				r.mapped = append(r.mapped, a)
			}
		}
	}
	d.dev.WriteSets(writes)
	return sets, nil
}

func (r *Recording) write(s vk.DescriptorSet, binding int, a Range, t BindingType) (vk.Write, error) {
	if t == Storage {
		return vk.WriteBuffer(s, binding, a.Buffer.h, a.Off, a.Bytes), nil
	}
	v, ok := r.views[a]
	if !ok {
		var res vk.Result
		v, res = r.d.dev.NewTexelView(a.Buffer.h, a.Off, a.Bytes)
		if err := r.d.check("vkCreateBufferView", res, fmt.Sprintf("%d bytes at %d of %s", a.Bytes, a.Off, a.Buffer.label)); err != nil {
			return vk.Write{}, err
		}
		r.views[a] = v
	}
	return vk.WriteView(s, binding, v), nil
}
