package gpu

import (
	"time"

	"sparsevk/gpu/vk"
)

// learn reads the times of a run that has ended, and cuts anew if they ask for
// it.
func (r *Recording) learn() error {
	d := r.d
	if d.limits.TimestampBits == 0 {
		return r.learnByHost()
	}
	count := 2 * len(r.cut.ends)
	if r.each {
		count = len(r.ops) + len(r.cut.ends)
	}
	ticks := r.ticks[:count]
	if res := d.dev.Queries(r.queries, 0, ticks); res != vk.Success {
		return d.check("vkGetQueryPoolResults", res, "")
	}
	r.elapsed = d.ticks(ticks[0], ticks[count-1])
	r.pieces = r.pieces[:0]
	start := 0
	for p, end := range r.cut.ends {
		first, n := r.query(p, start, end)
		r.pieces = append(r.pieces, float64(d.ticks(ticks[first], ticks[first+n-1])))
		if r.each {
			for i := start; i < end; i++ {
				q := first + i - start
				r.times[i] = d.ticks(ticks[q], ticks[q+1])
			}
		}
		start = end
	}
	if r.cut.measured(r.pieces) {
		return r.record()
	}
	return nil
}

// submitTimed runs the pieces one by one and times them by the host's clock.
func (r *Recording) submitTimed(cbs []vk.CommandBuffer) error {
	r.pieces = r.pieces[:0]
	for i := range cbs {
		start := time.Now()
		if err := r.submit(cbs[i : i+1]); err != nil {
			return err
		}
		if err := r.await(); err != nil {
			return err
		}
		r.pieces = append(r.pieces, float64(time.Since(start)))
	}
	r.ended = true
	return nil
}

// learnByHost is learn without timestamps: Submit has timed the first runs.
func (r *Recording) learnByHost() error {
	r.elapsed = time.Since(r.start)
	if r.settled {
		return nil
	}
	if r.cut.measured(r.pieces) {
		return r.record()
	}
	// The first run carries the driver's compiling.
	r.settled = r.cut.runs > 1
	return nil
}

// ticks is the time between two timestamps; the counter may have wrapped.
func (d *Device) ticks(from, to uint64) time.Duration {
	mask := ^uint64(0) >> (64 - d.limits.TimestampBits)
	return time.Duration(float64((to-from)&mask) * d.limits.TimestampPeriod)
}

// Close destroys the recording when its run has ended. It is safe twice.
func (r *Recording) Close() error {
	if r.closed {
		return nil
	}
	r.closed = true
	var err error
	if r.pending {
		err = r.await()
	}
	r.destroy()
	r.d.mu.Lock()
	defer r.d.mu.Unlock()
	delete(r.d.recordings, r)
	return err
}

func (r *Recording) destroy() {
	dev := r.d.dev
	dev.DestroyFence(r.fence)
	dev.DestroyCommandPool(r.pool)
	dev.DestroyDescriptorPool(r.sets)
	dev.DestroyQueryPool(r.queries)
	for _, v := range r.views {
		dev.DestroyView(v)
	}
}
