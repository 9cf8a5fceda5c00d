package train

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// logName is the file of a run directory that says what happened in it.
const logName = "log.txt"

// A Log appends lines to log.txt in a run directory: the time, then the text. A
// nil Log takes lines and keeps none. It may be used from several goroutines.
type Log struct {
	mu  sync.Mutex
	f   *os.File
	err error // the first
}

// OpenLog opens the log of the run, to go on after its last line.
func (r *Run) OpenLog() (*Log, error) {
	f, err := os.OpenFile(filepath.Join(r.Dir, logName), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o666)
	if err != nil {
		return nil, fmt.Errorf("train: log: %w", err)
	}
	return &Log{f: f}, nil
}

// Printf appends a line. A log that cannot be written must not stop a run: its
// error is kept for Close.
func (l *Log) Printf(format string, args ...any) {
	if l == nil {
		return
	}
	text := strings.ReplaceAll(strings.TrimSpace(fmt.Sprintf(format, args...)), "\n", "\n    ")
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f == nil {
		return
	}
	if _, err := fmt.Fprintf(l.f, "%s  %s\n", time.Now().Format(time.RFC3339), text); err != nil && l.err == nil {
		l.err = err
	}
}

// Close closes the file, and returns the first error of writing it; it is safe
// to call twice.
func (l *Log) Close() error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f == nil {
		return nil
	}
	err := l.f.Close()
	if l.err != nil {
		err = l.err
	}
	l.f = nil
	if err != nil {
		return fmt.Errorf("train: log: %w", err)
	}
	return nil
}
