package train

import "sparsevk/train/safetensors"

// A saver writes checkpoints while the training goes on. One is written at a
// time; its error comes back from whatever is called next.
type saver struct {
	writing bool
	done    chan error
	told    func() // to be called when what is being written is on disk
}

// start lets write run by itself, when the one before has ended. If it succeeds, told
// is called by whatever is called next.
func (s *saver) start(write func() error, told func()) error {
	if err := s.wait(); err != nil {
		return err
	}
	if s.done == nil {
		s.done = make(chan error, 1)
	}
	s.writing, s.told = true, told
	go func() { s.done <- write() }()
	return nil
}

// failed returns the error of a write that has ended, and does not wait.
func (s *saver) failed() error {
	if s.writing {
		select {
		case err := <-s.done:
			return s.ended(err)
		default:
		}
	}
	return nil
}

// wait waits until nothing is being written.
func (s *saver) wait() error {
	if !s.writing {
		return nil
	}
	return s.ended(<-s.done)
}

func (s *saver) ended(err error) error {
	s.writing = false
	if err == nil {
		s.told()
	}
	return err
}

// A Save is a checkpoint that is on disk.
type Save struct {
	Path    string
	Step    uint64
	Epoch   int  // epochs finished
	Stopped bool // the run ends with it, before its last epoch did
}

// save copies the model out and starts to write the checkpoint of this moment, if
// there is a run directory; the model with the best validation has a second file.
// It returns the path that the checkpoint will have.
func (t *Trainer) save(best, stopped bool) (string, error) {
	if t.Run == nil {
		return "", nil
	}
	if err := t.saver.wait(); err != nil { // before the memory for another copy is taken
		return "", err
	}
	list, err := Tensors(t.Model, true)
	if err != nil {
		return "", err
	}
	run, state := t.Run, t.state
	done := Save{run.path(state.Step), state.Step, int(state.Epoch), stopped}
	return done.Path, t.saver.start(func() error { return write(run, state, list, best) }, func() {
		if t.Saved != nil {
			t.Saved(done)
		}
	})
}

func write(run *Run, s State, list []safetensors.Tensor, best bool) error {
	if best {
		if _, err := run.SaveBest(s, list); err != nil {
			return err
		}
	}
	_, err := run.Save(s, list)
	return err
}
