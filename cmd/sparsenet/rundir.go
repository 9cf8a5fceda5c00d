package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sparsevk/train"
)

// runFile is the file of a run directory that says what was run, on what.
const runFile = "run.json"

// A runInfo is what runFile holds.
type runInfo struct {
	Network   any               `json:"network"` // as resolved from the flags
	Engine    string            `json:"engine"`
	Precision string            `json:"precision"` // of the maps
	Batch     int               `json:"batch"`
	Epochs    int               `json:"epochs"`
	Schedule  string            `json:"schedule"`
	Recipe    train.Tuned       `json:"recipe"` // as resolved from --recipe, --bugs and the flags
	Seed      uint64            `json:"seed"`
	Tuning    *runTuning        `json:"tuning,omitempty"`
	Data      runData           `json:"data"`
	Flags     map[string]string `json:"flags"`  // every flag of the first start, defaults too
	Starts    []runStart        `json:"starts"` // the first, and one for each --resume
}

type runData struct {
	Name   string `json:"name"`
	Images int    `json:"images"`
	SHA256 string `json:"sha256"`
}

// runTuning is the file of --tuning.
type runTuning struct {
	File   string `json:"file"`
	SHA256 string `json:"sha256"` // of the tasks and their variants
}

// A runStart is one process that worked in the directory.
type runStart struct {
	Time    time.Time         `json:"time"`
	Step    uint64            `json:"step"` // where it went on
	Command []string          `json:"command"`
	Folder  string            `json:"working_directory"`
	Host    string            `json:"host"`
	OS      string            `json:"os"`
	Device  string            `json:"device"`
	UUID    string            `json:"device_uuid"`
	Driver  string            `json:"driver"`
	Build   map[string]string `json:"build"` // commit and Go version
}

// openRun locks the run directory, opens its log and metrics and, to resume,
// loads the newest whole checkpoint.
func (f *trainFlags) openRun(cmd *cobra.Command, t *train.Trainer, p *trainPlan) (log *train.Log, err error) {
	if _, err := os.Stat(f.out); f.resume && errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no %s to go on with: start the run without --resume", f.out)
	}
	run, err := train.OpenRun(f.out)
	if err != nil {
		return nil, err
	}
	run.Keep = f.keep
	t.Run = run
	defer func() {
		if err != nil {
			err = closeRun(t, log, err)
		}
	}()
	c, damaged, err := train.Newest(f.out)
	for _, d := range damaged {
		fmt.Fprintln(cmd.ErrOrStderr(), "sparsenet: passed over:", d)
	}
	if c != nil {
		defer c.Close()
	}
	switch {
	case f.resume && err != nil:
		return nil, err
	case f.resume:
		err = t.Resume(c, f.force)
	case c != nil:
		err = fmt.Errorf("%s holds a run that has trained for %d steps: go on with --resume, or name another --out", f.out, c.State.Step)
	default:
		err = nil
	}
	if err != nil {
		return nil, err
	}
	start := newStart(t)
	if err := f.writeInfo(cmd, t, p, start); err != nil {
		return nil, err
	}
	if t.Metrics, err = train.OpenMetrics(f.out, t.State()); err != nil {
		return nil, err
	}
	if log, err = run.OpenLog(); err != nil {
		return nil, err
	}
	log.Printf("start in %s: %q, commit %s, seed %d, on %s", start.Folder, start.Command, commitOf(start.Build), f.seed, start.Host)
	for _, d := range damaged {
		log.Printf("passed over: %v", d)
	}
	return log, nil
}

// closeRun closes what openRun opened, and adds to the error of the run.
func closeRun(t *train.Trainer, log *train.Log, err error) error {
	if err != nil {
		log.Printf("failed: %v", err)
	} else {
		log.Printf("end after step %d", t.State().Step)
	}
	if t.Metrics != nil {
		err = errors.Join(err, t.Metrics.Close())
	}
	return errors.Join(err, log.Close(), t.Run.Close())
}

func newStart(t *train.Trainer) runStart {
	i := t.Model.Device.Info()
	exe, _ := os.Executable() // who and where are told if they are known
	host, _ := os.Hostname()
	folder, _ := os.Getwd()
	return runStart{
		Time: time.Now(), Step: t.State().Step, Command: append([]string{filepath.Base(exe)}, os.Args[1:]...), Folder: folder, Host: host,
		OS: system(), Device: i.Name, UUID: i.UUID, Driver: driverName(i), Build: buildInfo(),
	}
}

// writeInfo writes runFile, or adds the start to that of a run that is resumed.
func (f *trainFlags) writeInfo(cmd *cobra.Command, t *train.Trainer, p *trainPlan, start runStart) error {
	info := runInfo{
		Network: p.graph.Config, Engine: string(p.options.Engine), Precision: p.options.Precision.String(), Batch: p.recipe.Batch, Epochs: p.recipe.Epochs, Schedule: p.schedule.String(), Recipe: p.recipe.Tuned, Seed: f.seed,
		Data: runData{p.set.Name, p.set.Len(), p.set.Hash()}, Flags: map[string]string{},
	}
	if p.tuning != nil {
		info.Tuning = &runTuning{p.tuning.Path(), p.tuning.Hash()}
	}
	cmd.Flags().VisitAll(func(v *pflag.Flag) { info.Flags[v.Name] = v.Value.String() })
	if f.resume {
		b, err := os.ReadFile(filepath.Join(f.out, runFile))
		var before runInfo
		if err == nil && json.Unmarshal(b, &before) == nil { // else it is written anew: nothing depends on it
			info.Starts, info.Flags = before.Starts, before.Flags
		}
	}
	info.Starts = append(info.Starts, start)
	return t.Run.WriteJSON(runFile, info)
}
