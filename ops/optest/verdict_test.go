package optest

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/gpu"
	"sparsevk/ops"
	"sparsevk/shaders"
)

// A self-test that skips a kernel proves nothing of it.
func TestEveryKernelHasCases(t *testing.T) {
	tested := map[string]bool{}
	for _, op := range Names() {
		for _, c := range Cases(op) {
			for _, k := range kernels(c.Steps()) {
				tested[k.Name] = true
			}
		}
	}
	for _, k := range shaders.All {
		assert.True(t, tested[k.Name], "%s is in no table", k.Name)
		for _, f := range k.Half {
			name := k.In(f.Precision).Name
			assert.True(t, tested[name], "%s is in no table", name)
		}
	}
}

// verdictOf is what a survey of some cases leaves in an otherwise empty folder,
// read back.
func verdictOf(t *testing.T, dir string, i gpu.Info, add func(*Tally)) *Verdict {
	t.Helper()
	v, err := LoadVerdict(dir, i, false)
	require.NoError(t, err)
	tally := v.Tally()
	add(tally)
	tally.End()
	require.NoError(t, v.Save(dir))
	v, err = LoadVerdict(dir, i, false)
	require.NoError(t, err)
	return v
}

func TestVerdict(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	i := gpu.Info{Name: "card", UUID: "u-1", Driver: "drv", DriverInfo: "1", DriverVersion: 7}
	relu, stats := []*shaders.Kernel{&shaders.ReluFwd}, []*shaders.Kernel{&shaders.ReluBwd}
	maps := make([]ops.Planes, 3) // nothing is bound
	steps := []ops.Step{{Kernel: &shaders.ReluBwd, Args: maps}, {Kernel: &shaders.ReluFwd, Args: maps}}
	broken := errors.New("y: element 3: got 1, want 2")

	v := verdictOf(t, dir, i, func(y *Tally) {
		y.Add("relu", Result{Case: "a", Kernels: relu}, nil)
		y.Add("relu", Result{Case: "b", Kernels: relu}, nil)
		y.Add("relu", Result{Case: "c", Kernels: stats}, nil)
		y.Add("relu", Result{Case: "panics"}, broken) // which names no kernel
	})
	assert.NoError(t, v.Allow(steps))
	assert.Equal(t, []TestedCases{{"relu_bwd", shaders.ReluBwd.Module, 1}, {"relu_fwd", shaders.ReluFwd.Module, 2}}, v.Passed)

	v = verdictOf(t, dir, i, func(y *Tally) { y.Add("relu", Result{Case: "b", Kernels: relu}, broken) })
	err := v.Allow(steps)
	var failed FailedKernelError
	require.ErrorAs(t, err, &failed)
	assert.Equal(t, "relu_fwd", failed.Kernel)
	assert.ErrorContains(t, err, "kernel relu_fwd failed the self-test on this device and driver at 20")
	assert.ErrorContains(t, err, "relu: y: element 3: got 1, want 2")
	assert.NoError(t, v.Allow(steps[:1]), "another kernel")
	half := ops.Step{Kernel: &shaders.ReluFwd}
	for range shaders.ReluFwd.Bindings {
		b := NewBlock("x", 1, 1, 1, 1)
		b.Precision = ops.FP16
		half.Args = append(half.Args, ops.Planes{b.All()})
	}
	assert.NoError(t, v.Allow([]ops.Step{half}), "the kernel's form for 16 bits is another kernel")
	assert.Equal(t, 2, v.Passed[1].Cases, "what was known before stays")

	v = verdictOf(t, dir, i, func(y *Tally) { y.Add("relu", Result{Case: "a", Kernels: relu}, nil) })
	assert.Error(t, v.Allow(steps), "another case that passes does not help")
	changed := shaders.ReluFwd
	changed.Module = "other"
	assert.NoError(t, v.Allow([]ops.Step{{Kernel: &changed, Args: maps}}), "the kernel has been changed since")

	for _, other := range []gpu.Info{
		{UUID: "u-2", Driver: "drv", DriverInfo: "1", DriverVersion: 7},
		{UUID: "u-1", Driver: "drv", DriverInfo: "1", DriverVersion: 8},
		{UUID: "u-1", Driver: "drv", DriverInfo: "2", DriverVersion: 7},
	} {
		v, err := LoadVerdict(dir, other, false)
		require.NoError(t, err)
		assert.NoError(t, v.Allow(steps), "another device, or another driver")
	}
	clamped, err := LoadVerdict(dir, i, true)
	require.NoError(t, err)
	assert.NoError(t, clamped.Allow(steps), "kernels are specialized otherwise")

	v = verdictOf(t, dir, i, func(y *Tally) { y.Add("relu", Result{Case: "b", Kernels: relu}, nil) })
	assert.NoError(t, v.Allow(steps), "the case passes now")

	path := filepath.Join(dir, "selftest-u-1.json")
	for name, b := range map[string]string{"not a verdict": "{", "of device": `{"uuid": "u-9"}`} {
		require.NoError(t, os.WriteFile(path, []byte(b), 0o666))
		v, err := LoadVerdict(dir, i, false)
		assert.ErrorContains(t, err, "selftest-u-1.json is not the verdict", name)
		assert.NoError(t, v.Allow(steps), "and nothing is known")
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 1, "nothing half is left")
	assert.Error(t, v.Save(filepath.Join(path, "x")))
}

// A survey says which kernels a case ran.
func TestResultNamesKernels(t *testing.T) {
	var names []string
	for res, err := range Survey(Device(t), "relu", "") {
		require.NoError(t, err)
		for _, k := range res.Kernels {
			names = append(names, k.Name)
		}
	}
	slices.Sort(names)
	assert.Equal(t, []string{"relu_bwd", "relu_fwd"}, slices.Compact(names))
}
