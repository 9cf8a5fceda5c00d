package sparsenet

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/gpu"
	"sparsevk/ops"
	"sparsevk/ops/record"
	"sparsevk/shaders"
)

// amdChips are AMD's generations, from 2016 on, by the names that Mesa's RADV
// knows; a later Mesa may have renamed a chip. An unknown name ends the process.
var amdChips = [][]string{{"polaris10"}, {"vega10"}, {"navi21"}, {"navi31", "gfx1100"}}

const amdChip = "SPARSEVK_AMD_CHIP"

// vectorBudget is how many vector registers a kernel may take: two waves of 64, or
// eight of 32, then share a SIMD. From navi31 on a SIMD has half as many more.
//
// 16-bit maps may take three quarters more: the compiler does not merge their loads,
// and keeps more of them in flight, up to 208 registers in the weight gradient. To
// spill is no more allowed than with float32.
func vectorBudget(chip string, p ops.Precision) int {
	n := 128
	if chip == "navi31" || chip == "gfx1100" {
		n = 192
	}
	if p != ops.FP32 {
		n = min(256, n*7/4)
	}
	return n
}

// AMD's compiler takes every kernel, in every form that networks use, without a
// spilled vector register. That needs RADV (mesa-vulkan-drivers) and no card: it
// compiles for the chip that RADV_FORCE_FAMILY names, which it reads at start, so
// that each chip has a process. Without RADV the test is skipped, unless
// SPARSEVK_AMD=require.
func TestAMDCompilesWithoutSpills(t *testing.T) {
	if chip := os.Getenv(amdChip); chip != "" {
		compileAll(t, chip)
		return
	}
	drivers, err := filepath.Glob("/usr/share/vulkan/icd.d/radeon_icd*.json")
	require.NoError(t, err)
	if len(drivers) == 0 {
		require.NotEqual(t, "require", os.Getenv("SPARSEVK_AMD"), "RADV is not installed")
		t.Skip("RADV is not installed (mesa-vulkan-drivers)")
	}
	for _, names := range amdChips {
		t.Run(names[0], func(t *testing.T) {
			t.Parallel()
			said := fmt.Sprintf("no driver knows %v", names)
			for _, name := range names {
				cmd := exec.Command(os.Args[0], "-test.run=^TestAMDCompilesWithoutSpills$", "-test.v")
				cmd.Env = append(os.Environ(), amdChip+"="+name, "RADV_FORCE_FAMILY="+name, "MESA_SHADER_CACHE_DISABLE=true", "SPARSEVK_DEVICE=",
					"VK_ICD_FILENAMES="+drivers[0], "VK_DRIVER_FILES="+drivers[0])
				out, err := cmd.CombinedOutput()
				if strings.Contains(string(out), compiled) || name == names[len(names)-1] {
					said = string(out)
					require.NoError(t, err, said)
					break
				}
			}
			require.Contains(t, said, compiled)
			t.Log(said)
		})
	}
}

// compiled is in the last line of a process that compiled everything.
const compiled = "pipelines compiled"

// A form is a kernel under one specialization.
type form struct {
	kernel *shaders.Kernel
	spec   []uint32
	tuned  bool   // no class takes it: a tuning may, which has timed it
	lanes  uint32 // of its subgroups; 0: any
}

func (f form) String() string { return fmt.Sprintf("%s %v", f.kernel.Name, f.spec) }

// formOf returns the form of a step.
func formOf(s ops.Step, tuned bool) form { return form{s.Code(), s.Spec, tuned, s.Lanes} }

// forms returns every kernel in every form of some networks' steps, and those
// kernels that no network uses as they are; those that multiply matrices for the
// product m, unless it is zero. The quad kernels are left out: they are written for
// processors whose subgroups have 8 lanes, and never chosen for a device with more.
// So is emulation, which is for tests.
func forms(t *testing.T, m ops.Matrix) []form {
	seen := map[string]form{}
	add := func(f form) { seen[f.String()] = f }
	for _, preset := range []string{"sparse-40-12", "sparse-40-24", "dense-40-12", "sparse-bc-100-24", "imagenet-sparse-121-32-init2k", "imagenet-dense-161-48", "sparse-sum-110-16x32x64"} {
		for _, class := range []ops.Class{ops.Plain, ops.Small, ops.RDNA} {
			for _, engine := range []Engine{Arena, Layered} {
				for _, p := range []ops.Precision{ops.FP32, ops.FP16, ops.BF16} {
					if class != ops.Plain && preset != "sparse-40-12" && (engine == Layered || p == ops.BF16) { // nearly the same once more
						continue
					}
					n := network(t, preset, Options{Batch: 16, Engine: engine, Precision: p, Class: class})
					for _, s := range append(n.Train.Steps(), n.Eval.Steps()...) {
						add(formOf(s, false))
					}
				}
			}
		}
	}
	for _, v := range ops.Variants(ops.ForwardRole) {
		if !v.Tiles() || !v.Winograd() {
			continue
		}
		for _, p := range []ops.Precision{ops.FP32, ops.FP16} {
			n := network(t, "sparse-40-24", Options{Batch: 16, Precision: p, Class: ops.RDNA, Tuning: ops.Tuning{"forward 3x3": v, "gather 3x3": v}})
			for _, s := range n.Train.Steps() {
				if s.Form == v {
					add(formOf(s, true))
				}
			}
		}
	}
	if m.Usable() {
		for _, f := range matrixForms(t, m) {
			add(f)
		}
	}
	used := map[*shaders.Kernel]bool{}
	for _, f := range seen {
		used[f.kernel] = true
	}
	for _, k := range shaders.All {
		if quad := strings.HasPrefix(k.Name, "quad_"); quad {
			assert.False(t, used[k], "%s is chosen for GPUs", k.Name)
		} else if !used[k] && !strings.HasPrefix(k.Name, "matrix_") {
			add(form{kernel: k})
		}
		for _, p := range []ops.Precision{ops.FP16, ops.BF16} {
			if half := k.In(p); half != nil && !used[half] && !strings.HasPrefix(k.Name, "matrix_") {
				add(form{kernel: half})
			}
		}
	}
	var all []form
	for _, f := range seen {
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b form) int { return strings.Compare(a.String(), b.String()) })
	return all
}

// matrixForms returns the forms of the kernels that multiply matrices: what the class
// takes, and what a tuning may.
func matrixForms(t *testing.T, m ops.Matrix) (all []form) {
	for _, preset := range []string{"sparse-40-12", "sparse-40-24", "sparse-bc-100-24", "imagenet-sparse-121-32-init2k"} {
		n := network(t, preset, Options{Batch: 16, Precision: ops.FP16, Class: ops.RDNA, Matrix: m})
		for _, s := range append(n.Train.Steps(), n.Eval.Steps()...) {
			if s.Kernel.Matrix {
				all = append(all, formOf(s, false))
			}
		}
	}
	for _, v := range ops.Variants(ops.ForwardRole) {
		if !v.Rounds() {
			continue
		}
		n := network(t, "sparse-40-24", Options{Batch: 16, Precision: ops.FP16, Class: ops.RDNA, Matrix: m, Tuning: ops.Tuning{"forward 3x3": v, "gather 3x3": v}})
		for _, s := range n.Train.Steps() {
			if s.Form == v {
				all = append(all, formOf(s, true))
			}
		}
	}
	require.NotEmpty(t, all)
	return all
}

// compileAll compiles everything for chip, and what must spill.
func compileAll(t *testing.T, chip string) {
	dev, err := gpu.Open(gpu.Options{Statistics: true})
	require.NoError(t, err)
	defer func() { assert.NoError(t, dev.Close()) }()
	matrices := dev.Info().Matrices
	if chip == "navi31" || chip == "gfx1100" { // the first with instructions for matrices
		assert.Contains(t, matrices, gpu.Matrix{M: 16, N: 16, K: 16, A: "float16", B: "float16", C: "float32", Result: "float32", Subgroup: true})
	} else {
		assert.Empty(t, matrices, chip)
	}
	all, most := forms(t, record.Traits(dev).Matrix), 0.0
	require.Greater(t, len(all), 40)
	for _, f := range all {
		vectors, faults, err := f.compile(dev)
		require.NoError(t, err, "%s: %v", chip, f)
		assert.Empty(t, faults, "%s: %v", chip, f)
		if f.tuned {
			continue
		}
		assert.LessOrEqual(t, vectors, float64(vectorBudget(chip, f.kernel.Precision)), "%s: vector registers of %v", chip, f)
		if vectors > most {
			most = vectors
			t.Logf("%v: %v vector registers", f, vectors)
		}
	}
	greedy := form{kernel: &shaders.ConvFwd, spec: slices.Clone(find(all, &shaders.ConvFwd).spec)}
	greedy.spec[shaders.ConvFwd.SpecIndex("KT")] = 64
	_, faults, err := greedy.compile(dev)
	require.NoError(t, err)
	assert.NotEmpty(t, faults, "%s: %v does not spill", chip, greedy)
	t.Logf("%s: %v", greedy, faults)
	fmt.Printf("%s, %s: %d %s\n", dev.Info().Name, dev.Info().DriverInfo, len(all), compiled)
}

func find(all []form, k *shaders.Kernel) form {
	return all[slices.IndexFunc(all, func(f form) bool { return f.kernel == k })]
}

// compile returns how many vector registers a form takes and what of it does not
// fit into registers: spilled ones, and arrays that the compiler puts in memory.
func (f form) compile(dev *gpu.Device) (vectors float64, faults []string, err error) {
	p, err := record.Pipeline(dev, f.kernel, f.spec, f.lanes)
	if err != nil {
		return 0, nil, err
	}
	s, err := p.Statistics()
	if err != nil {
		return 0, nil, err
	}
	for _, what := range []string{"Spilled VGPRs", "Scratch size"} {
		n, ok := s[what]
		if !ok {
			return 0, nil, fmt.Errorf("the driver does not tell %q", what)
		}
		if n > 0 {
			faults = append(faults, fmt.Sprintf("%s %v", what, n))
		}
	}
	return s["VGPRs"], faults, nil
}
