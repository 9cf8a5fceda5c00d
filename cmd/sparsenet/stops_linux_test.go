package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// SIGTERM, SIGINT or SIGHUP at random moments, in validation too: the run saves, exits with 0, and
// goes on to the same bits. The moments count from the first checkpoint on: before
// it there is nothing to save.
func TestTerminated(t *testing.T) {
	needProgram(t)
	run := newTinyRun(t, t.TempDir())
	want, q := run.measure(t)
	ends := []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP}
	signals := 4
	if os.Getenv("SPARSEVK_SLOW") == "1" {
		signals = 40
	}
	for stopped := 0; stopped < signals; {
		r := run.in(t.TempDir())
		for resume := false; stopped < signals; resume = true {
			p := r.start(t, resume)
			hit := p.strike(1, q.run/2, ends[stopped%len(ends)])
			code, out := p.end()
			require.Zero(t, code, out)
			if !hit {
				break
			}
			step, _ := r.step(t)
			require.Contains(t, out, fmt.Sprintf("  step %d  ", step), "the last line says what was saved")
			stopped++
		}
		r.finish(t, true)
		r.requireSame(t, want)
	}
}

// The second signal ends the program at once, here while the first one cannot:
// nobody reads its output.
func TestSecondSignal(t *testing.T) {
	needProgram(t)
	r := newTinyRun(t, t.TempDir())
	unread, full, err := os.Pipe()
	require.NoError(t, err)
	// Without this the collector may close the end that nobody reads, and the program
	// ends of a broken pipe.
	defer unread.Close()
	defer full.Close()
	require.NoError(t, full.SetWriteDeadline(time.Now().Add(100*time.Millisecond)))
	for err == nil {
		_, err = full.Write(make([]byte, 4096))
	}
	p := r.process(t, false)
	p.cmd.Stdout, p.watch = full, r.dir
	p.begin(t)
	require.True(t, p.await("lock"), "it ended before it had begun: %v", &p.out)
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-p.done:
		require.Fail(t, "one signal ended it", p.out.String())
	case <-time.After(300 * time.Millisecond):
	}
	// On a machine that is busy enough the program has not come to the first signal by
	// then, and takes two for one.
	for ended := false; !ended; {
		_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by now
		select {
		case <-p.done:
			ended = true
		case <-time.After(time.Second):
		}
	}
	code, _ := p.end()
	require.Equal(t, -1, code)
}

// A reader that goes away, as head does, ends no run that has a directory; without one
// there is nothing to go on for.
func TestNobodyReads(t *testing.T) {
	needProgram(t)
	run := newTinyRun(t, t.TempDir())
	want, _ := run.measure(t)
	unread := func(r tinyRun, flags ...string) (int, string) {
		reader, writer, err := os.Pipe()
		require.NoError(t, err)
		require.NoError(t, reader.Close())
		defer writer.Close()
		r.args = append(r.args[:len(r.args):len(r.args)], flags...)
		p := r.process(t, false)
		p.cmd.Stdout = writer
		if flags == nil {
			p.cmd.Args = p.cmd.Args[:len(p.cmd.Args)-2] // --out DIR
		}
		p.begin(t)
		return p.end()
	}
	r := run.in(t.TempDir())
	code, out := unread(r, "--json")
	require.Zero(t, code, out)
	r.requireSame(t, want)
	code, out = unread(run.in(t.TempDir()))
	assert.Equal(t, -1, code, out)
}

// stoppedAt makes a run that is as if it had been killed when it had a checkpoint of
// a step, and so the one five steps before it too. How far it came until the kill
// does not matter: it keeps all checkpoints, and those behind the step are removed.
func stoppedAt(t *testing.T, r tinyRun, step int) {
	t.Helper()
	r.args = append(r.args[:len(r.args):len(r.args)], "--keep", "1000")
	p := r.start(t, false)
	require.True(t, p.await(filepath.Base(r.checkpoint(step))), "it ended before: %v", &p.out)
	_ = p.cmd.Process.Kill() // it may have ended by now
	p.end()
	for s := step + 5; s <= tinySteps; s += 5 {
		if err := os.Remove(r.checkpoint(s)); err != nil {
			require.ErrorIs(t, err, os.ErrNotExist)
		}
	}
	require.FileExists(t, r.checkpoint(step-5))
	require.FileExists(t, r.checkpoint(step))
}

// One flipped bit, wherever it is in the newest checkpoint: it is named, the one
// before it is used, and the bits at the end are the same.
func TestFlippedBits(t *testing.T) {
	needProgram(t)
	run := newTinyRun(t, t.TempDir())
	want, _ := run.measure(t)
	from := run.in(t.TempDir())
	stoppedAt(t, from, 50)
	whole, err := os.ReadFile(from.checkpoint(50))
	require.NoError(t, err)
	header := 8 + int(whole[0]) + int(whole[1])<<8 + int(whole[2])<<16
	after := func(key string) int {
		at := bytes.Index(whole[:header], []byte(key))
		require.Positive(t, at, key)
		return at + len(key)
	}
	within := func(lo, hi int) int { return lo + rand.IntN(hi-lo) }
	for region, at := range map[string]int{
		"length of the header": within(0, 8),
		"hash":                 after(`"sha256":"`) + rand.IntN(64),
		"state":                after(`\"step\":`),
		"tensors' table":       after(`"data_offsets":[`),
		"data":                 within(header, len(whole)),
		"last byte":            len(whole) - 1,
	} {
		r := run.in(t.TempDir())
		require.NoError(t, os.CopyFS(r.dir, os.DirFS(from.dir)))
		bit := rand.IntN(8)
		t.Logf("%s: bit %d of byte %d", region, bit, at)
		damaged := bytes.Clone(whole)
		damaged[at] ^= 1 << bit
		require.NoError(t, os.WriteFile(r.checkpoint(50), damaged, 0o644))
		out := r.finish(t, true)
		assert.Regexp(t, `(?m)^sparsenet: passed over: .*damaged checkpoint`, out, region)
		assert.Regexp(t, `(?m)^sparsenet: passed over: .*`+filepath.Base(r.checkpoint(50)), out, region)
		assert.Contains(t, out, "resumed after step 45:", region)
		r.requireSame(t, want)
	}
}

// The disk fills up in the middle of a run. The run ends with an error that names
// the checkpoint that stays, and goes on from that one when there is room again.
// Packages durable and train have injected faults for every operation; a limit on
// the size of files is of no use here, as it also ends software devices, whose
// memory is a file.
func TestDiskFillsUp(t *testing.T) {
	needProgram(t)
	run := newTinyRun(t, t.TempDir())
	want, _ := run.measure(t)

	disk := t.TempDir()
	mount := func(flags uintptr, halves int) error {
		return syscall.Mount("tmpfs", disk, "tmpfs", flags, "size="+strconv.Itoa(len(want.final)*halves/2))
	}
	if err := mount(0, 5); err != nil {
		t.Skip("mounting a small tmpfs needs root: ", err)
	}
	defer func() { assert.NoError(t, syscall.Unmount(disk, syscall.MNT_DETACH)) }()
	r := run.in(filepath.Join(disk, "run"))
	for _, halves := range []int{7, 12} { // as there is more room, it fails at another file
		code, out := r.start(t, halves > 7).end()
		assert.Equal(t, exitFailure, code)
		assert.Regexp(t, `(?m)^sparsenet: .*no space left on device; kept is .*step-0000000000\d\d.safetensors, from which --resume goes on$`, out)
		_, found := r.step(t)
		require.True(t, found)
		require.NoError(t, mount(syscall.MS_REMOUNT, halves))
	}
	r.finish(t, true)
	r.requireSame(t, want)
}
