package dashboard

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	tea "charm.land/bubbletea/v2"
	"golang.org/x/term"
)

// ErrNoTerminal says that there is nothing to draw on.
var ErrNoTerminal = errors.New("no terminal")

// A Screen draws a board on a terminal until Close.
type Screen struct {
	program *tea.Program
	done    chan struct{}
	signals chan os.Signal
	fd      int
	before  *term.State
}

// How often the screen is drawn, and how long Close waits for the terminal.
const (
	drawEvery = 250 * time.Millisecond
	closeWait = 3 * time.Second
)

// Check reports why a screen cannot be shown on these files.
func Check(in, out *os.File) error {
	switch {
	case out == nil || !term.IsTerminal(int(out.Fd())):
		return fmt.Errorf("standard output is %w", ErrNoTerminal)
	case in == nil || !term.IsTerminal(int(in.Fd())):
		return fmt.Errorf("standard input is %w", ErrNoTerminal)
	case os.Getenv("TERM") == "dumb":
		return fmt.Errorf("a terminal with TERM=dumb is %w that can be drawn on", ErrNoTerminal)
	}
	return nil
}

// Open begins to draw. The first Ctrl-C, and the first SIGINT or SIGTERM, calls
// stop; the second gives the terminal back and calls exit.
func Open(b *Board, in, out *os.File, stop, exit func()) (*Screen, error) {
	if err := Check(in, out); err != nil {
		return nil, err
	}
	s := &Screen{done: make(chan struct{}), signals: make(chan os.Signal, 2), fd: int(in.Fd())}
	before, err := term.GetState(s.fd)
	if err != nil {
		return nil, fmt.Errorf("the terminal's state: %w", err)
	}
	s.before = before
	m := &model{board: b, stop: stop}
	s.program = tea.NewProgram(m, tea.WithInput(in), tea.WithOutput(out), tea.WithoutSignalHandler(), tea.WithContext(context.Background()))
	signal.Notify(s.signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		for {
			select {
			case <-s.signals:
				s.program.Send(interrupt{})
			case <-s.done:
				return
			}
		}
	}()
	go func() {
		_, _ = s.program.Run() // a screen that cannot be drawn must not end the training
		s.restore()
		close(s.done)
		if m.stopped > 1 {
			exit()
		}
	}()
	return s, nil
}

// Close gives the terminal back as it was; it is safe to call twice.
func (s *Screen) Close() {
	s.program.Quit()
	select {
	case <-s.done:
	case <-time.After(closeWait):
		s.program.Kill()
	}
	s.restore()
}

func (s *Screen) restore() {
	signal.Stop(s.signals)
	_ = term.Restore(s.fd, s.before) // nothing else could be done about it
}

// interrupt is the wish to stop.
type interrupt struct{}

// tick is the time to draw.
type tick struct{}

func next() tea.Cmd { return tea.Tick(drawEvery, func(time.Time) tea.Msg { return tick{} }) }

// A model is a board on a terminal of some size.
type model struct {
	board   *Board
	stop    func()
	w, h    int
	stopped int // how often the user wanted to
}

func (m *model) Init() tea.Cmd { return next() }

func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tick:
		return m, next()
	case tea.WindowSizeMsg:
		m.w, m.h = msg.Width, msg.Height
	case interrupt:
		return m, m.interrupted()
	case tea.KeyPressMsg:
		if msg.String() == "ctrl+c" {
			return m, m.interrupted()
		}
	}
	return m, nil
}

func (m *model) interrupted() tea.Cmd {
	if m.stopped++; m.stopped > 1 {
		return tea.Quit
	}
	m.board.Note("stopping after this step; once more stops at once")
	m.stop()
	return nil
}

func (m *model) View() tea.View {
	v := tea.NewView(m.board.Render(m.w, m.h, time.Now()))
	v.AltScreen = true
	return v
}
