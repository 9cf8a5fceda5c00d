package gpu

import (
	"cmp"
	"errors"
	"runtime"
	"slices"
	"sync"
)

// Specialised is a shader with specialisation constants.
type Specialised struct {
	Shader
	Spec []uint32
}

const (
	mostAhead  = 4        // pipelines compiled at a time: all then wait for the longest
	emptyBytes = 16 << 10 // bound by dispatches that touch nothing
)

// CompileAhead has the driver compile pipelines at the same time, on several
// cores, which Pipeline would have it do one after the other. Pipelines that are
// there cost nothing.
//
// Mesa's llvmpipe compiles at a pipeline's first dispatch, on the thread that runs
// the device's queue. It is therefore given dispatches of no workgroups, on d and
// on further devices of the same kind, whose code reaches d by way of the cache
// that Mesa keeps on disk; without that cache d compiles it again when it is used.
func (d *Device) CompileAhead(all []Specialised) error {
	if err := d.usable(); err != nil {
		return err
	}
	workers := min(runtime.NumCPU(), mostAhead, len(all))
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b Specialised) int { return -cmp.Compare(len(a.Code), len(b.Code)) })
	todo := make(chan Specialised, len(all))
	for _, s := range all {
		todo <- s
	}
	close(todo)
	errs := make([]error, workers)
	var running sync.WaitGroup
	for i := range workers {
		running.Go(func() {
			switch {
			case d.info.DriverID != Llvmpipe:
				errs[i] = d.compileAll(todo, nil)
			case i == 0:
				errs[i] = d.dispatchAll(todo)
			default:
				d.compileBeside(todo)
			}
		})
	}
	running.Wait()
	return errors.Join(errs...)
}

// compileAll builds pipelines until there are no more, and then has each done.
func (d *Device) compileAll(todo <-chan Specialised, then func(*Pipeline) error) error {
	for s := range todo {
		p, err := d.Pipeline(s.Shader, s.Spec)
		if err == nil && then != nil {
			err = then(p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// dispatchAll builds pipelines until there are no more and dispatches nothing with
// each.
func (d *Device) dispatchAll(todo <-chan Specialised) error {
	b, err := d.NewBuffer(emptyBytes, DeviceLocal, "compile ahead")
	if err != nil {
		return err
	}
	return errors.Join(d.compileAll(todo, func(p *Pipeline) error { return d.dispatchNothing(p, b) }), b.Close())
}

// dispatchNothing runs p in no workgroups.
func (d *Device) dispatchNothing(p *Pipeline, b *Buffer) error {
	c := Dispatch{Label: p.name, Pipeline: p, Push: make([]byte, p.push)}
	for range p.types {
		c.Args = append(c.Args, Range{b, 0, b.bytes})
	}
	r := &Recording{d: d, cut: newCutter(1, float64(defaultMaxSubmit))}
	defer r.destroy()
	if err := r.create([]Dispatch{c}); err != nil {
		return err
	}
	return r.Run()
}

// compileBeside has another device of the same kind compile. What goes wrong there
// does not matter to d, which compiles what is left.
func (d *Device) compileBeside(todo <-chan Specialised) {
	shared.Lock()
	o := Options{Device: d.info.UUID, Validate: shared.mode, Loader: shared.loader}
	shared.Unlock()
	twin, err := Open(o)
	if err != nil {
		return
	}
	_ = twin.dispatchAll(todo)
	_ = twin.Close()
}
