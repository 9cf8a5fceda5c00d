package sparsenet

import "fmt"

// ParamAlign is the alignment of a parameter within its region, in elements:
// 256 bytes, so that each can be bound on any device.
const ParamAlign = 64

// maxParams is the number of elements of the largest region that is laid out.
const maxParams = 1 << 36

// A ParamKind says what a tensor is for, and so how it starts.
type ParamKind uint8

// The kinds of parameters, and the two running statistics.
const (
	ConvWeight ParamKind = iota
	Gamma
	Beta
	LinearWeight
	LinearBias
	RunningMean
	RunningVar
)

// String returns the name of the kind of parameter.
func (k ParamKind) String() string {
	return [...]string{"convolution weight", "gamma", "beta", "linear weight", "linear bias", "running mean", "running variance"}[k]
}

// Trained reports whether k is a parameter, not a running statistic.
func (k ParamKind) Trained() bool { return k < RunningMean }

// A Param is one tensor of the model, in the shape and order of PyTorch:
// convolutions [K][C][R][S], linear weights [classes][features].
type Param struct {
	Name   string
	Shape  []int
	Kind   ParamKind
	Offset int // elements from the start of its region, a multiple of ParamAlign
	Node   int // index in Graph.Nodes
}

// Elems returns the number of elements.
func (p Param) Elems() int {
	n := 1
	for _, d := range p.Shape {
		n *= d
	}
	return n
}

// Params lists the tensors of a model under the names of the official PyTorch
// implementation (Lyken17/SparseNet); the batch norm of the ImageNet stem, which
// that does not have, is features.norm0, as in torchvision's DenseNet. Two
// regions hold them: one for what is trained, one for the running statistics.
type Params struct {
	All          []Param // in the order of PyTorch's state_dict, without num_batches_tracked
	Trained      []Param // the parameters, in that order
	Running      []Param // the running statistics, in that order
	Elems        int     // elements of the parameters' region, with alignment
	RunningElems int     // elements of the running statistics' region, with alignment
	index        map[string]int
}

// Find returns the tensor of the given name.
func (p *Params) Find(name string) (Param, bool) {
	i, ok := p.index[name]
	if !ok {
		return Param{}, false
	}
	return p.All[i], true
}

// newParams lists the tensors of g, in the order of its nodes.
func newParams(g *Graph) (*Params, error) {
	p := &Params{index: make(map[string]int)}
	for i, n := range g.Nodes {
		if n.BN != "" {
			p.add(i, n.BN+".weight", Gamma, n.C)
			p.add(i, n.BN+".bias", Beta, n.C)
			p.add(i, n.BN+".running_mean", RunningMean, n.C)
			p.add(i, n.BN+".running_var", RunningVar, n.C)
		}
		switch {
		case n.Kind == Head:
			p.add(i, n.Conv+".weight", LinearWeight, n.K, n.C*n.Grid*n.Grid)
			p.add(i, n.Conv+".bias", LinearBias, n.K)
		case n.Conv != "":
			p.add(i, n.Conv+".weight", ConvWeight, n.K, n.C, n.R, n.S)
		}
		if p.Elems > maxParams {
			e := new(ConfigError)
			e.add("growth", join(g.Config.Growth), fmt.Sprintf("the network has more than %d parameters", maxParams), "use less growth or depth")
			return nil, e
		}
	}
	return p, nil
}

func (p *Params) add(node int, name string, kind ParamKind, shape ...int) {
	t := Param{Name: name, Shape: shape, Kind: kind, Node: node}
	region, elems := &p.Trained, &p.Elems
	if !kind.Trained() {
		region, elems = &p.Running, &p.RunningElems
	}
	t.Offset = *elems
	*elems += (t.Elems() + ParamAlign - 1) / ParamAlign * ParamAlign
	*region = append(*region, t)
	p.index[name] = len(p.All)
	p.All = append(p.All, t)
}

// Count returns the number of trained parameters, without alignment.
func (p *Params) Count() int {
	n := 0
	for _, t := range p.Trained {
		n += t.Elems()
	}
	return n
}
