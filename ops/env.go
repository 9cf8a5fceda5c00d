package ops

import "sparsevk/shaders"

// Env is what ops must know of where they will run. It holds no device: the
// same Env gives the same plan and the same steps anywhere.
type Env struct {
	Range  uint64  // largest bound range in bytes; every device takes 128 MiB
	Chunk  uint64  // bytes of a memory object of the plan: no bound range crosses a multiple of it; 0: there is one object
	Class  Class   // which kernels to prefer
	Matrix Matrix  // what the device multiplies at a time; zero: no matrices
	Tuning Tuning  // variants that were named for some tasks, whatever the class prefers
	Tables *Tables // where ops keep their constant tables

	choices, misfits []Choice
	packs            *Packs // that pack for the ops, if any
}

// DefaultRange is the storage-buffer range that every Vulkan device supports.
const DefaultRange = 128 << 20

// NewEnv returns an Env for plain kernels and the guaranteed range.
func NewEnv() *Env { return &Env{Range: DefaultRange, Tables: &Tables{}} }

// split cuts p into the fewest consecutive groups that can be bound.
func (e *Env) split(p Planes) []Planes { return p.Split(e.Range, e.Chunk) }

// binds reports whether x can be bound.
func (e *Env) binds(x extent) bool { return x.fits(e.Range, e.Chunk) }

// runs cuts views of equal channel count into runs of planes in step, so that
// each view of a run can be bound within e.Range. Elementwise and per-channel
// ops loop over the runs.
func (e *Env) runs(views ...View) [][]View {
	c := views[0].C()
	widest := uint64(1)
	for _, v := range views {
		if v.C() != c {
			panic("ops: views of one elementwise step differ in planes")
		}
		widest = max(widest, v.Block.PlaneBytes())
	}
	per := uint32(max(1, min(uint64(c), (e.Range-Align)/widest)))
	var out [][]View
	for lo := uint32(0); lo < c; lo += per {
		hi, run := min(c, lo+per), make([]View, len(views))
		for i, v := range views {
			run[i] = v.Slice(lo, hi)
		}
		out = append(out, run)
	}
	return out
}

// elementwise returns the steps of a kernel that goes over views of equal shape,
// its bindings, element by element; push makes the constants of n elements of v.
func (e *Env) elementwise(label string, k *shaders.Kernel, push func(n uint32, v []View) any, views ...View) []Step {
	var steps []Step
	for _, v := range e.runs(views...) {
		n := v[0].Elems()
		steps = append(steps, Step{Label: label, Kernel: k, Args: bind(v...), Push: push(uint32(n), v), Groups: elementGroups(n)})
	}
	return steps
}
