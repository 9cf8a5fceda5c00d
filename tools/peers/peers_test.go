package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The page and its plots are what the generator makes of the results.
func TestPageIsGenerated(t *testing.T) {
	const dir = "../../docs/benchmarks"
	all, err := loadAll(dir)
	require.NoError(t, err)
	require.NotEmpty(t, all)
	have, err := os.ReadFile("../../docs/BENCHMARKS.md")
	require.NoError(t, err)
	text, plots, err := page(all, string(have))
	require.NoError(t, err)
	assert.Equal(t, text, string(have), "run go run ./tools/peers page")
	for name, data := range plots {
		kept, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		assert.Equal(t, string(data), string(kept), name)
	}
	all[0].Jobs[0].Contenders[0].Rounds[0][0] *= 2
	all[0].Jobs[0].Contenders[0].Rounds = all[0].Jobs[0].Contenders[0].Rounds[:1]
	text, _, err = page(all, string(have))
	require.NoError(t, err)
	assert.NotEqual(t, text, string(have), "another figure, another page")
}

// made are results whose page is easily told.
func made() *Results {
	contender := func(name string, rounds ...[]float64) Contender {
		return Contender{Name: name, Rounds: rounds, Hello: hello{Versions: map[string]string{"torch": "2"}}}
	}
	return &Results{
		Machine: Machine{CPU: "Abacus 3", Cores: 2, OS: "linux/amd64", Device: "beads (wood)", Driver: "hand 1", Type: "cpu"},
		Missing: []Missing{{"webgpu", "no node"}},
		Jobs: []Result{{setup: setup{"sparse-40-12", 64, 2}, Contenders: []Contender{
			contender("arena", []float64{400, 500, 600}, []float64{640}),
			contender("layered", []float64{900}, []float64{1000}),
			contender("eager", []float64{1000}, []float64{960}),
			contender("channels_last", []float64{800}, []float64{750}),
		}}},
	}
}

func TestPage(t *testing.T) {
	text, plots, err := page([]*Results{made()}, "stale\n"+handBegin+"\nkept\n"+handEnd+"\nstale")
	require.NoError(t, err)
	assert.Empty(t, plots)
	for _, want := range []string{
		handBegin + "\nkept\n" + handEnd,
		"## Abacus 3, 2 cores: beads (wood)",
		"**Missing here: TensorFlow.js, WebGPU** (no node).",
		"### sparse-40-12, batch 64, 2 threads",
		"| **sparsenet, arena** | 500 | 128 | 570 (500 to 640) | 2 |",
		// best 500 against 750; rounds 800/500 and 750/640
		"the best peer, PyTorch, channels-last: **1.50**; round by round the median is 1.39. Against each: 1.92 of PyTorch, eager, 1.50 of PyTorch, channels-last.",
	} {
		assert.Contains(t, text, want)
	}
	assert.NotContains(t, text, "stale")
	_, _, err = page([]*Results{made()}, handBegin+"\nlost")
	assert.ErrorContains(t, err, handEnd)
}

// Figures of another machine are refused; those of the same setup are replaced.
func TestMachinesDoNotMix(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x", "a.json")
	r := made()
	require.NoError(t, r.save(path))
	again, err := open(path, r.Machine)
	require.NoError(t, err)
	assert.Equal(t, r, again)
	other := r.Machine
	other.Driver = "hand 2"
	_, err = open(path, other)
	assert.ErrorContains(t, err, "another machine")
	fresh, err := open(path+"x", other)
	require.NoError(t, err)
	assert.Equal(t, &Results{Machine: other}, fresh)

	one := Result{setup: r.Jobs[0].setup, Commit: "new"}
	r.put(one)
	require.Len(t, r.Jobs, 1)
	assert.Equal(t, "new", r.Jobs[0].Commit)
	one.Threads = 3
	r.put(one)
	require.Len(t, r.Jobs, 2)
	assert.Equal(t, 3, r.Jobs[0].Threads, "the page has most threads first")
	assert.Equal(t, "abacus-3-beads", r.Machine.slug())
}

func TestChoose(t *testing.T) {
	all, err := jobs("full", 4, false)
	require.NoError(t, err)
	kept, err := options{nets: "dense-40-12", threads: "4", skip: "webgpu,compiled"}.choose(all)
	require.NoError(t, err)
	require.Len(t, kept, 2)
	for i, batch := range []int{64, 256} {
		assert.Equal(t, setup{"dense-40-12", batch, 4}, kept[i].setup)
		assert.Equal(t, []string{"arena", "layered", "eager", "channels_last"}, kept[i].contenders)
	}
	for _, o := range []options{{nets: "nosuch"}, {skip: "nosuch"}} {
		_, err = o.choose(all)
		assert.ErrorContains(t, err, "nosuch")
	}
	_, err = jobs("half", 4, false)
	assert.ErrorContains(t, err, `set "half"`)
	gpu, err := jobs("quick", 4, true)
	require.NoError(t, err)
	assert.Contains(t, gpu[0].contenders, "graph")
}

func shell(script string) *exec.Cmd { return exec.Command("sh", "-c", script) }

// A contender that speaks is heard; one that dies, is late, or answers nonsense
// is an error that says so.
func TestChild(t *testing.T) {
	ctx := t.Context()
	const greet = `echo '{"parameters": 7}'; `
	c, err := start(ctx, "x", shell(greet+`read n; echo '{"ms": [1, 2]}'; read n; echo '{"planned_bytes": 9}'`), time.Minute)
	require.NoError(t, err)
	assert.Equal(t, 7, c.hello.Parameters)
	ms, err := c.steps(ctx, 2)
	require.NoError(t, err)
	assert.Equal(t, []float64{1, 2}, ms)
	m, _, err := c.end(ctx)
	require.NoError(t, err)
	assert.Equal(t, memory{Planned: 9}, m)

	for script, want := range map[string]string{
		"echo oh dear >&2; exit 3":                 "exit status 3: oh dear",
		"kill -9 $$":                               "ended: signal: killed, as Linux does where memory ends",
		"echo hello; echo you; sleep 20 & wait":    `answered "hello you"`,
		"sleep 20 & wait":                          "took longer than",
		greet + `read n; echo '{"ms": [1]}'`:       "answered 1 times for 2 steps",
		greet + `read n; echo '{"ms": [1, 0]}'`:    "a step of 0 ms",
		greet + `read n; echo '{"ms": [1, null]}'`: "a step of 0 ms",
	} {
		patience := time.Minute // on a busy machine even a shell takes its time
		if strings.HasPrefix(script, "sleep") {
			patience = 300 * time.Millisecond
		}
		c, err := start(ctx, "x", shell(script), patience)
		if err == nil {
			_, err = c.steps(ctx, 2)
			c.kill()
		}
		assert.ErrorContains(t, err, want, script)
	}
	_, err = start(ctx, "x", exec.Command("/nosuch/python3"), time.Minute)
	assert.ErrorContains(t, err, "/nosuch/python3")
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	_, err = start(stopped, "x", shell("sleep 20 & wait"), time.Minute)
	assert.ErrorIs(t, err, context.Canceled)
}

func TestUsage(t *testing.T) {
	for args, want := range map[string]string{
		"": "no command", "ride": "unknown command", "measure --rounds 0": "at least one round", "page x": `"x"`, "page --nosuch": "nosuch",
		"page --results nosuch": "no results in nosuch",
	} {
		assert.ErrorContains(t, run(t.Context(), strings.Fields(args)), want, args)
	}
}

// The plot names every depth, and nothing but the figures makes it.
func TestPlot(t *testing.T) {
	d := &Depths{Batch: 2, Points: []DepthPoint{{Depth: 40, MACs: 1e9, StepMS: 100}, {Depth: 400, MACs: 18e9, StepMS: 1900}}}
	first, err := d.plot()
	require.NoError(t, err)
	second, err := d.plot()
	require.NoError(t, err)
	assert.Equal(t, first, second)
	assert.Contains(t, string(first), "depth 400")
	d.Points[1].StepMS = 1000
	other, err := d.plot()
	require.NoError(t, err)
	assert.NotEqual(t, first, other)
	_, err = (&Depths{}).plot()
	assert.Error(t, err)
}
