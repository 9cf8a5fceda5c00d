package onnx

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"sparsevk/sparsenet"
	"sparsevk/train/internal/durable"
)

// Versions that a model asks for.
const (
	irVersion = 8
	opset     = 17
)

// Names of a model's input, [batch][C][H][W] of normalised pixels, and output,
// [batch][classes].
const (
	Input  = "images"
	Output = "logits"
)

// Write writes Encode's model to path, whole or not at all.
func Write(path string, g *sparsenet.Graph, values map[string][]float32, metadata map[string]string) error {
	b, err := Encode(g, values, metadata)
	if err != nil {
		return err
	}
	err = durable.Write(durable.OS{}, path, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
	if err != nil {
		return fmt.Errorf("onnx: %w", err)
	}
	return nil
}

// Encode returns the model of g with the given parameters and running statistics, by
// name. A network with a part that has no ONNX form here is refused by name, as is
// one of more than 2 GiB, the most that protobuf holds.
func Encode(g *sparsenet.Graph, values map[string][]float32, metadata map[string]string) ([]byte, error) {
	e := &encoder{graph: g, values: values}
	if n := 4 * g.Params.Elems; n >= math.MaxInt32 {
		return nil, fmt.Errorf("onnx: %s has %d bytes of parameters, an ONNX file holds less than 2 GiB", g.Config.Name(), n)
	}
	in := g.Maps[0]
	e.message.bytes(11, valueInfo(Input, in.C, in.H, in.W))
	e.message.bytes(12, valueInfo(Output, g.Config.Classes))
	for _, n := range g.Nodes {
		e.layer(n)
	}
	e.message.text(2, g.Config.Name())
	if e.err != nil {
		return nil, e.err
	}
	var m, set message
	m.integer(1, irVersion)
	m.text(2, "sparsevk")
	m.bytes(7, e.message)
	set.text(1, "")
	set.integer(2, opset)
	m.bytes(8, set)
	for _, k := range slices.Sorted(maps.Keys(metadata)) {
		var entry message
		entry.text(1, k)
		entry.text(2, metadata[k])
		m.bytes(14, entry)
	}
	return m, nil
}

// An encoder appends nodes and initializers to a GraphProto. The first error sticks.
type encoder struct {
	message
	graph  *sparsenet.Graph
	values map[string][]float32
	err    error
}

// attr is one attribute of a node.
type attr struct {
	name string
	v    any
}

// node appends a NodeProto with one output, which it returns.
func (e *encoder) node(op, out string, in []string, attributes ...attr) string {
	var n message
	for _, s := range in {
		n.text(1, s)
	}
	n.text(2, out)
	n.text(3, op+":"+out)
	n.text(4, op)
	for _, a := range attributes {
		n.bytes(5, attribute(a.name, a.v))
	}
	e.message.bytes(1, n)
	return out
}

// parameter appends a parameter or statistic as an initializer, and returns its name.
func (e *encoder) parameter(name string) string {
	p, ok := e.graph.Params.Find(name)
	v := e.values[name]
	if !ok || len(v) != p.Elems() {
		e.fail("%s has %d values, want %d", name, len(v), p.Elems())
		return name
	}
	e.message.bytes(5, tensor(name, p.Shape, v))
	return name
}

func (e *encoder) fail(format string, args ...any) {
	if e.err == nil {
		e.err = fmt.Errorf("onnx: "+format, args...)
	}
}

// mapName is how a map is called in the model.
func (e *encoder) mapName(id int) string {
	if id == 0 {
		return Input
	}
	return e.graph.Maps[id].Name
}

// layer appends what a node of the network does.
func (e *encoder) layer(n sparsenet.Node) {
	x := e.activated(n)
	switch n.Kind {
	case sparsenet.StemConv, sparsenet.LayerConv, sparsenet.Bottleneck, sparsenet.Shortcut:
		e.convolution(n, x, e.mapName(n.Out))
	case sparsenet.Transition:
		if n.Pool {
			x = e.convolution(n, x, n.Name+"/conv")
			e.node("AveragePool", e.mapName(n.Out), []string{x}, attr{"kernel_shape", []int{2, 2}}, attr{"strides", []int{2, 2}})
		} else {
			e.convolution(n, x, e.mapName(n.Out))
		}
	case sparsenet.StemPool:
		e.node("MaxPool", e.mapName(n.Out), []string{x}, attr{"kernel_shape", []int{n.R, n.S}},
			attr{"strides", []int{n.Stride, n.Stride}}, attr{"pads", []int{n.Pad, n.Pad, n.Pad, n.Pad}})
	case sparsenet.Head:
		e.head(n, x)
		return
	default:
		e.fail("%s is a %v, which is not exported to ONNX: export to safetensors", n.Name, n.Kind)
		return
	}
	m := e.graph.Maps[n.Out]
	e.message.bytes(13, valueInfo(m.Name, m.C, m.H, m.W))
}

// activated appends what stands before a node's convolution: the concatenation or
// sum of what it reads, batch norm with the running statistics, ReLU.
func (e *encoder) activated(n sparsenet.Node) string {
	x := e.mapName(n.In[0])
	if len(n.In) > 1 {
		var in []string
		for _, id := range n.In {
			in = append(in, e.mapName(id))
		}
		if e.graph.Config.Form == sparsenet.Sum {
			x = e.node("Sum", n.Name+"/sum", in)
		} else {
			x = e.node("Concat", n.Name+"/concat", in, attr{"axis", 1})
		}
	}
	if n.BN == "" {
		return x
	}
	in := []string{x}
	for _, part := range []string{".weight", ".bias", ".running_mean", ".running_var"} {
		in = append(in, e.parameter(n.BN+part))
	}
	x = e.node("BatchNormalization", n.Name+"/bn", in, attr{"epsilon", float32(sparsenet.Epsilon)})
	return e.node("Relu", n.Name+"/relu", []string{x})
}

func (e *encoder) convolution(n sparsenet.Node, x, out string) string {
	return e.node("Conv", out, []string{x, e.parameter(n.Conv + ".weight")}, attr{"kernel_shape", []int{n.R, n.S}},
		attr{"strides", []int{n.Stride, n.Stride}}, attr{"pads", []int{n.Pad, n.Pad, n.Pad, n.Pad}})
}

func (e *encoder) head(n sparsenet.Node, x string) {
	if n.Grid != 1 {
		e.fail("%s pools to %d×%d, which is not exported to ONNX: use head_grid 1", n.Name, n.Grid, n.Grid)
	}
	x = e.node("GlobalAveragePool", n.Name+"/pool", []string{x})
	x = e.node("Flatten", "features", []string{x}, attr{"axis", 1})
	e.node("Gemm", Output, []string{x, e.parameter(n.Conv + ".weight"), e.parameter(n.Conv + ".bias")}, attr{"transB", 1})
}
