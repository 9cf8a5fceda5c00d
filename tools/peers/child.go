package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// hello is the first line of a contender.
type hello struct {
	Network     string            `json:"network"`
	Batch       int               `json:"batch"`
	Mode        string            `json:"mode"`
	About       string            `json:"about"`
	Parameters  int               `json:"parameters"`
	Device      string            `json:"device"`
	Threads     int               `json:"threads,omitempty"`
	FirstStepMS float64           `json:"first_step_ms"`
	Versions    map[string]string `json:"versions"`
}

// memory is its last: each counts what it can.
type memory struct {
	Planned   uint64 `json:"planned_bytes,omitempty"`   // ours: what the plan says
	Allocated uint64 `json:"allocated_bytes,omitempty"` // ours: what the device gave
	Peak      uint64 `json:"peak_bytes,omitempty"`      // growth of the process, or of the GPU's memory
	Saved     uint64 `json:"saved_bytes,omitempty"`     // PyTorch: kept for the backward pass
	Backend   uint64 `json:"backend_bytes,omitempty"`   // TensorFlow.js: between steps
}

// A child is a contender that runs.
type child struct {
	name  string
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Scanner
	pipe  io.Closer // of out: what the child started may hold its other end open
	err   *tail
	hello hello
}

// start runs a command and waits until it is warm, at most for limit.
func start(ctx context.Context, name string, cmd *exec.Cmd, limit time.Duration) (*child, error) {
	c := &child{name: name, cmd: cmd, err: &tail{}}
	cmd.Stderr, cmd.WaitDelay = c.err, time.Second
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.in, c.out, c.pipe = in, bufio.NewScanner(out), out
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	if err := c.read(ctx, &c.hello, limit); err != nil {
		c.kill()
		return nil, err
	}
	return c, nil
}

// read decodes the next line of a child. A child that is late or interrupted is
// killed.
func (c *child) read(ctx context.Context, to any, limit time.Duration) error {
	done := make(chan struct{})
	stop := func() {
		_ = c.cmd.Process.Kill()
		_ = c.pipe.Close()
	}
	late := time.AfterFunc(limit, stop)
	go func() {
		select {
		case <-ctx.Done():
			stop()
		case <-done:
		}
	}()
	ok := c.out.Scan()
	close(done)
	inTime := late.Stop()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case !inTime:
		return fmt.Errorf("took longer than %v", limit)
	case !ok:
		_ = c.cmd.Wait()
		return fmt.Errorf("ended: %v%s: %s", c.cmd.ProcessState, whyKilled(c.cmd.ProcessState), c.err)
	}
	if err := json.Unmarshal(c.out.Bytes(), to); err != nil {
		return fmt.Errorf("answered %q: %w", c.said(), err)
	}
	return nil
}

// said returns the line at hand and what follows within a second, for a child that
// answers something else than it should: Dawn says in several lines what is wrong.
func (c *child) said() string {
	said := c.out.Text()
	defer time.AfterFunc(time.Second, func() { _ = c.pipe.Close() }).Stop()
	for len(said) < tailBytes/4 && c.out.Scan() {
		said += " " + strings.TrimSpace(c.out.Text())
	}
	return said
}

// whyKilled guesses who kills a child that nobody here has killed.
func whyKilled(s *os.ProcessState) string {
	if strings.Contains(s.String(), "killed") {
		return ", as Linux does where memory ends"
	}
	return ""
}

// stepLimit is how long a child may take over one step.
const stepLimit = 5 * time.Minute

// steps lets the child train n steps and returns their times in ms.
func (c *child) steps(ctx context.Context, n int) ([]float64, error) {
	if _, err := fmt.Fprintln(c.in, n); err != nil {
		return nil, err
	}
	var answer struct {
		MS []float64 `json:"ms"`
	}
	if err := c.read(ctx, &answer, time.Duration(n)*stepLimit); err != nil {
		return nil, err
	}
	if len(answer.MS) != n {
		return nil, fmt.Errorf("answered %d times for %d steps", len(answer.MS), n)
	}
	for _, ms := range answer.MS {
		if !(ms > 0) {
			return nil, fmt.Errorf("a step of %v ms", ms)
		}
	}
	return answer.MS, nil
}

// end asks for the memory and lets the child end.
func (c *child) end(ctx context.Context) (m memory, rss uint64, err error) {
	rss = peakRSS(c.cmd.Process.Pid)
	if err = c.in.Close(); err != nil {
		return m, rss, err
	}
	if err = c.read(ctx, &m, stepLimit); err == nil {
		err = c.cmd.Wait()
	}
	return m, rss, err
}

// kill ends a child that is of no more use.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	_ = c.pipe.Close()
	_ = c.cmd.Wait()
}

// peakRSS reads what Linux knows of a process; elsewhere it is 0.
func peakRSS(pid int) uint64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		var kib uint64
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kib); n == 1 {
			return kib << 10
		}
	}
	return 0
}

// A tail keeps the last of what is written to it.
type tail struct{ b []byte }

const tailBytes = 2000

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	t.b = t.b[max(0, len(t.b)-tailBytes):]
	return len(p), nil
}

// String returns the last line that says something.
func (t *tail) String() string {
	lines := strings.Split(strings.TrimSpace(string(t.b)), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
