package optest

import (
	"errors"

	"sparsevk/gpu"
	"sparsevk/ops"
	"sparsevk/ops/record"
)

// ProveValidation runs two dispatches that need a barrier without it, and
// returns an error if the validation layer says nothing: silence of a layer
// that is not there proves nothing.
func ProveValidation(dev *gpu.Device) error {
	x, y, z := NewBlock("x", 1, 1, 8, 8), NewBlock("y", 1, 1, 8, 8), NewBlock("z", 1, 1, 8, 8)
	env := ops.NewEnv()
	steps := func() []ops.Step {
		a := ops.ReLU{Env: env, Label: "first", X: x.All(), Y: y.All()}.Forward()
		return append(a, ops.ReLU{Env: env, Label: "second", X: y.All(), Y: z.All()}.Forward()...)
	}
	c := Case{Name: "planted fault", Steps: steps}
	m, err := layout(&c)
	if err != nil {
		return err
	}
	mem, err := record.NewMemory(dev, m.plan)
	if err != nil {
		return err
	}
	dev.Messages()
	r, err := record.New(dev, mem, c.Steps(), record.Options{Barriers: make([]bool, 2)})
	if err == nil {
		err = errors.Join(r.Run(), r.Close())
	}
	err = errors.Join(err, mem.Close())
	if err != nil {
		return err
	}
	if len(dev.Messages()) == 0 {
		return errors.New("optest: the validation layer is loaded, but did not report a missing barrier")
	}
	return nil
}
