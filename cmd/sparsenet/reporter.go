package main

import (
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"sparsevk/cmd/sparsenet/dashboard"
	"sparsevk/sparsenet"
	"sparsevk/train"
)

// A reporter tells how a run goes: a progress bar on a terminal, or the dashboard
// with --ui, plain lines in a pipe, JSON lines with --json; and the log of the run directory.
type reporter struct {
	cmd    *cobra.Command
	out    io.Writer
	epochs int
	json   bool
	tty    bool
	bar    *progressbar.ProgressBar
	log    *train.Log       // nil: none
	board  *dashboard.Board // nil: none
	screen *dashboard.Screen
	last   time.Time      // of the last plain line, or JSON line of a step
	at     train.Progress // the last
}

func newReporter(cmd *cobra.Command, epochs int) *reporter {
	f, isFile := cmd.OutOrStdout().(*os.File)
	return &reporter{cmd: cmd, out: cmd.OutOrStdout(), epochs: epochs, json: wantsJSON(cmd), tty: isFile && term.IsTerminal(int(f.Fd()))}
}

// start says what will run.
func (r *reporter) start(m *sparsenet.Model, t *train.Trainer) {
	r.last = time.Now()
	i, s := m.Device.Info(), t.State()
	if r.json {
		r.line(startLine{
			Kind: "start", Time: r.last, Network: m.Graph.Config.Name(), Parameters: m.Graph.Params.Count(), Engine: string(m.Engine), Precision: m.Precision.String(),
			Batch: m.Batch, Device: i.Name, Driver: driverName(i), Epochs: r.epochs, Batches: t.Train.Train(0).Len(), Step: s.Step,
		})
	}
	r.say("%s, %d parameters, %s, %s, %.1f MiB on %s (%s)",
		m.Graph.Config.Name(), m.Graph.Params.Count(), engineText(string(m.Engine), m.Precision.String()), batchText(m.Network), float64(m.Device.Allocated())/(1<<20), i.Name, driverName(i))
	if s.Step > 0 {
		r.say("resumed after step %d: %d epochs and %d batches", s.Step, s.Epoch, s.Position)
	}
	if s.Epoch >= uint64(r.epochs) {
		r.say("nothing is left to train: %d of %d epochs are done", s.Epoch, r.epochs)
	}
}

// say prints a line, unless JSON is wanted, and puts it into the log.
func (r *reporter) say(format string, args ...any) {
	r.log.Printf(format, args...)
	switch {
	case r.board != nil:
		r.board.Note(fmt.Sprintf(format, args...))
	case !r.json:
		fmt.Fprintf(r.out, format+"\n", args...)
	}
}

// plainEvery is the time between lines of progress in a pipe.
const plainEvery = 10 * time.Second

func (r *reporter) step(p train.Progress) {
	r.at = p
	switch {
	case r.board != nil:
		r.board.Progress(p)
	case r.json:
	case r.tty:
		if r.bar == nil {
			r.bar = progressbar.NewOptions(p.Batches, progressbar.OptionSetWriter(r.out), progressbar.OptionSetWidth(30),
				progressbar.OptionShowCount(), progressbar.OptionClearOnFinish(), progressbar.OptionSetPredictTime(true))
		}
		r.bar.Describe(fmt.Sprintf("epoch %d/%d  loss %.4f  %.1f images/s", p.Epoch+1, r.epochs, p.Loss, p.ImagesPerSecond))
		_ = r.bar.Set(p.Batch) // a terminal that cannot be drawn on must not stop the training
	case p.Step == 1 || time.Since(r.last) >= plainEvery:
		r.last = time.Now()
		skipped := ""
		if p.Skipped > 0 {
			skipped = fmt.Sprintf("  %d updates left out", p.Skipped)
		}
		fmt.Fprintf(r.out, "epoch %d/%d  batch %d/%d  loss %.4f  lr %.4g  %.1f images/s%s\n", p.Epoch+1, r.epochs, p.Batch, p.Batches, p.Loss, p.Rate, p.ImagesPerSecond, skipped)
	}
}

func (r *reporter) epoch(e train.Epoch) {
	r.end()
	text := fmt.Sprintf("epoch %d/%d  step %d", e.N, r.epochs, e.Step)
	switch {
	case e.Stopped && e.Images == 0:
		text = fmt.Sprintf("stopped before epoch %d/%d  step %d", e.N+1, r.epochs, e.Step)
	case e.Stopped:
		text = fmt.Sprintf("stopped in epoch %d/%d  step %d", e.N+1, r.epochs, e.Step)
	}
	if e.Images > 0 {
		text += fmt.Sprintf("  loss %.4f  accuracy %.2f%%  lr %.4g", e.Loss, 100*e.Accuracy, e.Rate)
	}
	if e.ImagesPerSecond > 0 { // not if the validation was all that a resumed run had to do
		text += fmt.Sprintf("  %.1f images/s", e.ImagesPerSecond)
	}
	if e.Valid != nil {
		text += fmt.Sprintf("  held out: loss %.4f  accuracy %.2f%%", e.Valid.Loss, 100*e.Valid.Accuracy())
	}
	switch {
	case e.Saved:
		text += "  saved " + e.Checkpoint
	case e.Checkpoint != "":
		text += "  saving " + e.Checkpoint
	}
	r.say("%s", text)
}

// saved takes note of a checkpoint that is on disk. On a terminal and in a pipe the
// lines of epochs tell of it.
func (r *reporter) saved(s train.Save) {
	r.log.Printf("saved %s", s.Path)
	if r.json {
		r.line(savedLine{Kind: "saved", Time: time.Now(), Epoch: s.Epoch, Step: s.Step, Checkpoint: s.Path, Stopped: s.Stopped})
	}
}

// end removes the progress bar.
func (r *reporter) end() {
	if r.bar != nil {
		_ = r.bar.Finish()
		r.bar = nil
	}
}

// score prints an evaluation.
func (r *reporter) score(what string, s train.Score) error {
	if r.json {
		return printJSON(r.cmd, map[string]any{what: s, "accuracy": s.Accuracy()})
	}
	r.tested(what, s)
	return nil
}

// tested tells of the evaluation at the end of a run, for which observe has
// printed the JSON.
func (r *reporter) tested(what string, s train.Score) {
	r.say("%s  %d images  loss %.4f  accuracy %.2f%%  error %.2f%%  top-5 %.2f%%  %.1f images/s",
		what, s.Images, s.Loss, 100*s.Accuracy(), 100-100*s.Accuracy(), 100*float64(s.Hits5)/float64(s.Images), s.ImagesPerSecond)
}

// buildInfo returns the commit and Go version that the program was built from.
func buildInfo() map[string]string {
	out := map[string]string{}
	if b, ok := debug.ReadBuildInfo(); ok {
		out["go"] = b.GoVersion
		for _, s := range b.Settings {
			if s.Key == "vcs.revision" || s.Key == "vcs.modified" {
				out[s.Key] = s.Value
			}
		}
	}
	return out
}

// commitOf returns the commit of a build, in words.
func commitOf(build map[string]string) string {
	commit := build["vcs.revision"]
	switch {
	case commit == "":
		return "unknown"
	case build["vcs.modified"] == "true":
		return commit + ", modified"
	}
	return commit
}
