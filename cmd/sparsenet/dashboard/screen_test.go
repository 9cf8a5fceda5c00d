package dashboard

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestOnATerminal is what TestTheTerminalIsGivenBack runs on a terminal.
func TestOnATerminal(t *testing.T) {
	how := os.Getenv("DASHBOARD_TEST_END")
	if how == "" {
		t.Skip("run by TestTheTerminalIsGivenBack")
	}
	b, _ := made()
	stopped := make(chan struct{})
	s, err := Open(b, os.Stdin, os.Stdout, func() { close(stopped) }, func() { os.Exit(130) })
	if err != nil {
		os.Exit(9)
	}
	defer s.Close()
	for i := 0; ; i++ { // until it was seen
		if _, err := os.Stat(os.Getenv("DASHBOARD_TEST_DRAWN")); err == nil {
			break
		}
		if i == 6000 {
			os.Exit(7)
		}
		time.Sleep(10 * time.Millisecond)
	}
	switch how {
	case "panic":
		panic("planted")
	case "once", "twice":
		_ = syscall.Kill(os.Getpid(), syscall.SIGTERM)
		<-stopped
		if how == "twice" {
			_ = syscall.Kill(os.Getpid(), syscall.SIGTERM)
			time.Sleep(time.Minute)
			os.Exit(8) // the second signal did not end it
		}
	}
	s.Close()
}

// An eye takes in what a terminal shows, and makes a file when it sees a text there.
type eye struct {
	seen       []byte
	text, file string
}

func (e *eye) Write(b []byte) (int, error) {
	e.seen = append(e.seen, b...)
	if !bytes.Contains(e.seen, []byte(e.text)) {
		return len(b), nil
	}
	return len(b), os.WriteFile(e.file, nil, 0o666)
}

// However a run ends, the terminal has its modes, its screen and its cursor.
func TestTheTerminalIsGivenBack(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the test needs script of util-linux")
	}
	for how, status := range map[string]string{"end": "0", "panic": "2", "once": "0", "twice": "130"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			inner := `stty cols 80 rows 24; stty -g; "` + os.Args[0] + `" -test.run '^TestOnATerminal$'; echo "status $?"; stty -g`
			c := exec.Command("script", "-qec", inner, os.DevNull)
			seen := &eye{text: "sparse-40-12", file: filepath.Join(t.TempDir(), "drawn")}
			c.Env = append(os.Environ(), "DASHBOARD_TEST_END="+how, "DASHBOARD_TEST_DRAWN="+seen.file, "TERM=xterm-256color")
			c.Stdout = seen
			in, err := c.StdinPipe() // script ends when its input does
			require.NoError(t, err)
			defer in.Close()
			require.NoError(t, c.Run())
			b := string(seen.seen)
			lines := strings.Split(strings.TrimSpace(strings.ReplaceAll(b, "\r", "")), "\n")
			assert.Contains(t, b, "status "+status)
			assert.Equal(t, lines[0], lines[len(lines)-1], "the modes of the terminal")
			for on, off := range map[string]string{"\x1b[?1049h": "\x1b[?1049l", "\x1b[?25l": "\x1b[?25h"} {
				assert.Contains(t, b, on)
				assert.Greater(t, strings.LastIndex(b, off), strings.LastIndex(b, on), "%q after %q", off, on)
			}
		})
	}
}
