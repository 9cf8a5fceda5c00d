package ops

import (
	"fmt"

	"sparsevk/shaders"
)

// A Step is one dispatch, as data.
type Step struct {
	Label  string          // "stage1/layer7/conv_fwd": names time, memory and errors
	Kernel *shaders.Kernel // its float32 form; Code is what runs
	Spec   []uint32        // specialization constants 0..len-1; missing ones keep the shader's default
	Args   []Planes        // one per binding, in binding order; Kernel says which are written
	Push   any             // pointer to the kernel's generated push struct; nothing that changes between training steps
	Groups [3]uint32
	// Form names the variant where kernels of one name have several, and Shared is
	// the shared memory in bytes where Spec decides it (0: what the kernel has by
	// default).
	Form   Variant
	Shared uint32
	// Lanes is the size of the subgroups that Spec counts on; 0: any.
	Lanes uint32
	// Holds is what must keep its bytes until this step, though it does not read it:
	// another step behind it may, where placement splits what an op reads.
	Holds Planes
	// Part is the task that the dispatch belongs to and the variant that was chosen
	// for it; nil for what has no variants.
	Part *Choice
	MACs uint64 // multiply-accumulates that this dispatch executes, for counts and GFLOP/s
}

// An Op is one layer whose shapes are fixed and whose blocks have been placed.
// Steps carry offsets, so they are asked for after planning; for lifetimes they
// may be asked for before, and then again.
type Op interface {
	Forward() []Step
	Backward() []Step
}

// A Use is one view that a step touches, and how.
type Use struct {
	View   View
	Access shaders.Access
}

// Uses returns every view that s touches.
func (s *Step) Uses() []Use {
	var u []Use
	for i, p := range s.Args {
		for _, v := range p {
			u = append(u, Use{v, s.Kernel.Bindings[i].Access})
		}
	}
	return u
}

// Reads and Writes return the bytes of all views that s reads or writes.
func (s *Step) Reads() uint64 { return s.moved(shaders.Read) }

// Writes returns the bytes of all views that s writes.
func (s *Step) Writes() uint64 { return s.moved(shaders.Write) }

func (s *Step) moved(a shaders.Access) (n uint64) {
	for _, u := range s.Uses() {
		if u.Access&a != 0 {
			lo, hi := u.View.Bytes()
			n += hi - lo
		}
	}
	return n
}

// String writes the step as one line: label, kernel, groups, constants and views.
func (s *Step) String() string {
	return fmt.Sprintf("%s %s groups %v spec %v args %v push %+v", s.Label, s.Kernel.Name, s.Groups, s.Spec, s.Args, s.Push)
}

// MaxGroups is the number of workgroups per axis that every device takes.
const MaxGroups = 65535

// Groups1D returns the workgroups for n invocations in groups of local, at most
// MaxGroups: kernels that use it walk their elements with a stride.
func Groups1D(n uint64, local uint32) [3]uint32 {
	g := (n + uint64(local) - 1) / uint64(local)
	return [3]uint32{uint32(max(1, min(g, MaxGroups))), 1, 1}
}

// push returns v as the View struct of shaders/view.glsl, relative to the
// binding that covers p.
func push(p Planes, v View) shaders.View {
	return shaders.View{Base: p.Base(v), Plane: uint32(v.Block.Plane())}
}

// Tables gathers constant words (plane offsets, link lists) that kernels read
// and that are uploaded once, when the model is built.
type Tables struct {
	Blocks []*Block
	Words  [][]uint32
}

// Add keeps a table of n words and returns its block. The words are filled in
// later, by Set, since they hold offsets that exist only after planning.
func (t *Tables) Add(name string, n int) *Block {
	b := Vector(name, Other, max(n, 1))
	b.Keep = true
	t.Blocks = append(t.Blocks, b)
	t.Words = append(t.Words, make([]uint32, max(n, 1)))
	return b
}

// Set fills the table of block b.
func (t *Tables) Set(b *Block, words []uint32) {
	for i := range t.Blocks {
		if t.Blocks[i] == b {
			if len(words) > len(t.Words[i]) {
				panic(fmt.Sprintf("ops: table %s has %d words, not %d", b.Name, len(t.Words[i]), len(words)))
			}
			copy(t.Words[i], words)
			return
		}
	}
	panic("ops: Set of an unknown table " + b.Name)
}
