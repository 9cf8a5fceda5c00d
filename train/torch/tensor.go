package torch

import (
	"fmt"
	"math"
	"slices"

	"sparsevk/train/safetensors"
)

// A storage is a run of elements of the file, named by key.
type storage struct {
	dtype safetensors.DType
	key   string
	elems int64
}

// A tensor is a view of a storage: element (i, j, …) is that at
// offset + i·stride[0] + j·stride[1] + …
type tensor struct {
	storage
	offset       int64
	shape        []int
	stride       []int64
	bytes, elems int64
}

// storageTypes are the classes that name a storage's elements.
var storageTypes = map[string]safetensors.DType{
	"FloatStorage": "F32", "DoubleStorage": "F64", "HalfStorage": "F16", "BFloat16Storage": "BF16",
	"LongStorage": "I64", "IntStorage": "I32", "ShortStorage": "I16", "CharStorage": "I8", "ByteStorage": "U8", "BoolStorage": "BOOL",
}

// persistent makes a storage of the id ("storage", class, key, place, elements).
func persistent(id any) (any, error) {
	t, _ := id.(tuple)
	if len(t) < 5 || t[0] != "storage" {
		return nil, fmt.Errorf("a persistent id of %d values names no storage", len(t))
	}
	class, _ := t[1].(global)
	key, ok := t[2].(string)
	elems, ok2 := t[4].(int64)
	if !ok || !ok2 || elems < 0 {
		return nil, fmt.Errorf("a storage of class %v has no key or no size", class)
	}
	if len(t) > 5 && t[5] != nil {
		return nil, fmt.Errorf("storage %q is a view of another, as before PyTorch 0.4: load it with PyTorch and save it again", key)
	}
	return storage{storageTypes[class.name], key, elems}, nil // an unknown type is an error only of a tensor that is asked for
}

// call knows the functions with which PyTorch rebuilds what a state_dict holds.
func call(f global, args tuple) (v any, ok bool, err error) {
	switch f.String() {
	case "collections.OrderedDict":
		d := &dict{}
		return d, true, d.fill(args)
	case "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2":
		t, err := rebuild(args)
		return t, true, err
	case "torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state":
		if len(args) > 0 {
			return args[0], true, nil
		}
	}
	return nil, false, nil
}

// fill sets the pairs of OrderedDict's argument, as Python 2 wrote them.
func (d *dict) fill(args tuple) error {
	if len(args) == 0 {
		return nil
	}
	pairs, ok := args[0].(*list)
	if !ok {
		return fmt.Errorf("a dict made of a %T", args[0])
	}
	for _, p := range pairs.items {
		var pair []any
		switch p := p.(type) {
		case tuple:
			pair = p
		case *list:
			pair = p.items
		}
		if len(pair) != 2 {
			return fmt.Errorf("a dict made of a %T of %d values", p, len(pair))
		}
		d.keys, d.values = append(d.keys, pair[0]), append(d.values, pair[1])
	}
	return nil
}

// rebuild makes a tensor of (storage, offset, shape, stride, …).
func rebuild(args tuple) (*tensor, error) {
	if len(args) < 4 {
		return nil, fmt.Errorf("a tensor of %d arguments", len(args))
	}
	s, ok := args[0].(storage)
	offset, ok2 := args[1].(int64)
	shape, ok3 := sizes(args[2])
	stride, ok4 := sizes(args[3])
	if !ok || !ok2 || !ok3 || !ok4 || len(shape) != len(stride) || len(shape) > 16 {
		return nil, fmt.Errorf("a tensor whose storage, offset, shape or strides are of another type: %T, %T, %T, %T", args[0], args[1], args[2], args[3])
	}
	t := &tensor{storage: s, offset: offset, stride: stride, shape: make([]int, len(shape))}
	for i, n := range shape {
		t.shape[i] = int(n)
	}
	return t, t.place()
}

// sizes reads a tuple (or torch.Size, which is pickled as one) of whole numbers.
func sizes(v any) (list []int64, ok bool) {
	t, ok := v.(tuple)
	for _, x := range t {
		n, isInt := x.(int64)
		ok = ok && isInt && n >= 0
		list = append(list, n)
	}
	return list, ok
}

// place checks that the tensor lies within its storage and nowhere overlaps with
// itself, and counts it.
func (t *tensor) place() error {
	t.elems = 1
	dims := make([]int, 0, len(t.shape))
	for i, n := range t.shape {
		if n > 0 && t.elems > math.MaxInt32/int64(n) {
			return fmt.Errorf("tensor of shape %v: more than 2^31 elements", t.shape)
		}
		t.elems *= int64(n)
		if n > 1 {
			dims = append(dims, i)
		}
	}
	t.bytes = t.elems * int64(t.dtype.Bytes())
	if t.elems == 0 {
		return nil
	}
	slices.SortFunc(dims, func(a, b int) int { return int(min(1, max(-1, t.stride[a]-t.stride[b]))) })
	last := int64(0) // the farthest element over the dimensions so far
	for _, d := range dims {
		if t.stride[d] <= last {
			return fmt.Errorf("tensor of shape %v with strides %v overlaps with itself: save it with .contiguous()", t.shape, t.stride)
		}
		if t.stride[d] > t.storage.elems {
			last = t.storage.elems // out of bounds, without overflow
			break
		}
		last += int64(t.shape[d]-1) * t.stride[d]
	}
	if t.offset < 0 || t.offset > t.storage.elems || last >= t.storage.elems-t.offset {
		return fmt.Errorf("tensor of shape %v with strides %v at %d lies outside of its storage of %d elements", t.shape, t.stride, t.offset, t.storage.elems)
	}
	return nil
}

// gather copies the tensor's elements from its storage's bytes, the last dimension
// fastest.
func (t *tensor) gather(dst, raw []byte) {
	size := int64(t.dtype.Bytes())
	if t.contiguous() {
		copy(dst, raw[t.offset*size:])
		return
	}
	index := make([]int, len(t.shape))
	at := t.offset
	for i := int64(0); i < t.elems; i++ {
		copy(dst[i*size:(i+1)*size], raw[at*size:])
		for d := len(index) - 1; d >= 0; d-- { // the next element
			if index[d]++; index[d] < t.shape[d] {
				at += t.stride[d]
				break
			}
			at -= int64(t.shape[d]-1) * t.stride[d]
			index[d] = 0
		}
	}
}

func (t *tensor) contiguous() bool {
	n := int64(1)
	for d := len(t.shape) - 1; d >= 0; d-- {
		if t.shape[d] != 1 && t.stride[d] != n {
			return false
		}
		n *= int64(t.shape[d])
	}
	return true
}
