package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// A progress is one line on a terminal's standard error that the next replaces.
// Elsewhere, in a pipe or beside --json, it shows nothing.
type progress struct {
	w     io.Writer // nil: nothing
	shown time.Time
}

// Terminals are redrawn at most this often, and are at least so wide.
const (
	progressEvery = 100 * time.Millisecond
	progressWidth = 78
)

func newProgress(cmd *cobra.Command) *progress {
	f, ok := cmd.ErrOrStderr().(*os.File)
	if !ok || wantsJSON(cmd) {
		return &progress{}
	}
	if !term.IsTerminal(int(f.Fd())) {
		return &progress{}
	}
	return &progress{w: f}
}

// show replaces the line.
func (p *progress) show(format string, args ...any) {
	if p.w == nil || time.Since(p.shown) < progressEvery {
		return
	}
	p.shown = time.Now()
	fmt.Fprintf(p.w, "\r\x1b[K%.*s", progressWidth, fmt.Sprintf(format, args...))
}

// clear removes the line, before other output and at the end.
func (p *progress) clear() {
	if p.w != nil && !p.shown.IsZero() {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.shown = time.Time{}
	}
}
