package ops

import "sparsevk/shaders"

// matrixWeights is the variant of weight gradients that multiplies matrices.
const matrixWeights Variant = "matrix-32k"

// matrixWgrad is the matrix form of a weight gradient (shaders/matrix_wgrad.comp).
type matrixWgrad struct {
	window
	made  uint32 // runs of M output channels
	items uint32 // taps of N input channels, of a subgroup
	cuts
}

// matrixWgrad returns how the matrix form cuts the weight gradient of o. It is false
// for what it does not take: see Env.multiplies, and rows that are too long for its
// memory.
func (o *Conv) matrixWgrad(v Variant) (q matrixWgrad, ok bool) {
	lanes, shared := o.Env.limits()
	if v != matrixWeights || !o.Env.multiplies(o.Geometry, o.X[0].Block) || o.Y.Block.Precision != FP16 || lanes < matrixLanes || shared < 32<<10 {
		return q, false
	}
	most := uint32(32)
	if o.R == 1 {
		most = 64
	}
	for inputs := (evenly(o.C(), most) + matrixRun - 1) &^ (matrixRun - 1); inputs > 0; inputs -= matrixRun {
		for positions := uint32(128); positions > 0; positions -= matrixRun {
			q.window = o.Env.window(o.Geometry, o.X[0].Block, matrixLanes, inputs, 8, positions)
			q.made = ceilDiv(evenly(o.K(), most), q.M)
			q.items = ceilDiv(q.ks*q.ks*inputs/q.N, q.size/q.Lanes)
			if q.shared() <= 32<<10 {
				q.cuts = o.cuts(q.all(), positions, inputs, q.made*q.M)
				return q, true
			}
		}
	}
	return q, false
}

// shared returns the bytes of shared memory of a workgroup.
func (q *matrixWgrad) shared() uint32 {
	made, stage := q.made*q.M, q.size/q.Lanes*q.M*q.N
	return q.bytes() + 2*made*(q.positions+q.pad) + 32*q.inputs + 4*stage
}

// step returns the gradients between input channels x, from c0 on, and output
// channels dy, from k0 on.
func (q *matrixWgrad) step(o *Conv, x Planes, c0 uint32, dy View, k0 uint32, dst View) Step {
	push := shaders.MatrixWgradPush(o.wgradPush(x, c0, dy, k0, dst, q.steps))
	s := o.wgradStep("/matrix_wgrad", x, dy, dst)
	s.Kernel, s.Push, s.Shared, s.Lanes = &shaders.MatrixWgrad, &push, q.shared(), q.subgroup()
	if q.Emulated {
		emulated := shaders.MatrixWgradEmulatedPush(push)
		s.Kernel, s.Push = &shaders.MatrixWgradEmulated, &emulated
	}
	s.Spec = append(q.spec(), q.made, q.items, q.positions, flag(o.Act))
	s.Groups = [3]uint32{ceilDiv(x.C(), q.inputs), ceilDiv(dy.C(), q.made*q.M), q.splits}
	return s
}
