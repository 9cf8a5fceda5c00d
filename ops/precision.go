package ops

import (
	"fmt"

	"sparsevk/shaders"
)

// Precision is how the elements of a block are stored. Maps and the gradients that
// lie where maps lie may have 16 bits; everything else is float32.
type Precision = shaders.Precision

// The precisions.
const (
	FP32 = shaders.FP32 // float32
	FP16 = shaders.FP16 // float16; gradients need a loss scale
	BF16 = shaders.BF16 // bfloat16: float32's range, 8 bits of precision
)

// ParsePrecision reads fp32, fp16 or bf16.
func ParsePrecision(s string) (Precision, error) {
	p, err := shaders.ParsePrecision(s)
	if err != nil {
		return FP32, fmt.Errorf("ops: unknown precision %q: use fp32, fp16 or bf16", s)
	}
	return p, nil
}

// Code returns the kernel that runs s: the form of Kernel for the precision of the
// maps that are bound. It is the one place where a precision chooses a kernel. It
// panics if the maps of a step differ in precision, if Kernel has no form for it,
// or if what is bound beside the maps is not float32.
func (s *Step) Code() *shaders.Kernel {
	p, seen := FP32, false
	for i, binding := range s.Kernel.Bindings {
		for _, v := range s.Args[i] {
			switch got := v.Block.Precision; {
			case !binding.Map && got != FP32:
				panic(fmt.Sprintf("ops: %s: %s of %s takes float32, and %v is %v", s.Label, binding.Name, s.Kernel.Name, v, got))
			case binding.Map && seen && got != p:
				panic(fmt.Sprintf("ops: %s: %s of %s is %v, %v, beside maps of %v", s.Label, binding.Name, s.Kernel.Name, v, got, p))
			case binding.Map:
				p, seen = got, true
			}
		}
	}
	k := s.Kernel.In(p)
	if k == nil {
		panic(fmt.Sprintf("ops: %s: %s has no form for %v", s.Label, s.Kernel.Name, p))
	}
	return k
}
