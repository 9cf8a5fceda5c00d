package convert

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"

	"sparsevk/sparsenet"
	"sparsevk/train"
	"sparsevk/train/safetensors"
	"sparsevk/train/torch"
)

// A Source is a file of named tensors.
type Source interface {
	// Tensors describes them.
	Tensors() []safetensors.Info
	// Read copies the little-endian elements of one into dst.
	Read(name string, dst []byte) error
	io.Closer
}

// Open opens a safetensors file or a checkpoint of PyTorch; the content says which.
// A checkpoint of this project must have the right hash.
func Open(path string) (Source, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("convert: %w", err)
	}
	var head [9]byte
	n, err := io.ReadFull(f, head[:])
	f.Close()
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("convert: %s: %w", path, err)
	}
	switch {
	case n == len(head) && head[8] == '{', strings.HasSuffix(path, ".safetensors"):
		return train.OpenModel(path)
	case strings.HasPrefix(string(head[:n]), "PK"), n > 0 && head[0] == 0x80:
		return torch.Open(path)
	}
	return nil, fmt.Errorf("convert: %s is neither a safetensors file nor a checkpoint of PyTorch", path)
}

// A Mismatch says how the tensors of a file are not those of a network: all of them,
// by the names that the file has or should have.
type Mismatch struct {
	Network, Scheme            string
	Missing, Unexpected, Wrong []string
}

// mismatchLines is how many tensors of a kind the text of a Mismatch names. Of another
// network's file hundreds are wrong, and no more is learned of them.
const mismatchLines = 8

// Error counts what is missing, unexpected and of the wrong kind, and lists the first.
func (e *Mismatch) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "convert: the tensors are not those of %s (%s names): %d missing, %d unexpected, %d of the wrong kind; is it another network?",
		e.Network, e.Scheme, len(e.Missing), len(e.Unexpected), len(e.Wrong))
	for _, part := range []struct {
		what string
		list []string
	}{{"missing", e.Missing}, {"unexpected", e.Unexpected}, {"wrong", e.Wrong}} {
		for _, line := range part.list[:min(len(part.list), mismatchLines)] {
			fmt.Fprintf(&b, "\n  %s: %s", part.what, line)
		}
		if more := len(part.list) - mismatchLines; more > 0 {
			fmt.Fprintf(&b, "\n  %s: %d more", part.what, more)
		}
	}
	return b.String()
}

// Import returns every parameter and running statistic of g from src, as
// [sparsenet.Model.Load] takes them, and the scheme of src's names. F16, BF16 and F64
// become float32. Of a checkpoint whose run kept a moving average of the parameters,
// the average is returned, which is what the run evaluated. If the tensors are not exactly those of g the error is a
// *[Mismatch], and nothing is returned.
func Import(g *sparsenet.Graph, src Source) (map[string][]float32, Scheme, error) {
	scheme, names, found := match(g, src.Tensors())
	bad := &Mismatch{Network: g.Config.Name(), Scheme: string(scheme)}
	expected := map[string]bool{}
	for _, p := range g.Params.All {
		name := names[p.Name]
		expected[name] = true
		info, ok := found[name]
		switch {
		case !ok:
			bad.Missing = append(bad.Missing, fmt.Sprintf("%s %v", name, p.Shape))
		case !slices.Equal(info.Shape, p.Shape):
			bad.Wrong = append(bad.Wrong, fmt.Sprintf("%s has shape %v, the network's is %v", info.Name, info.Shape, p.Shape))
		case toFloat32[info.DType] == nil:
			bad.Wrong = append(bad.Wrong, fmt.Sprintf("%s has elements of %s, which are not floating-point numbers", info.Name, info.DType))
		}
	}
	file, ok := src.(*safetensors.File)
	ofRun := ok && train.IsCheckpoint(file)
	for name, info := range found {
		if !expected[name] && !ofRun && !strings.HasSuffix(name, ".num_batches_tracked") {
			bad.Unexpected = append(bad.Unexpected, fmt.Sprintf("%s %v", info.Name, info.Shape))
		}
	}
	if len(bad.Missing)+len(bad.Unexpected)+len(bad.Wrong) > 0 {
		slices.Sort(bad.Unexpected)
		return nil, "", bad
	}
	values := make(map[string][]float32, len(g.Params.All))
	for _, p := range g.Params.All {
		info := found[names[p.Name]]
		if average, ok := found[train.AverageName(p)]; ok && ofRun {
			info = average
		}
		v, err := read(src, info, p.Kind)
		if err != nil {
			return nil, "", err
		}
		values[p.Name] = v
	}
	return values, scheme, nil
}

// match finds the scheme in which the most tensors have a name of g's. It returns
// that scheme's names of g's tensors, and the tensors by the scheme's name of today.
func match(g *sparsenet.Graph, infos []safetensors.Info) (best Scheme, names map[string]string, found map[string]safetensors.Info) {
	list := make([]string, len(infos))
	for i, info := range infos {
		list[i] = info.Name
	}
	cut, most := unwrap(list), -1
	for _, s := range Schemes {
		theirs, err := s.Names(g)
		if err != nil {
			continue // it has no names for such a network
		}
		by := make(map[string]safetensors.Info, len(infos))
		for _, info := range infos {
			name := s.canonical(info.Name[cut:])
			if _, twice := by[name]; twice {
				name = info.Name // so that it is unexpected
			}
			by[name] = info
		}
		hits := 0
		for _, name := range theirs {
			if _, ok := by[name]; ok {
				hits++
			}
		}
		if hits > most {
			best, names, found, most = s, theirs, by, hits
		}
	}
	return best, names, found
}

// toFloat32 are the element types that are read, with what makes a float32 of the
// bytes of one.
var toFloat32 = map[safetensors.DType]func([]byte) float32{
	safetensors.F32: func(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) },
	safetensors.F64: func(b []byte) float32 { return float32(math.Float64frombits(binary.LittleEndian.Uint64(b))) },
	"BF16":          func(b []byte) float32 { return math.Float32frombits(uint32(binary.LittleEndian.Uint16(b)) << 16) },
	"F16":           func(b []byte) float32 { return half(binary.LittleEndian.Uint16(b)) },
}

// half returns the value of an IEEE 754 binary16.
func half(h uint16) float32 {
	sign, exp, frac := uint32(h>>15)<<31, int(h>>10&31), float64(h&0x3ff)
	var v float64
	switch exp {
	case 0:
		v = math.Ldexp(frac, -24)
	case 31:
		v = math.Inf(1)
		if frac != 0 {
			v = math.NaN()
		}
	default:
		v = math.Ldexp(1024+frac, exp-25)
	}
	return math.Float32frombits(sign | math.Float32bits(float32(v)))
}

// read returns the elements of one tensor, which must be finite, and if they are
// variances not negative.
func read(src Source, info safetensors.Info, kind sparsenet.ParamKind) ([]float32, error) {
	raw := make([]byte, info.Bytes)
	if err := src.Read(info.Name, raw); err != nil {
		return nil, err
	}
	convert, width := toFloat32[info.DType], info.DType.Bytes()
	v := make([]float32, len(raw)/width)
	for i := range v {
		v[i] = convert(raw[i*width:])
		if x := float64(v[i]); math.IsNaN(x) || math.IsInf(x, 0) || (kind == sparsenet.RunningVar && x < 0) {
			return nil, fmt.Errorf("convert: %s: element %d is %g, no %v of a trained network", info.Name, i, v[i], kind)
		}
	}
	return v, nil
}
