package train

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func metric(step uint64) Metric {
	return Metric{Time: noon, Kind: KindStep, Step: step, LR: 0.1, Loss: 2.5, Accuracy: 0.25, ImagesPerSecond: 91.5}
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	require.NoError(t, err)
	return string(b)
}

func TestMetricsLines(t *testing.T) {
	dir := t.TempDir()
	m, err := OpenMetrics(dir, State{})
	require.NoError(t, err)
	require.NoError(t, m.Write(metric(1)))
	want := `{"time":"2026-11-22T12:00:00Z","kind":"step","epoch":0,"step":1,"lr":0.1,"loss":2.5,"accuracy":0.25,"images_per_second":91.5}` + "\n"
	assert.Equal(t, want, read(t, dir, metricsJSON), "the line is there before the file is closed")
	bad := Metric{Time: noon, Kind: KindEpoch, Epoch: 1, Step: 2, Loss: Number(math.NaN()),
		GradNorm: Number(math.Inf(1)), DeviceBytes: 7}
	require.NoError(t, m.Write(bad))
	require.NoError(t, m.Close())
	require.NoError(t, m.Close(), "twice")

	lines := strings.Split(read(t, dir, metricsJSON), "\n")
	assert.Contains(t, lines[1], `"loss":"NaN"`)
	assert.Contains(t, lines[1], `"grad_norm":"+Inf","device_bytes":7}`)
	var back Metric
	require.NoError(t, json.Unmarshal([]byte(lines[1]), &back))
	assert.True(t, math.IsNaN(float64(back.Loss)) && math.IsInf(float64(back.GradNorm), 1))

	table, err := csv.NewReader(strings.NewReader(read(t, dir, metricsCSV))).ReadAll()
	require.NoError(t, err)
	require.Len(t, table, 3)
	assert.Equal(t, []string{"2026-11-22T12:00:00Z", "epoch", "1", "2", "0", "NaN", "0", "0", "+Inf", "7", "0", "0"}, table[2])
}

// A run that was killed after step 7 and goes on from a checkpoint of step 5
// leaves the same lines as one that was never killed.
func TestMetricsAfterResume(t *testing.T) {
	write := func(dir string, from, to uint64) *Metrics {
		m, err := OpenMetrics(dir, State{Step: from})
		require.NoError(t, err)
		for s := from + 1; s <= to; s++ {
			require.NoError(t, m.Write(metric(s)))
		}
		return m
	}
	whole, cut := t.TempDir(), t.TempDir()
	require.NoError(t, write(whole, 0, 9).Close())
	require.NoError(t, write(cut, 0, 7).Close())
	for _, name := range []string{metricsJSON, metricsCSV} { // torn by the kill
		path := filepath.Join(cut, name)
		stat, err := os.Stat(path)
		require.NoError(t, err)
		require.NoError(t, os.Truncate(path, stat.Size()-9))
	}
	require.NoError(t, write(cut, 5, 9).Close())
	for _, name := range []string{metricsJSON, metricsCSV} {
		assert.Equal(t, read(t, whole, name), read(t, cut, name))
	}
	require.NoError(t, write(cut, 0, 0).Close())
	assert.Empty(t, read(t, cut, metricsJSON), "a new run starts with none")
}

// The lines are what package encoding/json would write, whatever the numbers, and
// cost no memory.
func TestMetricsAreJSON(t *testing.T) {
	type plain Metric // without methods of its own
	numbers := []float64{0, math.Copysign(0, -1), 1, 0.1, 1e-6, 9.99e-7, -3.5e-12, 1e-300, 1e20, 1e21, -2.5e37, 5e-324, math.MaxFloat64}
	for i, x := range numbers {
		m := metric(uint64(i))
		m.Epoch, m.Loss, m.GradNorm, m.LR, m.DeviceBytes = 3, Number(x), Number(-x), Number(numbers[len(numbers)-1-i]), uint64(i)
		m.Time = m.Time.Add(time.Duration(i) * 1001)
		want, err := json.Marshal(plain(m))
		require.NoError(t, err)
		assert.Equal(t, string(want)+"\n", string(m.appendJSON(nil)))
		loss, err := json.Marshal(x)
		require.NoError(t, err)
		assert.Contains(t, string(want), fmt.Sprintf(`"loss":%s,`, loss))
	}
	m, err := OpenMetrics(t.TempDir(), State{})
	require.NoError(t, err)
	assert.Zero(t, testing.AllocsPerRun(20, func() { assert.NoError(t, m.Write(metric(1))) }))
	require.NoError(t, m.Close())
}

func TestMetricsReportTheirFolder(t *testing.T) {
	_, err := OpenMetrics(filepath.Join(t.TempDir(), "none"), State{})
	assert.ErrorIs(t, err, os.ErrNotExist)
}

// Where the system cuts a line short, it is taken back: the files hold whole
// lines only.
func TestAFullDiskLeavesWholeLines(t *testing.T) {
	if dir := os.Getenv("TRAIN_TEST_METRICS"); dir != "" {
		m, err := OpenMetrics(dir, State{})
		for s := uint64(1); err == nil; s++ {
			err = m.Write(metric(s))
		}
		fmt.Println(err)
		os.Exit(3)
	}
	if runtime.GOOS == "windows" {
		t.Skip("no ulimit on Windows")
	}
	dir := t.TempDir()
	c := exec.Command("sh", "-c", `ulimit -f 8 && exec "$0" -test.run=TestAFullDiskLeavesWholeLines`, os.Args[0])
	c.Env = append(os.Environ(), "TRAIN_TEST_METRICS="+dir)
	out, err := c.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "file too large")
	for i, line := range strings.SplitAfter(strings.TrimSuffix(read(t, dir, metricsJSON), "\n"), "\n") {
		var m Metric
		require.NoError(t, json.Unmarshal([]byte(line), &m), line)
		require.Equal(t, uint64(i+1), m.Step)
	}
}

// FuzzMetrics: whatever is left of the metrics, a resumed run goes on from whole
// lines of its own past, of which the reader and the table say the same.
func FuzzMetrics(f *testing.F) {
	var lines []byte
	for i, kind := range []string{KindStep, KindStep, KindEpoch, KindValid, KindTest} {
		m := metric(uint64(i/2 + 1))
		m.Kind, m.Epoch, m.Loss = kind, uint64(i/2), Number(math.Inf(i%3-1))
		lines = m.appendJSON(lines)
	}
	f.Add(lines, uint64(2), uint64(1))
	f.Add(lines[:len(lines)-7], uint64(9), uint64(9))
	f.Add([]byte("null\n{}\n\n"), uint64(0), uint64(0))
	f.Add([]byte(`{"kind":"a,b\n\"c","time":"9999-12-31T23:59:59Z"}`+"\n"), uint64(0), uint64(0))
	f.Fuzz(func(t *testing.T, old []byte, step, epoch uint64) {
		from := State{Step: step, Epoch: epoch}
		kept, table := keepMetrics(old, from)
		if len(kept) > len(old) {
			t.Fatalf("%d bytes of %d", len(kept), len(old))
		}
		again, same := keepMetrics(kept, from)
		if !bytes.Equal(kept, again) || !bytes.Equal(table, same) {
			t.Fatalf("%q, and then %q", kept, again)
		}
		list, err := parseMetrics(kept)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(bytes.NewReader(table)).ReadAll()
		if err != nil || len(rows) != len(list)+1 {
			t.Fatalf("%d lines, %d rows: %v", len(list), len(rows), err)
		}
		for i, m := range list {
			if m.Step > step || m.Epoch > epoch || rows[i+1][1] != m.Kind || m.Kind == KindTest {
				t.Fatalf("%+v is %q, after step %d and epoch %d", m, rows[i+1], step, epoch)
			}
		}
	})
}
