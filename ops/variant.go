package ops

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A Variant is a named form of the kernels for a task.
type Variant string

// The variants beside the tiles (Variants lists all).
const (
	PlainForm Variant = "plain" // serves every shape on every device
	QuadForm  Variant = "quad"  // see Quad
)

// Tiles reports whether v is one of the tile forms, which are for GPUs.
func (v Variant) Tiles() bool { return v != PlainForm && v != QuadForm && !v.Rounds() }

// Winograd reports whether v has Winograd's algorithm for windows of 3x3, which
// rounds otherwise than a sum of products.
func (v Variant) Winograd() bool {
	return v == QuadForm || slices.ContainsFunc(tilings, func(t tiling) bool { return t.winograd && t.name == v })
}

// Rounds reports whether v rounds what it multiplies to float16: the activated input,
// and the weights. Such are the matrix forms, for maps of float16 on GPUs.
func (v Variant) Rounds() bool { return strings.HasPrefix(string(v), "matrix-") }

// A Role is what kernels of a convolution do.
type Role string

// The roles of tasks.
const (
	ForwardRole Role = "forward" // makes K channels out of C
	DataRole    Role = "data"    // the data gradient without batch norm: makes C channels out of K
	GatherRole  Role = "gather"  // the data gradient of one map from all readers of one window: makes C channels out of K
	WeightsRole Role = "weights" // the weight gradient
)

// Roles are all of them.
var Roles = []Role{ForwardRole, DataRole, GatherRole, WeightsRole}

// TrainingRoles are the roles that inference has no use for.
var TrainingRoles = []Role{DataRole, GatherRole, WeightsRole}

// A Task is what a variant is chosen for: a role and a shape.
type Task struct {
	Role Role
	Geometry
	N, H, W uint32 // images, height and width of the input, or of the map that is gathered
	C, K    uint32 // input and output channels; of a gather those of the map, and those of its readers together
}

// Family names the role and the window of t: "forward 3x3". Tuning may name a
// family for all shapes that it does not name.
func (t Task) Family() string {
	s := fmt.Sprintf("%s %dx%d", t.Role, t.R, t.S)
	if t.Pool {
		s += "pool"
	}
	if t.Stride != 1 {
		s += fmt.Sprintf("s%d", t.Stride)
	}
	return s
}

// String names t in tuning: "forward 3x3 48>12 32x32 n64".
func (t Task) String() string {
	s := fmt.Sprintf("%s %d>%d %dx%d n%d", t.Family(), t.C, t.K, t.H, t.W, t.N)
	if same := t.R / 2; t.Pad != same {
		s += fmt.Sprintf(" pad%d", t.Pad)
	}
	return s
}

// makes returns the channels that the kernels of t make.
func (t Task) makes() uint32 {
	if t.Role == GatherRole || t.Role == DataRole {
		return t.C
	}
	return t.K
}

// RoleOf returns the role that the name of a task or of a family begins with.
func RoleOf(name string) Role {
	role, _, _ := strings.Cut(name, " ")
	return Role(role)
}

// CompareTasks orders tasks as files and reports list them.
func CompareTasks(a, b Task) int {
	return cmp.Or(cmp.Compare(a.Family(), b.Family()), -cmp.Compare(a.H, b.H), -cmp.Compare(a.W, b.W),
		cmp.Compare(a.C, b.C), cmp.Compare(a.K, b.K), cmp.Compare(a.N, b.N), cmp.Compare(a.Pad, b.Pad))
}

// Tuning names variants by task (Task.String) or by family of tasks
// (Task.Family). What it does not name, the class chooses.
type Tuning map[string]Variant

// A Choice is a task and what was chosen for it.
type Choice struct {
	Task
	Variant Variant
}

// of marks steps as those of c.
func (c Choice) of(steps []Step) []Step {
	for i := range steps {
		steps[i].Part = &c
	}
	return steps
}

// A rule is a line of the table: the variant for tasks of a role (empty: any)
// that make at most so many channels (0: any number) of planes of at most so
// many pixels (0: any). The first rule whose variant takes the shape decides.
type rule struct {
	role    Role
	makes   uint32
	pixels  uint64
	variant Variant
}

func (r rule) holds(t Task) bool {
	return (r.role == "" || r.role == t.Role) && (r.makes == 0 || t.makes() <= r.makes) &&
		(r.pixels == 0 || uint64(t.N)*uint64(t.H)*uint64(t.W) <= r.pixels)
}

// choose returns the variant for t, of those that fits says take its shape: what
// the tuning names, else what the class prefers, else the plain form.
func (e *Env) choose(t Task, fits func(Variant) bool) Variant {
	v := PlainForm
	for _, r := range profiles[e.Class].rules {
		if r.holds(t) && fits(r.variant) {
			v = r.variant
			break
		}
	}
	if named, ok := e.Tuning[t.Family()]; ok && (named == PlainForm || fits(named)) {
		v = named
	}
	if named, ok := e.Tuning[t.String()]; ok {
		if named != PlainForm && !fits(named) {
			e.misfits = append(e.misfits, Choice{t, named})
		} else {
			v = named
		}
	}
	e.choices = append(e.choices, Choice{t, v})
	return v
}

// Choices returns the variants that were chosen, one for each task.
func (e *Env) Choices() []Choice {
	all := slices.Clone(e.choices)
	slices.SortFunc(all, func(a, b Choice) int { return CompareTasks(a.Task, b.Task) })
	return slices.Compact(all)
}

// Misfits returns what the tuning names for tasks whose shape it does not take.
func (e *Env) Misfits() []Choice { return e.misfits }

// Variants returns the variants that tasks of a role may have, the plain form first.
// Which of them take a shape is told by Misfits after the op was made.
func Variants(r Role) []Variant {
	all := []Variant{PlainForm, QuadForm}
	if r == WeightsRole {
		for _, t := range weightTilings {
			all = append(all, t.name)
		}
		return append(all, matrixWeights)
	}
	for _, t := range tilings {
		all = append(all, t.name)
	}
	for _, t := range matrixTilings {
		all = append(all, t.name)
	}
	return all
}
