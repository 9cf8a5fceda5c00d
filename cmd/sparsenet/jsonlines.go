package main

import (
	"encoding/json"
	"time"

	"sparsevk/train"
)

// The JSON lines of `train --json`, one object in each, which "kind" tells apart:
//
//	start               what runs, first
//	step                a training step; not more than one a second
//	epoch, valid, test  as in metrics.jsonl, all of them
//	saved               a checkpoint is on disk; with "stopped" the run ends here

type startLine struct {
	Kind       string    `json:"kind"`
	Time       time.Time `json:"time"`
	Network    string    `json:"network"`
	Parameters int       `json:"parameters"`
	Engine     string    `json:"engine"`
	Precision  string    `json:"precision"` // of the maps
	Batch      int       `json:"batch"`
	Device     string    `json:"device"`
	Driver     string    `json:"driver"`
	Epochs     int       `json:"epochs"`
	Batches    int       `json:"batches"` // in an epoch
	Step       uint64    `json:"step"`    // more than 0 in a run that is resumed
}

type metricLine struct {
	train.Metric
	Epochs  int `json:"epochs"`           // of the whole run
	Batch   int `json:"batch,omitzero"`   // batches of this epoch done
	Batches int `json:"batches,omitzero"` // and all of them
}

type savedLine struct {
	Kind       string    `json:"kind"`
	Time       time.Time `json:"time"`
	Epoch      int       `json:"epoch"`
	Step       uint64    `json:"step"`
	Checkpoint string    `json:"checkpoint"`
	Stopped    bool      `json:"stopped,omitzero"`
}

// jsonEvery is the time between lines of steps.
const jsonEvery = time.Second

// observe shows a metric on the dashboard or prints it as a JSON line, if these
// are wanted.
func (r *reporter) observe(m train.Metric) {
	if r.board != nil {
		r.board.Observe(m)
	}
	if !r.json {
		return
	}
	l := metricLine{Metric: m, Epochs: r.epochs}
	if m.Kind == train.KindStep {
		if m.Step > 1 && time.Since(r.last) < jsonEvery {
			return
		}
		r.last = time.Now()
		l.Batch, l.Batches = r.at.Batch, r.at.Batches
	}
	r.line(l)
}

// line prints v in one line. A reader that has gone away must not stop the
// training: what it prints is in the run directory too.
func (r *reporter) line(v any) { _ = json.NewEncoder(r.out).Encode(v) }
