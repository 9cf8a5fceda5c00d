package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/template"

	"sparsevk/sparsenet"
)

// modelsDoc is docs/NETWORKS.md; every number in its tables is counted.
var modelsDoc = template.Must(template.New("networks").Funcs(template.FuncMap{
	"n": sparsenet.Thousands, "counts": docCounts, "error": errorRate, "ours": ours,
	"imagenet": func(name string) bool { return strings.HasPrefix(name, "imagenet-") },
	"mega":     func(n int64) string { return fmt.Sprintf("%.1f", float64(n)/1e6) },
}).Parse(`# Networks: published counts and ours

Written by ` + "`sparsenet models --markdown`" + `; a test holds this page against it.

Parameters are convolution weights, gamma and beta of every batch norm, and the classifier's weights and bias; running statistics, which
are not trained, do not count. Multiply-accumulates are those of one image, forward, with the transition's pooling after its 1×1 as
published. The paper's FLOPs are two per multiply-accumulate and two per value through batch norm.

## CIFAR

Counted with as many classes as the published number was; errors in % are those with augmentation, as published.

| network | published | classes | ours | | CIFAR-100 | CIFAR-10 |
|---|---|---|---|---|---|---|
{{range .Models}}{{if .Published}}{{if not (imagenet .Name)}}| {{.Name}} | {{.Published.Parameters}} | {{.Published.Classes}} | {{n .Published.Ours}} | {{if .Published.Equal}}equal{{else}}**off**{{end}}{{with .Published.Explained}}: {{.}}{{end}} | {{error .Published.Error}} | {{error .Published.Error10}} |
{{end}}{{end}}{{end}}
Initial channels are twice the growth of the first stage: with any other number the rows without bottlenecks are off. The published code
starts with the growth itself, which its author calls a mistake ([Lyken17/SparseNet#2](https://github.com/Lyken17/SparseNet/issues/2)).

## ImageNet

| network | published | ours | | top-1 error |
|---|---|---|---|---|
{{range .Models}}{{if .Published}}{{if imagenet .Name}}| {{.Name}} | {{.Published.Parameters}}, {{.Published.FLOPs}} | {{ours .Published}} | {{if .Published.Equal}}equal{{else}}**off**{{end}} | {{error .Published.Error}} |
{{end}}{{end}}{{end}}
The paper's SparseNet rows come out with initial channels equal to the growth and a classifier of nine times the features, that of a map
pooled to 3×3; the presets that end in -paper count so, and can be counted only. Those that end in -init2k are what runs here: twice the
growth, and global average pooling, as in DenseNet.

## Why Keras counts 0.74M where the paper has 0.76M

[titu1994/keras-SparseNet](https://github.com/titu1994/keras-SparseNet) asks this in its README. Three causes: the port starts with the
growth as initial channels; it counts for 10 classes; and its total includes the running statistics of batch norm.

| | initial channels | classes | counted | SparseNet-40-24 | SparseNet-100-24 |
|---|---|---|---|---|---|
| Keras, total | k | 10 | parameters and running statistics | {{(counts "sparse-40-24-init1k-c10").Total}} | {{(counts "sparse-100-24-init1k-c10").Total}} |
| Keras, trainable | k | 10 | parameters | {{(counts "sparse-40-24-init1k-c10").Parameters}} | {{(counts "sparse-100-24-init1k-c10").Parameters}} |
| initial channels of the paper | 2k | 10 | parameters | {{(counts "sparse-40-24-c10").Parameters}} | {{(counts "sparse-100-24-c10").Parameters}} |
| the paper | 2k | 100 | parameters | {{(counts "sparse-40-24-c100").Parameters}} | {{(counts "sparse-100-24-c100").Parameters}} |

Two published counts of SparseNet with bottlenecks are off, whatever is counted; the table above says what is known.

## Other bases

SparseNet-100-24 for 100 classes, with links to maps at distances 1, b, b², …

| base | parameters | MMACs | links |
|---|---|---|---|
{{range .Bases}}{{with counts (printf "powers%d-100-24-c100" .)}}| {{.Base}} | {{.Parameters}} | {{.MMACs}} | {{.Links}} |
{{end}}{{end}}
## The sum form

With dense wiring these are pre-activation ResNets with 1×1 projections, and have their counts; sparse wiring changes links alone. Nothing was
published about the sparse ones but the definition.

| preset | ResNet | parameters | MMACs | links, dense | links, sparse |
|---|---|---|---|---|---|
{{range .ResNets}}{{$sparse := counts (print "sparse-" .)}}{{with counts (print "dense-" .)}}| {{.Name}} | {{.Depth}} | {{.Parameters}} | {{.MMACs}} | {{.Links}} | {{$sparse.Links}} |
{{end}}{{end}}
## All presets

What training takes is in ` + "`sparsenet models`" + `, at batch 64, and ` + "`sparsenet memory`" + `.

| preset | classes | parameters | MMACs | links |
|---|---|---|---|---|
{{range .Models}}| {{.Name}} | {{.Classes}} | {{n .Parameters}} | {{mega .MACs}} | {{n .Links}} |
{{end}}`))

// counted is a preset's counts as text.
type counted struct {
	Name, Depth, Base               string
	Parameters, Total, MMACs, Links string // Total with running statistics
}

func docCounts(preset string) (counted, error) {
	g, err := buildPreset(preset)
	if err != nil {
		return counted{}, err
	}
	c := g.Counts()
	return counted{
		Name: preset, Depth: strconv.Itoa(g.Config.Depth), Base: cmp.Or(strings.TrimPrefix(strings.TrimPrefix(g.Config.Wiring.Name, "powers"), ":"), "2"),
		Parameters: sparsenet.Thousands(c.Parameters), Total: sparsenet.Thousands(c.Parameters + 2*c.BatchNormChannels),
		MMACs: fmt.Sprintf("%.1f", float64(c.MACs)/1e6), Links: sparsenet.Thousands(c.Links),
	}, nil
}

// writeModelsDoc prints docs/NETWORKS.md.
func writeModelsDoc(w io.Writer, models []model) error {
	var text bytes.Buffer
	err := modelsDoc.Execute(&text, struct {
		Models  []model
		Bases   []int
		ResNets []string
	}{models, []int{2, 3, 4}, []string{
		"sum-20-16x32x64", "sum-56-16x32x64", "sum-110-16x32x64", "sum-bc-164-64x128x256", "sum-bc-1001-64x128x256",
	}})
	if err == nil {
		_, err = text.WriteTo(w)
	}
	if err != nil {
		return fmt.Errorf("writing the models: %w", err)
	}
	return nil
}
