package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sparsevk/ops/optest"
	"sparsevk/train"
)

// asProgram makes the test binary be the program: what these tests kill, signal
// and starve is a process of its own, seen from outside.
const asProgram = "SPARSENET_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) == "1" {
		main()
	}
	optest.Main(m)
}

// needProgram is needDevice for a device that only the program's processes open.
func needProgram(t *testing.T) {
	t.Helper()
	policy := os.Getenv("SPARSEVK_GPU")
	if policy == "off" {
		t.Skip("SPARSEVK_GPU=off")
	}
	c := exec.Command(os.Args[0], "devices")
	c.Env = append(os.Environ(), asProgram+"=1")
	if out, err := c.CombinedOutput(); err != nil {
		require.NotEqual(t, "require", policy, "%s", out)
		t.Skipf("no device: %s", out)
	}
}

// A tinyRun is a training run of 60 steps, with augmentation, dropout, warm-up
// and validation, a checkpoint before the first step and one every five.
type tinyRun struct {
	args []string
	dir  string // of the run
}

// The many classes make checkpoints of several writes, each of 1 MiB.
const tinyEpochs, tinySteps, tinyClasses = 6, 60, 8_000

// newTinyRun writes the data of a tiny run, for runs in dir.
func newTinyRun(t *testing.T, dir string) tinyRun {
	t.Helper()
	files := t.TempDir()
	r := rand.New(rand.NewPCG(5, 0))
	for i, split := range []string{"train", "t10k"} { // in order: the same data every time
		n := []int{44, 4}[i]
		images := binary.BigEndian.AppendUint64(nil, 0x803<<32|uint64(n))
		images = binary.BigEndian.AppendUint64(images, 8<<32|8)
		labels := binary.BigEndian.AppendUint64(nil, 0x801<<32|uint64(n))
		for i := range n {
			labels = append(labels, byte(i%10))
			for range 64 {
				images = append(images, byte(r.Uint32()))
			}
		}
		require.NoError(t, os.WriteFile(filepath.Join(files, split+"-images-idx3-ubyte"), images, 0o644))
		require.NoError(t, os.WriteFile(filepath.Join(files, split+"-labels-idx1-ubyte"), labels, 0o644))
	}
	line := fmt.Sprintf("train --dataset mnist --foreign --input 8x8x1 --depth 7 --growth 4 --classes %d --batch 4 --epochs %d --warmup 1.5 "+
		"--dropout 0.2 --pad 1 --valid 4 --lr 0.01 --checkpoint-every 5 --no-test", tinyClasses, tinyEpochs)
	return tinyRun{append(strings.Fields(line), "--data", files), dir}
}

// in is the same run in another directory.
func (r tinyRun) in(dir string) tinyRun { return tinyRun{r.args, dir} }

// A process is the program at work.
type process struct {
	cmd   *exec.Cmd
	watch string        // folder whose new names are told
	names <-chan string // of files that appear there; closed when the process has ended and all are told
	out   bytes.Buffer  // both streams; complete when done is closed
	done  chan struct{} // closed when the process has ended
}

// process is the program on r, not yet begun; wrap, if any, is a command that runs
// the command line behind it.
func (r tinyRun) process(t *testing.T, resume bool, wrap ...string) *process {
	t.Helper()
	line := slices.Concat(wrap, []string{os.Args[0]}, r.args, []string{"--out", r.dir})
	if resume {
		line = append(line, "--resume")
	}
	p := &process{cmd: exec.Command(line[0], line[1:]...), watch: r.files(t), done: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), asProgram+"=1")
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	return p
}

// begin starts the process. Whatever the test comes to, it does not outlive it.
func (p *process) begin(t *testing.T) {
	t.Helper()
	names, last := arrivals(t, p.watch)
	p.names = names
	if err := p.cmd.Start(); err != nil {
		last()
		require.NoError(t, err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill(); <-p.done }) // nearly always it has ended
	go func() {
		defer close(p.done)
		defer last()
		_ = p.cmd.Wait() // the exit status is read from ProcessState
	}()
}

// start begins a process.
func (r tinyRun) start(t *testing.T, resume bool, wrap ...string) *process {
	t.Helper()
	p := r.process(t, resume, wrap...)
	p.begin(t)
	return p
}

// await waits until a file of that name appears in the watched folder. It returns
// false if the process ended before.
func (p *process) await(name string) bool {
	for n := range p.names {
		if n == name {
			return true
		}
	}
	return false
}

// end waits for the process and returns its exit status, -1 if a signal ended it,
// and all it said.
func (p *process) end() (int, string) {
	<-p.done
	return p.cmd.ProcessState.ExitCode(), p.out.String()
}

// finish runs r to its end, undisturbed.
func (r tinyRun) finish(t *testing.T, resume bool) string {
	t.Helper()
	code, out := r.start(t, resume).end()
	require.Zero(t, code, out)
	return out
}

// files returns the checkpoints' directory, made if need be.
func (r tinyRun) files(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(r.dir, "checkpoints")
	require.NoError(t, os.MkdirAll(dir, 0o777))
	return dir
}

// checkpoint is the path of a step's checkpoint.
func (r tinyRun) checkpoint(step int) string {
	return filepath.Join(r.dir, "checkpoints", fmt.Sprintf("step-%012d.safetensors", step))
}

// step returns the step of the newest checkpoint, which must be whole, or false
// if there is none yet.
func (r tinyRun) step(t *testing.T) (uint64, bool) {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(r.dir, "checkpoints", "*.safetensors"))
	require.NoError(t, err)
	if len(list) == 0 {
		return 0, false
	}
	c, skipped, err := train.Newest(r.dir)
	require.NoError(t, err)
	defer c.Close()
	require.Empty(t, skipped, "a file under its final name is whole")
	return c.State.Step, true
}

// An outcome is what a run leaves that must not depend on what it went through.
type outcome struct {
	final, best []byte
	metrics     []string
}

// outcome reads what r left, and demands that it left nothing half written.
func (r tinyRun) outcome(t *testing.T) (o outcome) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(r.files(t), ".*"))
	require.NoError(t, err)
	require.Empty(t, left)
	o.final, err = os.ReadFile(r.checkpoint(tinySteps))
	require.NoError(t, err)
	o.best, err = os.ReadFile(filepath.Join(r.files(t), "best.safetensors"))
	require.NoError(t, err)
	lines, err := os.ReadFile(filepath.Join(r.dir, "metrics.jsonl"))
	require.NoError(t, err)
	for line := range bytes.Lines(lines) {
		var m train.Metric
		require.NoError(t, json.Unmarshal(line, &m))
		o.metrics = append(o.metrics, fmt.Sprint(m.Kind, m.Epoch, m.Step, m.LR, m.Loss, m.Accuracy, m.GradNorm))
	}
	return o
}

// requireSame holds the outcome of r against that of an undisturbed run.
func (r tinyRun) requireSame(t *testing.T, want outcome) {
	t.Helper()
	got := r.outcome(t)
	require.Equal(t, want.metrics, got.metrics)
	require.True(t, bytes.Equal(want.final, got.final), "the last checkpoint differs")
	require.True(t, bytes.Equal(want.best, got.best), "the best checkpoint differs")
}

// arrivals sends the names that appear in dir, also by renaming, and those alone
// that appear from now on. After a call of last it closes the channel, once all that
// had appeared until then are sent.
func arrivals(t *testing.T, dir string) (names <-chan string, last func()) {
	t.Helper()
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC | syscall.IN_NONBLOCK)
	require.NoError(t, err)
	f := os.NewFile(uintptr(fd), "inotify")
	watch, err := syscall.InotifyAddWatch(fd, dir, syscall.IN_CREATE|syscall.IN_MOVED_TO)
	if err != nil {
		f.Close()
		require.NoError(t, err)
	}
	all := make(chan string, 1<<12)
	go func() {
		defer close(all)
		defer f.Close()
		buf := make([]byte, 1<<16)
		for {
			n, err := f.Read(buf)
			if err != nil {
				return
			}
			for b := buf[:n]; len(b) >= syscall.SizeofInotifyEvent; {
				if mask := binary.NativeEndian.Uint32(b[4:]); mask&(syscall.IN_IGNORED|syscall.IN_Q_OVERFLOW) != 0 {
					return // the watch has ended: nothing comes behind this
				}
				end := syscall.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(b[12:]))
				all <- string(bytes.TrimRight(b[syscall.SizeofInotifyEvent:end], "\x00"))
				b = b[end:]
			}
		}
	}()
	return all, func() { _, _ = syscall.InotifyRmWatch(fd, uint32(watch)) } // fails if the folder is gone, and the watch with it
}

// isTemporary tells a checkpoint that is being written.
func isTemporary(name string) bool { return strings.HasPrefix(name, ".") }

// A pace is how long an undisturbed run takes, and one writing of a checkpoint.
type pace struct{ run, write time.Duration }

// undisturbed is what every test compares with; the first one that asks makes it.
var undisturbed struct {
	sync.Once
	outcome outcome
	pace    pace
}

// measure returns what an undisturbed run leaves, and its pace.
func (r tinyRun) measure(t *testing.T) (outcome, pace) {
	t.Helper()
	u := &undisturbed
	u.Do(func() { u.outcome, u.pace = r.undisturbed(t) })
	require.NotEmpty(t, u.outcome.final, "there is no undisturbed run")
	return u.outcome, u.pace
}

func (r tinyRun) undisturbed(t *testing.T) (outcome, pace) {
	t.Helper()
	start := time.Now()
	p := r.start(t, false)
	var began time.Time
	var writes []time.Duration
	for name := range p.names {
		if isTemporary(name) {
			began = time.Now()
		} else {
			writes = append(writes, time.Since(began))
		}
	}
	code, out := p.end()
	require.Zero(t, code, out)
	require.GreaterOrEqual(t, len(writes), tinySteps/5)
	slices.Sort(writes)
	return r.outcome(t), pace{time.Since(start), max(time.Microsecond, writes[len(writes)/2])}
}
