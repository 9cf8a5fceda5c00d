package ops

import "sparsevk/shaders"

// ReLU computes y = max(x, 0) elementwise over views of equal shape; X and Y
// may be the same view. Backward writes dx = dy·[y > 0]; the derivative at 0 is
// 0, and DX and DY may be the same view.
type ReLU struct {
	Env          *Env
	Label        string
	X, Y, DX, DY View
}

// Forward reads X and writes Y.
func (o ReLU) Forward() []Step {
	var steps []Step
	for _, v := range o.Env.runs(o.X, o.Y) {
		x, y, n := Planes{v[0]}, Planes{v[1]}, v[0].Elems()
		steps = append(steps, Step{
			Label: o.Label + "/relu_fwd", Kernel: &shaders.ReluFwd, Args: []Planes{x, y},
			Push:   &shaders.ReluFwdPush{N: uint32(n), X: push(x, v[0]), Y: push(y, v[1])},
			Groups: elementGroups(n),
		})
	}
	return steps
}

// Backward reads Y and DY and writes DX.
func (o ReLU) Backward() []Step {
	var steps []Step
	for _, v := range o.Env.runs(o.Y, o.DY, o.DX) {
		y, dy, dx, n := Planes{v[0]}, Planes{v[1]}, Planes{v[2]}, v[0].Elems()
		steps = append(steps, Step{
			Label: o.Label + "/relu_bwd", Kernel: &shaders.ReluBwd, Args: []Planes{y, dy, dx},
			Push:   &shaders.ReluBwdPush{N: uint32(n), Y: push(y, v[0]), DY: push(dy, v[1]), DX: push(dx, v[2])},
			Groups: elementGroups(n),
		})
	}
	return steps
}
