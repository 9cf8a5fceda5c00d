package main

import (
	"errors"
	"io"

	"sparsevk/gpu"
	"sparsevk/sparsenet"
)

// What --on-device-loss takes.
const (
	lossRestart = "restart"
	lossStop    = "stop"
)

// A machine is a device with the model that trains on it.
type machine struct {
	flags *trainFlags
	plan  *trainPlan
	notes io.Writer
	dev   *gpu.Device
	model *sparsenet.Model
}

// open opens the device and puts the model on it, with the parameters of the seed.
func (w *machine) open() (err error) {
	f := w.flags
	if w.dev, err = f.dev.open(); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	w.plan.options = f.dev.kernels(w.plan.options, w.dev)
	n, err := newNetwork(w.plan.tuning, w.dev, w.plan.graph, w.plan.options)
	if err != nil {
		return err
	}
	if err := allowed(w.notes, w.dev, n, f); err != nil {
		return err
	}
	w.model, err = openModel(n, w.dev, f.seed)
	return err
}

// close closes what is open. What a lost device says of it is no news.
func (w *machine) close() (err error) {
	if w.model != nil {
		err = w.model.Close()
	}
	if w.dev != nil {
		err = errors.Join(err, w.dev.Close())
	}
	w.model, w.dev = nil, nil
	if errors.Is(err, gpu.ErrLost) {
		return nil
	}
	return err
}

// reopen is what a trainer calls after a loss.
func (w *machine) reopen() (*sparsenet.Model, error) {
	if err := w.close(); err != nil {
		return nil, err
	}
	err := w.open()
	return w.model, err
}
