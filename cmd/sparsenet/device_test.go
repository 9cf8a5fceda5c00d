package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/gpu"
	"sparsevk/ops"
	"sparsevk/ops/optest"
	"sparsevk/shaders"
)

// needDevice skips the test where SPARSEVK_GPU says so, or where there is no
// device and it does not require one. Commands open devices of their own.
func needDevice(t *testing.T) gpu.Info {
	t.Helper()
	policy := os.Getenv("SPARSEVK_GPU")
	if policy == "off" {
		t.Skip("SPARSEVK_GPU=off")
	}
	d, err := gpu.Open(gpu.Options{})
	if err != nil && policy != "require" {
		t.Skipf("no device: %v", err)
	}
	require.NoError(t, err)
	require.NoError(t, d.Close())
	return d.Info()
}

func TestDevices(t *testing.T) {
	info := needDevice(t)
	var list []device
	out, errOut, code := execute(t, "devices --json")
	require.Equal(t, exitSuccess, code, errOut)
	// limits are an object in JSON, and only that
	var rows []map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(out), &rows))
	for _, r := range rows {
		var values map[string]float64
		require.NoError(t, json.Unmarshal(r["limits"], &values))
		assert.GreaterOrEqual(t, values["storage_range_bytes"], float64(ops.DefaultRange))
		assert.GreaterOrEqual(t, values["workgroup_invocations"], 128.0)
		delete(r, "limits")
	}
	again, err := json.Marshal(rows)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(again, &list))
	var chosen []string
	for _, d := range list {
		if d.Default {
			chosen = append(chosen, d.Name)
			assert.Equal(t, info.UUID, d.UUID)
			assert.Equal(t, driverName(info), d.Driver)
			assert.Equal(t, info.SubgroupSize, d.Subgroup.Size)
			assert.Equal(t, info.Heaps[0].Bytes, d.Heaps[0].Bytes)
			assert.Contains(t, []string{"plain", "quad", "quad16"}, d.Kernels)
			assert.Empty(t, d.Unusable)
		}
	}
	assert.Equal(t, []string{info.Name}, chosen)

	text, _, code := execute(t, "devices --clamp-limits")
	assert.Equal(t, exitSuccess, code)
	assert.Contains(t, text, "* "+"0")
	assert.Contains(t, text, info.Name)
	assert.Regexp(t, `workgroup invocations +128\n`, text)
	assert.Regexp(t, `cooperative matrices +\w`, text)
	assert.NotContains(t, text, "CANNOT BE USED")
}

// Of what a device says of its matrix instructions, that is shown which kernels could
// use: products of subgroups, added up in float32.
func TestMatrices(t *testing.T) {
	half := gpu.Matrix{M: 16, N: 8, K: 16, A: "float16", B: "float16", C: "float32", Result: "float32", Subgroup: true}
	saturating, narrow, mixed, wide := half, half, half, half
	narrow.C, narrow.Result = "float16", "float16"
	mixed.B = "int8"
	wide.Subgroup = false
	i := gpu.Info{Features: gpu.Features{CooperativeMatrix: true}, Matrices: []gpu.Matrix{narrow, mixed, wide}}
	assert.Equal(t, "listed, none with float32 accumulation", newMatrices(i).String())
	i.Matrices = append(i.Matrices, half, saturating)
	assert.Equal(t, "16x8x16 float16, with float32 accumulation", newMatrices(i).String())
	assert.Equal(t, "missing (VK_KHR_cooperative_matrix)", newMatrices(gpu.Info{}).String())
}

func TestTooWeak(t *testing.T) {
	assert.NoError(t, tooWeak(limits{{"storage buffers", 8, 8}, {"heaps", 1, 0}}))
	assert.EqualError(t, tooWeak(limits{{"storage buffers", 4, 8}, {"shared memory bytes", 8192, 16384}}),
		"storage buffers 4, 8 is needed; shared memory bytes 8192, 16384 is needed")
}

// Without a device, or without the one that was asked for, every command fails
// and says so; wrong usage is told first.
func TestNoDevice(t *testing.T) {
	t.Setenv("VK_ICD_FILENAMES", "/nonexistent.json")
	t.Setenv("VK_DRIVER_FILES", "/nonexistent.json")
	for _, line := range []string{"devices", "devices --json", "selftest", "selftest --json", "bench --depth 7 --growth 2"} {
		out, errOut, code := execute(t, line)
		assert.Equal(t, exitFailure, code, line)
		assert.Empty(t, out, line)
		assert.Regexp(t, `^sparsenet: .*no Vulkan (device|library)`, errOut, line)
	}
}

func TestUnknownDevice(t *testing.T) {
	needDevice(t)
	for _, line := range []string{"selftest --device nosuch", "bench --depth 7 --growth 2 --device nosuch"} {
		_, errOut, code := execute(t, line)
		assert.Equal(t, exitFailure, code, line)
		assert.Contains(t, errOut, `none is called "nosuch"; there are: 0 `, line)
	}
}

func TestWrongUsageOfDeviceCommands(t *testing.T) {
	for line, want := range map[string]string{
		"selftest --op frobnicate":            `op "frobnicate": unknown; there are `,
		"selftest relu":                       "selftest takes flags only",
		"selftest --class vast":               `unknown class of kernels "vast": there are plain`,
		"bench --steps 0":                     "steps 0: want at least 1",
		"bench --warmup 0":                    "warmup 0: want at least 1",
		"bench --batch 0":                     "batch 0: want 1 to",
		"bench --engine steam":                `unknown engine "steam"`,
		"bench --depth 8":                     "depth 8",
		"bench --growth 12,12":                "growth",
		"bench --class vast":                  `unknown class of kernels "vast": there are plain`,
		"devices here":                        "devices takes flags only",
		"devices --clamp-limits=perhaps":      "want true or false",
		"bench --steps many":                  `steps "many": want a whole number`,
		"bench --preset imagenet-nothing-1-1": "imagenet-nothing-1-1",
	} {
		out, errOut, code := execute(t, line)
		assert.Equal(t, exitUsage, code, "%s: %s", line, errOut)
		assert.Empty(t, out, line)
		assert.Contains(t, errOut, want, line)
	}
}

func TestSelftest(t *testing.T) {
	info := needDevice(t)
	out, errOut, code := execute(t, "selftest --op relu,roof --clamp-limits")
	require.Equal(t, exitSuccess, code, errOut)
	assert.Empty(t, errOut)
	assert.Regexp(t, `(?m)^relu +14 cases  ok   to the bit$`, out)
	assert.Regexp(t, `(?m)^roof +16 cases  ok   used 0\.\d\d by fma_\S+ y$`, out)
	assert.Regexp(t, `(?s)-- report --\ncommit .*\nsystem .*\ndevice +`+info.Name[:4]+`.*limits clamped: true\nresult +30 cases of 2 operations in \d+ s, 0 failed\n-- end`, out)

	var r selftestReport
	decode(t, "selftest --op relu --case bwd --json", &r)
	assert.Equal(t, info.Name, r.Device)
	assert.Equal(t, driverName(info), r.Driver)
	assert.True(t, r.Passed)
	assert.Equal(t, 7, r.Cases)
	assert.Equal(t, []optest.TableReport{{Op: "relu", Cases: 7, Failures: []optest.Failure{}}}, r.Ops)
}

// A kernel that is wrong, an op that panics and an empty table are failures, and
// the cases after them run.
func TestSelftestCatches(t *testing.T) {
	needDevice(t)
	t.Setenv("SPARSEVK_CACHE", t.TempDir()) // for its verdict
	text, errOut, code := execute(t, "selftest --op planted,relu")
	assert.Equal(t, exitFailure, code)
	assert.Regexp(t, `^sparsenet: selftest: 3 of 18 cases failed: .*another driver\n$`, errOut)
	assert.Regexp(t, `(?m)^planted +4 cases  3 FAIL$`, text)
	assert.Regexp(t, `(?m)^    n_wrong: y \(c1 n0 y0 x0\): .*element 1: got .* want 1, tolerance .*\b1 of 4 elements fail$`, text)
	assert.Regexp(t, `(?m)^    n_panics: panic: ops: cannot be$`, text)
	assert.Regexp(t, `(?m)^relu +14 cases  ok`, text)
	report := text[strings.Index(text, "-- report --"):]
	assert.Contains(t, report, "failed    planted: n_wrong: y (c1 n0 y0 x0)")
	assert.Contains(t, report, "failed    planted: n_panics: panic")

	out, _, code := execute(t, "selftest --op planted --json")
	assert.Equal(t, exitFailure, code)
	var r selftestReport
	require.NoError(t, json.Unmarshal([]byte(out), &r), "a NaN must not break the JSON")
	assert.False(t, r.Passed)
	assert.Equal(t, [2]int{4, 3}, [2]int{r.Cases, r.Failed})
	assert.Len(t, r.Ops[0].Failures, 3)

	out, errOut, code = execute(t, "selftest --op relu --case nothing_like_it")
	assert.Equal(t, exitFailure, code, "nothing ran: %s", out)
	assert.Contains(t, errOut, "no case ran")
}

// What failed a self-test is not trained with, until it passes or the user wants
// it.
func TestTrainRefusesWhatFailed(t *testing.T) {
	needDevice(t)
	t.Setenv("SPARSEVK_CACHE", t.TempDir())
	train := "train" + tinyFlags(tinyData(t)) + "--epochs 1 --no-test --engine layered"
	_, errOut, code := execute(t, train)
	require.Equal(t, exitSuccess, code, "nothing is known, and no test is run: %s", errOut)
	_, _, code = execute(t, "selftest --op planted --case n_wrong")
	require.Equal(t, exitFailure, code)
	_, errOut, code = execute(t, train)
	require.Equal(t, exitSuccess, code, "no kernel of the network failed: %s", errOut)

	info := needDevice(t)
	v, err := optest.LoadVerdict(cacheDir(), info, false)
	require.NoError(t, err)
	require.Len(t, v.Failed, 1, "by selftest")
	tally := v.Tally()
	tally.Add("batchnorm", optest.Result{Case: "c3", Kernels: []*shaders.Kernel{&shaders.BnFwd}}, errors.New("c3: y: element 1: got 2, want 1"))
	tally.End()
	require.NoError(t, v.Save(cacheDir()))
	fails(t, exitFailure, train, "kernel bn_fwd failed the self-test on this device and driver at 20", "batchnorm: c3: y: element 1: got 2",
		"--ignore-selftest")
	_, errOut, code = execute(t, train+" --ignore-selftest")
	assert.Equal(t, exitSuccess, code)
	assert.Contains(t, errOut, "in spite of this: kernel bn_fwd failed")
	_, errOut, code = execute(t, strings.Replace(train, "layered", "arena", 1))
	assert.Equal(t, exitSuccess, code, "the arena engine has no such kernel: %s", errOut)
	_, errOut, code = execute(t, train+" --clamp-limits")
	assert.Equal(t, exitSuccess, code, "a device of other limits: %s", errOut)
	_, _, _ = execute(t, "selftest --op relu")
	fails(t, exitFailure, train, "kernel bn_fwd failed")
}

// planted is a table with a case that is right, one whose kernel is wrong (it
// computes max(x, 0), the reference says |x|), one that panics, and one whose
// reference is not a number.
func init() {
	optest.Register("planted", func() []optest.Case {
		relu := func(name string, want []float64) optest.Case {
			x, y := optest.NewBlock("x", 4, 1, 1, 1), optest.NewBlock("y", 4, 1, 1, 1)
			op := ops.ReLU{Env: ops.NewEnv(), Label: "planted", X: x.All(), Y: y.All()}
			return optest.Case{Name: name, Steps: op.Forward,
				In:  []optest.Input{optest.Floats(x.All(), []float64{2, -1, 3, math.Copysign(0, -1)})},
				Out: []optest.Want{optest.Near("y", y.All(), want, []float64{2, 1, 3, 1})}}
		}
		panics := relu("n_panics", nil)
		panics.Steps = func() []ops.Step { panic("ops: cannot be") }
		zero := 0.0
		return []optest.Case{relu("n_right", []float64{2, 0, 3, 0}), panics, relu("n_wrong", []float64{2, 1, 3, 0}),
			relu("reference", []float64{2, 0, 3, zero / zero})}
	})
}

func TestInterrupted(t *testing.T) {
	needDevice(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for line, want := range map[string]string{
		"selftest --op relu,roof":                            "not all cases ran: interrupted in the table of relu",
		"bench --depth 7 --growth 2 --batch 2 --class plain": "interrupted after 0 of 12 steps",
	} {
		var out, errOut bytes.Buffer
		assert.Equal(t, exitFailure, run(ctx, strings.Fields(line), &out, &errOut), line)
		assert.Contains(t, errOut.String(), want, line)
	}
}

func TestBench(t *testing.T) {
	info := needDevice(t)
	const tiny = "bench --depth 7 --growth 2 --batch 2 --steps 3 --warmup 1 --class plain "
	for _, engine := range []string{"arena", "layered"} {
		var r benchReport
		decode(t, tiny+"--json --engine "+engine, &r)
		assert.Equal(t, []any{info.Name, driverName(info), engine, 2, 3, "plain"}, []any{r.Device, r.Driver, r.Engine, r.Batch, r.Steps, r.Class})
		assert.True(t, 0 < r.StepMS.Min && r.StepMS.Min <= r.StepMS.Median && r.StepMS.Median <= r.StepMS.Max, "%+v", r.StepMS)
		assert.Positive(t, r.ImagesPerSecond)
		assert.Equal(t, r.ImagesPerSecond, 2*r.StepsPerSecond)
		assert.Positive(t, r.CompileMS)
		assert.Positive(t, r.GFLOPs)
		assert.Nil(t, r.kernelReport)
	}
	var raw map[string]any
	decode(t, tiny+"--json --inference", &raw)
	for _, field := range []string{"device", "driver", "engine", "batch", "step_ms", "images_per_second", "compile_ms"} {
		assert.Contains(t, raw, field)
	}
	assert.NotContains(t, raw, "kernels")
	assert.Equal(t, true, raw["inference"])
}

func TestBenchKernels(t *testing.T) {
	if info := needDevice(t); info.Limits.TimestampBits == 0 {
		t.Skip("the device has no timestamps")
	}
	out, errOut, code := execute(t, "bench --depth 7 --growth 2 --batch 2 --steps 1 --warmup 1 --class plain --kernels --json")
	require.Equal(t, exitSuccess, code, errOut)
	var r struct {
		benchReport
		kernelReport
	}
	require.NoError(t, json.Unmarshal([]byte(out), &r))
	assert.Positive(t, r.Roof.Copy)
	assert.Positive(t, r.Roof.MultiplyAdd)
	dispatches, ms, share := 0, 0.0, 0.0
	for i, k := range r.Kernels {
		dispatches, ms, share = dispatches+k.Dispatches, ms+k.Time, share+k.Share
		assert.Positive(t, k.Bytes, k.Kernel)
		assert.True(t, i == 0 || k.Time <= r.Kernels[i-1].Time, "the slowest first")
	}
	assert.Equal(t, r.Total.Dispatches, dispatches)
	assert.Equal(t, r.Dispatches, dispatches, "of the step that was measured")
	_, err := optest.Compare([]float32{float32(ms), float32(share)}, []float64{r.Total.Time, 1}, []float64{ms, 1}, optest.Tolerance{})
	assert.NoError(t, err)
	assert.Positive(t, r.Total.MACs)
	assert.Len(t, r.Phases, 4)
	require.NotEmpty(t, r.Stages)
	assert.Equal(t, "stage0", r.Stages[0].Stage)
}

func TestBenchCompile(t *testing.T) {
	if info := needDevice(t); info.Limits.TimestampBits == 0 {
		t.Skip("the device has no timestamps")
	}
	const tiny = "bench --depth 7 --growth 2 --batch 2 --class plain --compile"
	var r compileReport
	decode(t, tiny+" --json", &r)
	assert.Greater(t, len(r.Pipelines), 10)
	sum, dispatches := 0.0, 0
	for i, p := range r.Pipelines {
		sum += p.Total()
		dispatches += p.Dispatches
		assert.True(t, i == 0 || p.Total() <= r.Pipelines[i-1].Total(), "the dearest first")
		assert.Positive(t, p.Build, p.Kernel)
	}
	assert.Greater(t, dispatches, len(r.Pipelines), "layers share pipelines")
	_, err := optest.Compare([]float32{float32(r.TotalMS)}, []float64{sum}, []float64{sum}, optest.Tolerance{})
	assert.NoError(t, err)
	out, errOut, code := execute(t, tiny)
	require.Equal(t, exitSuccess, code, errOut)
	assert.Contains(t, out, "pipelines")
	assert.Contains(t, out, "batch")
}

// The programs of tools/peers talk like this.
func TestBenchPaced(t *testing.T) {
	needDevice(t)
	const tiny = "bench --depth 7 --growth 2 --batch 2 --class plain --paced --warmup 1"
	talk := func(in string) (string, string, int) {
		var out, errOut bytes.Buffer
		root := newRoot(func() {})
		root.SetArgs(strings.Fields(tiny))
		root.SetIn(strings.NewReader(in))
		root.SetOut(&out)
		code := report(&errOut, root.ExecuteContext(t.Context()))
		return out.String(), errOut.String(), code
	}
	out, errOut, code := talk("1\n3\n")
	require.Equal(t, exitSuccess, code, errOut)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	require.Len(t, lines, 4)
	var hello pacedHello
	require.NoError(t, json.Unmarshal([]byte(lines[0]), &hello))
	assert.Equal(t, []any{"arena", 2}, []any{hello.Mode, hello.Batch})
	assert.Positive(t, hello.FirstStepMS)
	for i, n := range []int{1, 3} {
		var times pacedTimes
		require.NoError(t, json.Unmarshal([]byte(lines[1+i]), &times))
		require.Len(t, times.MS, n)
		assert.Positive(t, times.MS[0])
	}
	var memory pacedMemory
	require.NoError(t, json.Unmarshal([]byte(lines[3]), &memory))
	assert.Positive(t, memory.PlannedBytes)
	assert.Equal(t, memory.PlannedBytes, memory.AllocatedBytes)

	_, errOut, code = talk("0\n")
	assert.Equal(t, exitUsage, code)
	assert.Contains(t, errOut, `line "0" of standard input: want a number of steps`)
}
