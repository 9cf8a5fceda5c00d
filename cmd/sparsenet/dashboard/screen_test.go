package dashboard

import (
	"os"
	"os/exec"
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
	time.Sleep(300 * time.Millisecond) // so that it is drawn
	switch how {
	case "panic":
		panic("planted")
	case "once", "twice":
		_ = syscall.Kill(os.Getpid(), syscall.SIGTERM)
		<-stopped
		if how == "twice" {
			_ = syscall.Kill(os.Getpid(), syscall.SIGTERM)
			time.Sleep(5 * time.Second)
			os.Exit(8) // the second signal did not end it
		}
	}
	s.Close()
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
			c.Env = append(os.Environ(), "DASHBOARD_TEST_END="+how, "TERM=xterm-256color")
			in, err := c.StdinPipe() // script ends when its input does
			require.NoError(t, err)
			defer in.Close()
			b, err := c.Output()
			require.NoError(t, err)
			lines := strings.Split(strings.TrimSpace(strings.ReplaceAll(string(b), "\r", "")), "\n")
			assert.Contains(t, string(b), "sparse-40-12", "it was drawn")
			assert.Contains(t, string(b), "status "+status)
			assert.Equal(t, lines[0], lines[len(lines)-1], "the modes of the terminal")
			for on, off := range map[string]string{"\x1b[?1049h": "\x1b[?1049l", "\x1b[?25l": "\x1b[?25h"} {
				assert.Contains(t, string(b), on)
				assert.Greater(t, strings.LastIndex(string(b), off), strings.LastIndex(string(b), on), "%q after %q", off, on)
			}
		})
	}
}
