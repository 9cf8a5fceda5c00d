package gpu

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"sparsevk/gpu/vk"
)

// Options of Open and List. The zero value is the best device, unclamped,
// without validation.
type Options struct {
	// Device is an index, part of a name, or a UUID. The default is
	// $SPARSEVK_DEVICE, else the best: discrete, integrated, virtual, cpu.
	Device string
	// Clamp lowers the limits to those of the weakest device that we support:
	// 128 invocations, 16 KiB of shared memory, 128 MiB ranges, 8 storage
	// buffers per shader, 128 bytes of push constants.
	Clamp bool
	// Validate turns the validation layer on. It holds for the process: all
	// devices that are open at a time agree in it.
	Validate Validation
	// CacheDir is where compiled pipelines are kept between processes; it is
	// created if need be. The default is not to keep them.
	CacheDir string
	// Statistics makes the driver's compiler count what Pipeline.Statistics returns:
	// registers, spills. Few drivers can; the others refuse.
	Statistics bool
	// Loader is the path of the Vulkan library. The default is $SPARSEVK_LOADER,
	// else the system's.
	Loader string
}

// A Device is an open device.
type Device struct {
	dev    *vk.Device
	info   Info
	limits Limits
	types  []vk.MemoryType
	family uint32

	statistics bool // of pipelines

	closed atomic.Bool
	lost   atomic.Pointer[Error]

	queue    sync.Mutex // the queue, and what follows
	lossIn   int        // see InjectLoss
	lossAt   int
	inFlight int // recordings submitted and not waited for

	mu          sync.Mutex // what follows
	heapUsed    []uint64
	allocations uint32
	buffers     map[*Buffer]struct{}
	recordings  map[*Recording]struct{}
	modules     map[string]*module
	layouts     map[string]*layout
	cache       vk.PipelineCache
	cacheFile   *cacheFile
	compile     time.Duration

	staging staging
}

// Open opens a device.
func Open(o Options) (*Device, error) {
	inst, err := acquire(o)
	if err != nil {
		return nil, err
	}
	d, err := open(inst, o)
	if err != nil {
		release()
		return nil, err
	}
	return d, nil
}

func open(inst *vk.Instance, o Options) (*Device, error) {
	list, err := discover(inst, o.Clamp)
	if err != nil {
		return nil, err
	}
	f, err := choose(list, o.Device)
	if err != nil {
		return nil, err
	}
	if f.family < 0 {
		return nil, fmt.Errorf("gpu: %w: %q has no compute queue", ErrNoDevice, f.info.Name)
	}
	if f.props.APIVersion < vk.Version(1, 1) {
		return nil, fmt.Errorf("gpu: %w: %q has Vulkan %s, 1.1 is needed; update its driver", ErrNoDevice, f.info.Name, Version(f.props.APIVersion))
	}
	dev, r := f.pd.NewDevice(uint32(f.family), vk.Wants{Statistics: o.Statistics, Storage16: f.props.Storage16, Int64: f.props.Int64,
		Float16: f.info.Features.Float16, Address: f.info.Features.Address, Cooperative: f.info.Features.CooperativeMatrix, SubgroupSize: f.info.Features.SubgroupControl})
	if r != vk.Success {
		return nil, newError("vkCreateDevice", r, wanted(f, o))
	}
	d := &Device{dev: dev, info: f.info, limits: f.info.Limits, types: f.types, family: uint32(f.family), statistics: o.Statistics,
		heapUsed: make([]uint64, len(f.info.Heaps)),
		buffers:  map[*Buffer]struct{}{}, recordings: map[*Recording]struct{}{},
		modules: map[string]*module{}, layouts: map[string]*layout{}}
	if err := d.openCache(o.CacheDir, &f.props); err != nil {
		dev.Destroy()
		return nil, err
	}
	return d, nil
}

// wanted describes the device that was asked for.
func wanted(f *found, o Options) string {
	if o.Statistics {
		return fmt.Sprintf("%q, which may have no statistics of pipelines", f.info.Name)
	}
	return fmt.Sprintf("%q", f.info.Name)
}

// Info describes the device.
func (d *Device) Info() Info { return d.info }

// Limits returns what the device allows, clamped if that was asked for.
func (d *Device) Limits() Limits { return d.limits }

// Lost returns the error with which the device was lost, or nil.
func (d *Device) Lost() error {
	if e := d.lost.Load(); e != nil {
		return e
	}
	return nil
}

// usable says why nothing can be done with d any more, or returns nil.
func (d *Device) usable() error {
	if d.closed.Load() {
		return fmt.Errorf("gpu: device %q: %w", d.info.Name, ErrClosed)
	}
	return d.Lost()
}

// check turns a result into an error, and remembers a loss.
func (d *Device) check(call string, r vk.Result, detail string) error {
	if r == vk.Success {
		return nil
	}
	e := newError(call, r, detail)
	if r == vk.DeviceLost {
		e.Detail = fmt.Sprintf("%q is lost: it was reset, unplugged or stopped by a watchdog; %s", d.info.Name, detail)
		d.lost.CompareAndSwap(nil, e)
	}
	return e
}

// InjectLoss has the device lost in the n-th submission of a recording from now on,
// at a dispatch of it; n = 0 takes that back. At dispatch 0 the submission is
// refused. At a later one, what comes before it runs, the rest of its piece too, and
// the loss is found when the host waits. It is how tests reach the code that deals
// with a lost device.
func (d *Device) InjectLoss(n, dispatch int) {
	d.queue.Lock()
	defer d.queue.Unlock()
	d.lossIn, d.lossAt = n, dispatch
}

// CompileTime is the time spent in building pipelines. Some drivers (lavapipe)
// compile later, at a pipeline's first dispatch.
func (d *Device) CompileTime() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.compile
}

// Messages drains what the validation layer said since the last call, about
// any device of the process.
func (d *Device) Messages() []string { return vk.Messages() }

// Live counts the Vulkan handles of the process that were made and not yet
// destroyed, by the names of their types. It is empty when all devices are closed.
func Live() map[string]int { return vk.Live() }

// idle waits until nothing is in flight; a lost device has nothing in flight.
func (d *Device) idle() {
	if len(d.info.Heaps) == 0 { // a driver that only compiles, whose queue is none
		return
	}
	d.queue.Lock()
	defer d.queue.Unlock()
	d.dev.WaitIdle()
}

// Close waits for the device, keeps the pipeline cache, and destroys all that
// was made of the device: buffers, pipelines and recordings too. The error is
// the cache's; the device is closed in any case. It is safe twice.
func (d *Device) Close() error {
	if !d.closed.CompareAndSwap(false, true) {
		return nil
	}
	d.idle()
	var errs []error
	for r := range d.recordings {
		errs = append(errs, r.Close())
	}
	d.staging.close(d)
	for b := range d.buffers {
		errs = append(errs, b.Close())
	}
	errs = append(errs, d.saveCache())
	d.closePipelines()
	d.dev.Destroy()
	release()
	return errors.Join(errs...)
}
