package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sparsevk/ops"
	"sparsevk/sparsenet"
	"sparsevk/train"
	"sparsevk/train/chart"
)

// The pictures that a run leaves in its directory.
const (
	curvesFile = "curves.svg"
	reportFile = "report.html"
)

// newReportCommand makes `sparsenet report RUN`.
func newReportCommand() *cobra.Command {
	var out, curves string
	c := &cobra.Command{
		Use:   "report RUN",
		Short: "A page of HTML about a run: curves, network, memory, classes",
		Long: `Writes a page of HTML that needs no other file: network and wiring, curves, memory
against dense wiring, confusion matrix if the model was evaluated, device, commit,
and the command to repeat it. It needs no device. 'sparsenet train' leaves one in
the run directory when it ends; 'sparsenet eval' of the run directory adds to it.`,
		Example: "  sparsenet report runs/cifar --out cifar.html --curves cifar.png",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("report takes one run directory")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := args[0]
			if out == "" {
				out = filepath.Join(dir, reportFile)
			}
			if curves != "" {
				if err := writeCurves(dir, curves); err != nil {
					return err
				}
			}
			if err := writeReport(dir, out); err != nil {
				return err
			}
			if wantsJSON(cmd) {
				return printJSON(cmd, map[string]string{"report": out, "curves": curves})
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "The report is in "+out+".")
			return err
		},
	}
	c.Flags().StringVar(&out, "out", "", "file to write (default: report.html in the run directory)")
	c.Flags().StringVar(&curves, "curves", "", "also draw the curves into this SVG or PNG file")
	return c
}

// leavePictures draws the curves and the report of a run into its directory.
func leavePictures(dir string) error {
	return errors.Join(writeCurves(dir, filepath.Join(dir, curvesFile)), writeReport(dir, filepath.Join(dir, reportFile)))
}

func writeCurves(dir, path string) error {
	format, err := pictureFormat("curves", path)
	if err != nil {
		return err
	}
	metrics, err := train.ReadMetrics(dir)
	if err != nil {
		return err
	}
	return train.WriteFile(path, func(w io.Writer) error { return chart.Curves(w, format, metrics) })
}

// writeReport writes the page about the run in dir to path.
func writeReport(dir, path string) error {
	p, err := readPage(dir)
	if err != nil {
		return err
	}
	return train.WriteFile(path, func(w io.Writer) error {
		_, err := p.WriteTo(w)
		return err
	})
}

// readPage gathers what a run directory knows.
func readPage(dir string) (*chart.Page, error) {
	b, err := os.ReadFile(filepath.Join(dir, runFile))
	if err != nil {
		return nil, fmt.Errorf("%s is no run directory: %w", dir, err)
	}
	var config sparsenet.Config
	info := runInfo{Network: &config}
	if err := json.Unmarshal(b, &info); err != nil {
		return nil, fmt.Errorf("%s in %s: %w", runFile, dir, err)
	}
	g, err := sparsenet.Build(config)
	if err != nil {
		return nil, fmt.Errorf("%s in %s: %w", runFile, dir, err)
	}
	o := sparsenet.Options{
		Batch: info.Batch, Engine: sparsenet.Engine(info.Engine), Recompute: info.Flags["recompute"] == "true",
		Optimizer: info.Recipe.Optimizer, Average: info.Recipe.Average > 0, Accumulate: accumulates(info), WideEval: true,
	}
	if o.Precision, err = ops.ParsePrecision(info.Precision); err != nil {
		return nil, fmt.Errorf("%s in %s: %w", runFile, dir, err)
	}
	if info.Recipe.OfPixels() {
		o.Pixels = make([]float32, g.Maps[0].Floats()) // for the plan of memory; not in run.json
	}
	n, err := sparsenet.NewNetwork(g, o)
	if err != nil {
		return nil, fmt.Errorf("%s in %s: %w", runFile, dir, err)
	}
	p := &chart.Page{Title: g.Config.Name() + " on " + info.Data.Name, Made: time.Now(), Network: n, Facts: facts(info, g)}
	for _, s := range info.Starts {
		p.Commands = append(p.Commands, shellLine(s.Command))
	}
	if p.Metrics, err = train.ReadMetrics(dir); err != nil {
		return nil, err
	}
	p.Facts = append(p.Facts, course(info, p.Metrics)...)
	p.Evaluation, err = train.LoadEvaluation(dir)
	return p, err
}

// accumulates reports whether several batches made an update of the run.
func accumulates(i runInfo) bool { n := i.Flags["accumulate"]; return n != "" && n != "1" }

// facts are what a reader asks first.
func facts(i runInfo, g *sparsenet.Graph) []chart.Fact {
	list := []chart.Fact{
		{Name: "network", Value: fmt.Sprintf("%s, %s parameters", g.Config.Name(), sparsenet.Thousands(int64(g.Params.Count())))},
		{Name: "data", Value: fmt.Sprintf("%s, %s training images, SHA-256 %.12s", i.Data.Name, sparsenet.Thousands(int64(i.Data.Images)), i.Data.SHA256)},
		{Name: "recipe", Value: recipeText(i)},
		{Name: "images", Value: imagesText(i.Recipe)},
		{Name: "engine", Value: i.Engine + ", maps of " + i.Precision},
	}
	if text := publishedError(g.Config.Name(), i.Data.Name); text != "" {
		list = append(list, chart.Fact{Name: "published", Value: text})
	}
	if len(i.Starts) == 0 {
		return list
	}
	s := i.Starts[len(i.Starts)-1]
	return append(list, []chart.Fact{
		{Name: "device", Value: s.Device + ", driver " + s.Driver},
		{Name: "system", Value: s.OS},
		{Name: "commit", Value: commitOf(s.Build)},
		{Name: "started", Value: s.Time.Format(time.RFC3339)},
	}...)
}

// publishedError says what others reached with the network on the data set, "" if
// nothing was published.
func publishedError(network, dataset string) string {
	p, ok := sparsenet.PublishedFor(network)
	e := map[string]float64{"cifar10": p.Error10, "cifar100": p.Error}[dataset]
	if !ok || e == 0 {
		return ""
	}
	return fmt.Sprintf("error %s %% on %s, with augmentation, after 300 epochs", errorRate(e), dataset)
}

// recipeText says how a run trains.
func recipeText(i runInfo) string {
	r := i.Recipe
	text := fmt.Sprintf("batch %d, %d epochs, %s with momentum %g, learning rate %s", i.Batch, i.Epochs, r.Optimizer, r.Momentum, i.Schedule)
	if p := r.Plateau(); p != nil {
		text += ", " + p.String()
	}
	text += fmt.Sprintf(", decay %g on %s", r.Decay, r.DecayOn)
	for _, more := range []struct {
		name  string
		value float64
	}{{"clip", r.Clip}, {"average", r.Average}, {"label smoothing", r.Smoothing}, {"dropout", r.Dropout}} {
		if more.value != 0 {
			text += fmt.Sprintf(", %s %g", more.name, more.value)
		}
	}
	return text + fmt.Sprintf(", seed %d", i.Seed)
}

// course says what the metrics tell of a run: how far it came, and what it took. The
// time is that of its processes up to their last line, evaluations included.
func course(i runInfo, metrics []train.Metric) (list []chart.Fact) {
	var took time.Duration
	for k, start := range i.Starts {
		last := start.Time
		for _, m := range metrics {
			if m.Time.After(last) && (k+1 == len(i.Starts) || m.Time.Before(i.Starts[k+1].Time)) {
				last = m.Time
			}
		}
		took += last.Sub(start.Time)
	}
	if len(metrics) == 0 || took == 0 {
		return nil
	}
	var memory uint64
	for _, m := range metrics {
		memory = max(memory, m.DeviceBytes)
	}
	last := metrics[len(metrics)-1]
	return []chart.Fact{
		{Name: "trained", Value: fmt.Sprintf("updates: %s; epochs: %d; in %v", sparsenet.Thousands(int64(last.Step)), last.Epoch, took.Round(time.Second))},
		{Name: "memory", Value: fmt.Sprintf("%.1f MiB handed out by the device", sparsenet.MiB(memory))},
	}
}

// shellLine writes a command as a shell takes it.
func shellLine(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		if w == "" || strings.ContainsAny(w, " \t\n\"'\\$`*?[](){}<>|&;#~!") {
			w = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		quoted[i] = w
	}
	return strings.Join(quoted, " ")
}
