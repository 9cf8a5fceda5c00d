package train

import "sparsevk/train/safetensors"

// A saver writes checkpoints while the training goes on. One is written at a
// time; its error comes back from whatever is called next.
type saver struct {
	writing bool
	done    chan error
}

// start lets write run by itself, when the one before has ended.
func (s *saver) start(write func() error) error {
	if err := s.wait(); err != nil {
		return err
	}
	if s.done == nil {
		s.done = make(chan error, 1)
	}
	s.writing = true
	go func() { s.done <- write() }()
	return nil
}

// failed returns the error of a write that has ended, and does not wait.
func (s *saver) failed() error {
	if s.writing {
		select {
		case err := <-s.done:
			s.writing = false
			return err
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
	s.writing = false
	return <-s.done
}

// save copies the model out and starts to write the checkpoint of this moment, if
// there is a run directory; the model with the best validation has a second file.
// It returns the path that the checkpoint will have.
func (t *Trainer) save(best bool) (string, error) {
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
	return run.path(state.Step), t.saver.start(func() error { return write(run, state, list, best) })
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
