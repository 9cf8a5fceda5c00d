package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"sparsevk/cmd/sparsenet/dashboard"
	"sparsevk/train"
)

// exitInterrupted is the status of a program that SIGINT ends at once, as shells
// report it.
const exitInterrupted = 128 + 2

// terminal returns the files of the command's terminal, nil where it has others.
func terminal(cmd *cobra.Command) (in, out *os.File) {
	in, _ = cmd.InOrStdin().(*os.File)
	out, _ = cmd.OutOrStdout().(*os.File)
	return in, out
}

// checkScreen refuses --ui where it cannot be shown.
func checkScreen(cmd *cobra.Command) error {
	if wantsJSON(cmd) {
		return usagef("--ui and --json: choose one")
	}
	if err := dashboard.Check(terminal(cmd)); err != nil {
		return usagef("--ui draws on a terminal: %w; leave it out, or use --json", err)
	}
	return nil
}

// openScreen shows the dashboard. Ctrl-C on it ends the command's context, as a
// signal does.
func (f *trainFlags) openScreen(cmd *cobra.Command, show *reporter, t *train.Trainer) error {
	m := t.Model
	i := m.Device.Info()
	board := dashboard.New(dashboard.Header{
		Network: m.Graph.Config.Name(), Parameters: m.Graph.Params.Count(), Engine: string(m.Engine), Batch: m.Batch,
		Device: i.Name, Driver: driverName(i), Epochs: t.Epochs, MaxTime: f.maxTime, Folder: f.out,
	})
	ctx, stop := context.WithCancel(cmd.Context())
	cmd.SetContext(ctx)
	in, out := terminal(cmd)
	screen, err := dashboard.Open(board, in, out, stop, func() { os.Exit(exitInterrupted) })
	if err != nil {
		stop()
		return err
	}
	show.board, show.screen = board, screen
	return nil
}

// closeScreen gives the terminal back, and leaves on it what was told last.
func (r *reporter) closeScreen() {
	if r.screen == nil {
		return
	}
	r.screen.Close()
	for _, note := range r.board.Notes() {
		fmt.Fprintln(r.out, note)
	}
	r.screen, r.board = nil, nil
}
