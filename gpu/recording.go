package gpu

import (
	"fmt"
	"time"

	"sparsevk/gpu/vk"
)

// A Recording is a list of dispatches that the device runs any number of times.
// It is cut into submissions that follow each other on the queue, each shorter
// than RecordOptions.MaxSubmit: small ones at first, then as measured times
// allow. The host waits for none of them but the last.
type Recording struct {
	d    *Device
	each bool // timestamps per dispatch

	ops     []vk.Op // one per dispatch
	barrier []bool  // before the dispatch
	push    []byte
	buffers []*Buffer
	mapped  []Range // what is bound of mapped memory that host and device do not share coherently

	fence   vk.Fence
	pool    vk.CommandPool
	cbs     []vk.CommandBuffer // one per piece; more after a merger
	sets    vk.DescriptorPool
	views   map[Range]vk.BufferView
	queries vk.QueryPool
	script  []vk.Op // scratch of record

	cut     *cutter
	settled bool // without timestamps: the pieces are known
	pending bool // submitted
	ended   bool // submitted, and waited for by Submit itself
	closed  bool
	doomed  bool // the device is lost in what was submitted: see Device.InjectLoss
	start   time.Time

	ticks   []uint64
	pieces  []float64 // ns of each piece, of the last run
	times   []time.Duration
	elapsed time.Duration
}

// A command buffer begins with everything before it visible to shaders, and
// ends with what its shaders wrote visible to the host and to copies.
const (
	anywhere = vk.StageCompute | vk.StageTransfer | vk.StageHost
	written  = vk.ShaderWrite | vk.TransferWrite | vk.HostWrite
	shader   = vk.ShaderRead | vk.ShaderWrite
)

// record fills the command buffers according to the cut.
func (r *Recording) record() error {
	d, n := r.d, len(r.cut.ends)
	if err := d.check("vkResetCommandPool", d.dev.ResetCommandPool(r.pool), ""); err != nil {
		return err
	}
	if n > len(r.cbs) {
		more, res := d.dev.NewCommandBuffers(r.pool, n-len(r.cbs))
		if err := d.check("vkAllocateCommandBuffers", res, fmt.Sprintf("%d submissions", n)); err != nil {
			return err
		}
		r.cbs = append(r.cbs, more...)
	}
	r.script = r.script[:0]
	start := 0
	for p, end := range r.cut.ends {
		r.piece(p, start, end)
		start = end
	}
	res := d.dev.Record(r.script, r.push)
	return d.check("vkEndCommandBuffer", res, fmt.Sprintf("%d dispatches in %d submissions", len(r.ops), n))
}

// piece writes the commands of piece p, dispatches [start, end).
func (r *Recording) piece(p, start, end int) {
	timed := r.d.limits.TimestampBits > 0
	first, n := r.query(p, start, end)
	add := func(o ...vk.Op) { r.script = append(r.script, o...) }
	add(vk.Begin(r.cbs[p]))
	if timed {
		add(vk.ResetQueries(r.queries, first, n))
	}
	add(vk.Barrier(anywhere, vk.StageCompute, written, shader))
	if timed {
		add(vk.Timestamp(r.queries, first, vk.StageBottom))
	}
	for i := start; i < end; i++ {
		if r.barrier[i] && i > start {
			add(vk.Barrier(vk.StageCompute, vk.StageCompute, vk.ShaderWrite, shader))
		}
		add(r.ops[i])
		if r.each {
			add(vk.Timestamp(r.queries, first+1+i-start, vk.StageBottom))
		}
	}
	if timed && !r.each {
		add(vk.Timestamp(r.queries, first+1, vk.StageBottom))
	}
	add(vk.Barrier(vk.StageCompute, anywhere, vk.ShaderWrite, shader|vk.HostRead|vk.TransferRead|vk.TransferWrite), vk.End())
}

// query returns the timestamps of piece p: one before it, and one after it or
// after each dispatch.
func (r *Recording) query(p, start, end int) (first, n int) {
	if r.each {
		return start + p, end - start + 1
	}
	return 2 * p, 2
}

// Submissions is how many submissions the recording is cut into now.
func (r *Recording) Submissions() int { return len(r.cut.ends) }

// Elapsed is how long the last completed run took, by the device's clock from
// its first dispatch to its last; by the host's, from Submit to Wait, where the
// device has none.
func (r *Recording) Elapsed() time.Duration { return r.elapsed }

// Times returns what each dispatch took in the last completed run, nil unless
// recorded with Timestamps. Dispatches without a barrier between them overlap:
// what they shared is counted once. The slice is overwritten by the next Wait.
func (r *Recording) Times() []time.Duration { return r.times }

// Run is Submit and Wait.
func (r *Recording) Run() error {
	if err := r.Submit(); err != nil {
		return err
	}
	return r.Wait()
}

// Submit starts a run: it hands all submissions to the queue and returns. What
// the host wrote before to what the recording binds of mapped buffers, the run
// sees. A recording must be waited for before it is submitted again; others may
// be in flight, and run in the order in which they were submitted. What those
// bind, and this one does not, the host may write to meanwhile.
// Where the device has no timestamps, Submit waits for each piece of the first
// runs, to measure it.
func (r *Recording) Submit() error {
	if err := r.ready(); err != nil {
		return err
	}
	for _, m := range r.mapped {
		if err := m.Buffer.Flush(m.Off, m.Bytes); err != nil {
			return err
		}
	}
	r.start = time.Now()
	cbs := r.cbs[:len(r.cut.ends)]
	if r.d.limits.TimestampBits == 0 && !r.settled {
		return r.submitTimed(cbs)
	}
	return r.submit(cbs)
}

// ready says why r cannot be submitted.
func (r *Recording) ready() error {
	if err := r.d.usable(); err != nil {
		return err
	}
	if r.closed {
		return fmt.Errorf("gpu: recording: %w", ErrClosed)
	}
	if r.pending || r.ended {
		return fmt.Errorf("gpu: recording submitted twice without Wait")
	}
	for _, b := range r.buffers {
		if b.closed.Load() {
			return fmt.Errorf("gpu: recording uses %s: %w", b.label, ErrClosed)
		}
	}
	return nil
}

func (r *Recording) submit(cbs []vk.CommandBuffer) error {
	d := r.d
	d.queue.Lock()
	defer d.queue.Unlock()
	res := vk.Success
	if r.loses() {
		if cbs = cbs[:min(len(cbs), r.cut.piecesTo(d.lossAt))]; len(cbs) == 0 {
			res = vk.DeviceLost
		}
		r.doomed = true
	}
	if res == vk.Success {
		res = d.dev.Submit(cbs, r.fence)
	}
	if res != vk.Success {
		d.dev.WaitIdle() // for the pieces before the one that failed
		return d.check("vkQueueSubmit", res, fmt.Sprintf("%d dispatches in %d submissions", len(r.ops), len(r.cut.ends)))
	}
	r.pending = true
	d.inFlight++
	return nil
}

// loses counts a submission, and reports whether the device is lost in it.
func (r *Recording) loses() bool {
	if r.d.lossIn == 0 {
		return false
	}
	r.d.lossIn--
	return r.d.lossIn == 0
}

// await waits for the fence.
func (r *Recording) await() error {
	d := r.d
	res := d.dev.Wait(r.fence)
	d.queue.Lock()
	r.pending = false
	d.inFlight--
	d.queue.Unlock()
	if r.doomed {
		res = vk.DeviceLost
	}
	if res != vk.Success {
		return d.check("vkWaitForFences", res, fmt.Sprintf("%d dispatches in %d submissions", len(r.ops), len(r.cut.ends)))
	}
	return nil
}

// Wait waits for the run that Submit started, and reads its times. What the run
// wrote to mapped buffers the host sees afterwards, in what the recording binds. Without a run it returns
// at once.
func (r *Recording) Wait() error {
	if !r.pending && !r.ended {
		return r.d.Lost()
	}
	if r.pending {
		if err := r.await(); err != nil {
			return err
		}
	}
	r.ended = false
	for _, m := range r.mapped {
		if !m.Buffer.closed.Load() {
			if err := m.Buffer.Invalidate(m.Off, m.Bytes); err != nil {
				return err
			}
		}
	}
	return r.learn()
}
