package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A tally counts kills by what they left. A kill came during the writing of a
// checkpoint if and only if the temporary file is there after it: an unkilled
// writing ends by renaming or removing it.
type tally struct {
	kills              int // after the first checkpoint
	first              int // before it
	empty, part, whole int // bytes in the temporary file
	runs               int
}

func (c *tally) writing() int { return c.empty + c.part + c.whole }

func (c *tally) String() string {
	return fmt.Sprintf("%d kills in %d runs, and %d before the first checkpoint; %d while a checkpoint was written: temporary file empty %d, in part %d, whole %d",
		c.kills, c.runs, c.first, c.writing(), c.empty, c.part, c.whole)
}

// count looks at what a kill left in dir.
func (c *tally) count(t *testing.T, dir string, size int64) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(dir, ".*"))
	require.NoError(t, err)
	for _, path := range left {
		f, err := os.Stat(path)
		require.NoError(t, err)
		switch f.Size() {
		case 0:
			c.empty++
		case size:
			c.whole++
		default:
			c.part++
		}
	}
}

// strike sends s to p, a random time of at most within after p began to write its
// n-th checkpoint; after its start, if n is 0. It returns false if p ended first.
func (p *process) strike(n int, within time.Duration, s syscall.Signal) bool {
	for n > 0 {
		name, running := <-p.names
		if !running {
			return false
		}
		if isTemporary(name) {
			n--
		}
	}
	select {
	case <-time.After(rand.N(within)):
	case <-p.done:
		return false
	}
	if p.cmd.Process.Signal(s) != nil {
		return false
	}
	<-p.done
	return true
}

// However often and whenever a run is killed, it goes on from a whole checkpoint
// and ends with the bits of a run that was not: 200 kills with SPARSEVK_KILLS=200
// (make crash), at least a fifth of them in the writing of a checkpoint.
func TestKills(t *testing.T) {
	needProgram(t)
	kills := 12
	if text := os.Getenv("SPARSEVK_KILLS"); text != "" {
		var err error
		kills, err = strconv.Atoi(text)
		require.NoError(t, err, "SPARSEVK_KILLS")
	}
	writing := kills / 5
	run := newTinyRun(t, t.TempDir())
	want, q := run.measure(t)
	var c tally
	for c.kills < kills || c.writing() < writing {
		c.runs++
		dir := t.TempDir()
		killed(t, run.in(dir), &c, q, kills, int64(len(want.final)))
		run.in(dir).requireSame(t, want)
		require.NoError(t, os.RemoveAll(dir))
	}
	t.Logf("%v; undisturbed %v, a checkpoint of %d bytes %v", &c, q.run, len(want.final), q.write)
}

// killed trains r to its end, through kills until there are enough.
func killed(t *testing.T, r tinyRun, c *tally, q pace, enough int, size int64) {
	t.Helper()
	last := uint64(0)
	for resume := false; ; {
		n, within := 0, q.run
		if c.writing()*2 <= c.kills {
			n, within = 1+rand.IntN(3), q.write
		}
		p := r.start(t, resume)
		hit := p.strike(n, within, syscall.SIGKILL)
		code, out := p.end()
		require.NotContains(t, out, "passed over")
		if !hit || code == exitSuccess {
			require.Zero(t, code, out)
			return
		}
		require.Equal(t, -1, code, out)
		step, found := r.step(t)
		require.GreaterOrEqual(t, step, last, "a kill loses no checkpoint")
		last = step
		if !found { // so --resume has nothing to go on from, and says so
			c.first++
			continue
		}
		c.kills++
		c.count(t, r.files(t), size)
		if resume = true; c.kills >= enough {
			r.finish(t, true)
			return
		}
	}
}
