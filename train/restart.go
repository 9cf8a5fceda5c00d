package train

import (
	"errors"
	"fmt"

	"sparsevk/gpu"
)

// lost reports whether err says that the device is gone and the run can be taken
// up again on a new one.
func (t *Trainer) lost(err error) bool {
	return errors.Is(err, gpu.ErrLost) && t.Reopen != nil && t.Run != nil
}

// restart goes on from the newest checkpoint, on a device that Reopen makes. A
// device that is lost a second time before there is a newer checkpoint would be
// lost for ever, so that ends the run. Both errors are in the one returned.
func (t *Trainer) restart(cause error) (err error) {
	if err := t.saver.wait(); err != nil {
		return errors.Join(cause, err)
	}
	c, _, err := Newest(t.Run.Dir)
	if err != nil {
		return errors.Join(cause, err)
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if t.restarted && c.State.Step <= t.restartedAt {
		return fmt.Errorf("%w; the device was lost before too, and there is no checkpoint since: kept is %s; go on with --resume when the device works", cause, c.Path)
	}
	t.restarted, t.restartedAt = true, c.State.Step
	if t.Model, err = t.Reopen(); err != nil {
		return errors.Join(cause, fmt.Errorf("train: the device could not be opened again: %w", err))
	}
	if err := t.Resume(c, false); err != nil {
		return errors.Join(cause, err)
	}
	t.steps = pipeline[flight]{m: t.Model, done: t.landed}
	if t.Metrics != nil {
		if err := t.Metrics.Close(); err != nil {
			return errors.Join(cause, err)
		}
		if t.Metrics, err = OpenMetrics(t.Run.Dir, t.state); err != nil {
			return errors.Join(cause, err)
		}
	}
	if t.Restarted != nil {
		t.Restarted(cause, c.Path)
	}
	return nil
}

// exhausted reports whether the validation has not improved for too long.
func (t *Trainer) exhausted() bool {
	return t.Patience > 0 && t.state.Stale >= t.Patience
}
