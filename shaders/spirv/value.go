package spirv

import "fmt"

// eval returns the bits of the scalar constant id under default
// specialization.
func (m *module) eval(id uint32) (uint32, error) {
	if v, ok := m.values[id]; ok {
		return v, nil
	}
	m.values[id] = 0 // a constant that refers to itself, which no valid module has, reads 0
	in, v := m.defs[id], uint32(0)
	var err error
	switch in.op {
	case opConstantTrue, opSpecConstantTrue:
		v = 1
	case opConstantFalse, opSpecConstantFalse:
	case opConstant, opSpecConstant:
		v = in.a[2]
	case opSpecConst:
		v, err = m.operate(in.a[2], in.a[3:])
	default:
		err = fmt.Errorf("spirv: id %d is not a scalar constant", id)
	}
	if err != nil {
		return 0, err
	}
	m.values[id] = v
	return v, nil
}

// part returns the id of component i of the composite constant id.
func (m *module) part(id, i uint32) (uint32, error) {
	in := m.defs[id]
	if in.op != opConstantComposite && in.op != opSpecConstantComposite || uint64(i)+2 >= uint64(len(in.a)) {
		return 0, fmt.Errorf("spirv: id %d is not a composite constant of more than %d components", id, i)
	}
	return in.a[2+i], nil
}

// operate evaluates what GLSL array sizes are made of.
func (m *module) operate(op uint32, a []uint32) (uint32, error) {
	if op == 81 && len(a) == 2 { // OpCompositeExtract
		id, err := m.part(a[0], a[1])
		if err != nil {
			return 0, err
		}
		return m.eval(id)
	}
	x := make([]uint32, 3)
	if len(a) > len(x) {
		return 0, fmt.Errorf("spirv: constant operation %d has %d operands", op, len(a))
	}
	for i, id := range a {
		var err error
		if x[i], err = m.eval(id); err != nil {
			return 0, err
		}
	}
	return compute(op, x[0], x[1], x[2])
}

func compute(op, x, y, z uint32) (uint32, error) {
	if y == 0 && op >= 134 && op <= 139 {
		return 0, fmt.Errorf("spirv: constant division by zero")
	}
	truth := func(b bool) (uint32, error) {
		if b {
			return 1, nil
		}
		return 0, nil
	}
	switch op {
	case 128: // OpIAdd
		return x + y, nil
	case 130: // OpISub
		return x - y, nil
	case 132: // OpIMul
		return x * y, nil
	case 134: // OpUDiv
		return x / y, nil
	case 135: // OpSDiv
		return uint32(int32(x) / int32(y)), nil
	case 137: // OpUMod
		return x % y, nil
	case 138: // OpSRem
		return uint32(int32(x) % int32(y)), nil
	case 169: // OpSelect
		if x != 0 {
			return y, nil
		}
		return z, nil
	case 194: // OpShiftRightLogical
		return x >> y, nil
	case 195: // OpShiftRightArithmetic
		return uint32(int32(x) >> y), nil
	case 196: // OpShiftLeftLogical
		return x << y, nil
	case 197: // OpBitwiseOr
		return x | y, nil
	case 198: // OpBitwiseXor
		return x ^ y, nil
	case 199: // OpBitwiseAnd
		return x & y, nil
	case 170, 164: // OpIEqual, OpLogicalEqual
		return truth(x == y)
	case 171, 165: // OpINotEqual, OpLogicalNotEqual
		return truth(x != y)
	case 172: // OpUGreaterThan
		return truth(x > y)
	case 173: // OpSGreaterThan
		return truth(int32(x) > int32(y))
	case 174: // OpUGreaterThanEqual
		return truth(x >= y)
	case 175: // OpSGreaterThanEqual
		return truth(int32(x) >= int32(y))
	case 176: // OpULessThan
		return truth(x < y)
	case 177: // OpSLessThan
		return truth(int32(x) < int32(y))
	case 178: // OpULessThanEqual
		return truth(x <= y)
	case 179: // OpSLessThanEqual
		return truth(int32(x) <= int32(y))
	case 166: // OpLogicalOr
		return x | y, nil
	case 167: // OpLogicalAnd
		return x & y, nil
	case 168: // OpLogicalNot
		return x ^ 1, nil
	}
	return 0, fmt.Errorf("spirv: constant operation %d is not supported in a size", op)
}

type layout struct{ size, align uint64 }

// maxBytes bounds the sizes that sizeof adds up: far above any device.
const maxBytes = 1 << 30

// sizeof returns the std430 size and alignment of type id, in bytes, which is
// the most that a device may charge for shared memory (Vulkan specification,
// maxComputeSharedMemorySize).
func (m *module) sizeof(id uint32) (layout, error) {
	if l, ok := m.sizes[id]; ok {
		if l.align == 0 {
			return l, fmt.Errorf("spirv: type %d contains itself", id)
		}
		return l, nil
	}
	m.sizes[id] = layout{}
	l, err := m.measure(m.defs[id], id)
	if err != nil {
		return l, err
	}
	if l.size > maxBytes {
		return l, fmt.Errorf("spirv: type %d has more than %d bytes", id, maxBytes)
	}
	m.sizes[id] = l
	return l, nil
}

func (m *module) measure(in inst, id uint32) (layout, error) {
	switch in.op {
	case opTypeBool:
		return layout{4, 4}, nil
	case opTypeInt, opTypeFloat:
		b := uint64(in.a[1]) / 8
		return layout{b, max(b, 1)}, nil
	case opTypeVector:
		e, err := m.sizeof(in.a[1])
		n := uint64(in.a[2])
		if n == 3 {
			return layout{3 * e.size, max(4*e.size, 1)}, err
		}
		return layout{n * e.size, max(n*e.size, 1)}, err
	case opTypeMatrix, opTypeArray:
		e, err := m.sizeof(in.a[1])
		if err != nil {
			return e, err
		}
		n := in.a[2]
		if in.op == opTypeArray {
			if n, err = m.eval(n); err != nil {
				return e, err
			}
		}
		return layout{uint64(n) * up(e.size, e.align), e.align}, nil
	case opTypeStruct:
		l := layout{0, 1}
		for _, t := range in.a[1:] {
			e, err := m.sizeof(t)
			if err != nil {
				return e, err
			}
			l = layout{up(l.size, e.align) + e.size, max(l.align, e.align)}
		}
		return layout{up(l.size, l.align), l.align}, nil
	}
	return layout{}, fmt.Errorf("spirv: type %d has no size", id)
}

// up rounds n up to a multiple of a.
func up(n, a uint64) uint64 { return (n + a - 1) / a * a }
