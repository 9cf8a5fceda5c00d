package convert

import (
	"fmt"
	"regexp"
	"strings"

	"sparsevk/sparsenet"
)

// A Scheme is a way to name the tensors of a network.
type Scheme string

// The schemes.
const (
	// Official is Lyken17/SparseNet's, and this project's own.
	Official Scheme = "official"
	// Torchvision is that of torchvision.models.DenseNet, and of the DenseNets that
	// followed it (gpleiss/efficient_densenet_pytorch).
	Torchvision Scheme = "torchvision"
)

// Schemes are all of them, the first one first choice.
var Schemes = []Scheme{Official, Torchvision}

// ParseScheme reads the name of a scheme.
func ParseScheme(s string) (Scheme, error) {
	for _, known := range Schemes {
		if Scheme(s) == known {
			return known, nil
		}
	}
	return "", fmt.Errorf("convert: unknown names %q: use official or torchvision", s)
}

// Names returns, for every tensor of g by its own name, its name in the scheme. The
// error says why the scheme has no name for one.
func (s Scheme) Names(g *sparsenet.Graph) (map[string]string, error) {
	if s != Official && g.Config.Form == sparsenet.Sum {
		return nil, fmt.Errorf("convert: %s is of the sum form, torchvision's DenseNet is not; use the official names", g.Config.Name())
	}
	names := make(map[string]string, len(g.Params.All))
	for _, p := range g.Params.All {
		names[p.Name] = p.Name
		if s == Official {
			continue
		}
		n := g.Nodes[p.Node]
		bn, conv, err := torchvision(n)
		if err != nil {
			return nil, err
		}
		switch {
		case n.BN != "" && strings.HasPrefix(p.Name, n.BN+"."):
			names[p.Name] = bn + strings.TrimPrefix(p.Name, n.BN)
		default:
			names[p.Name] = conv + strings.TrimPrefix(p.Name, n.Conv)
		}
	}
	return names, nil
}

// torchvision returns the prefixes of a node's batch norm and of its convolution or
// linear layer. Source: torchvision/models/densenet.py.
func torchvision(n sparsenet.Node) (bn, conv string, err error) {
	layer := fmt.Sprintf("features.denseblock%d.denselayer%d.", n.Stage+1, n.Layer)
	switch n.Kind {
	case sparsenet.StemConv, sparsenet.StemPool:
		return "features.norm0", "features.conv0", nil
	case sparsenet.Bottleneck:
		return layer + "norm1", layer + "conv1", nil
	case sparsenet.LayerConv:
		second := string(n.Conv[len(n.Conv)-1]) // 2 behind a bottleneck, else 1
		return layer + "norm" + second, layer + "conv" + second, nil
	case sparsenet.Transition:
		prefix := fmt.Sprintf("features.transition%d.", n.Stage+1)
		return prefix + "norm", prefix + "conv", nil
	case sparsenet.Head:
		return "features.norm5", "classifier", nil
	}
	return "", "", fmt.Errorf("convert: %s: torchvision's DenseNet has no layer like this; use the official names", n.Name)
}

// oldLayer matches torchvision's names before its version 0.2, which PyTorch's
// published densenet files still have: denselayer1.norm.1.weight.
var oldLayer = regexp.MustCompile(`^(.*denselayer\d+\.(?:norm|conv))\.([12]\.(?:weight|bias|running_mean|running_var|num_batches_tracked))$`)

// canonical returns the name that the scheme has today for a name of a file.
func (s Scheme) canonical(name string) string {
	if s != Torchvision {
		return name
	}
	if m := oldLayer.FindStringSubmatch(name); m != nil {
		return m[1] + m[2]
	}
	if rest, ok := strings.CutPrefix(name, "features.norm_final."); ok { // gpleiss's
		return "features.norm5." + rest
	}
	return name
}

// wrappers are put before every name by torch.nn.DataParallel and torch.compile.
var wrappers = []string{"module.", "_orig_mod."}

// unwrap returns the length of the prefix that wrappers put before all names.
func unwrap(names []string) int {
	cut := 0
	for again := len(names) > 0; again; {
		again = false
		for _, w := range wrappers {
			all := true
			for _, n := range names {
				all = all && strings.HasPrefix(n[cut:], w)
			}
			if all {
				cut += len(w)
				again = true
			}
		}
	}
	return cut
}
