package sparsenet

import (
	"fmt"
	"strconv"
	"strings"
)

// A Published is what others printed about a network, and what we make of it.
// Source: the README of Lyken17/SparseNet and the ECCV 2018 paper; errors on CIFAR-10
// are those of the README of liuzhuang13/DenseNet and of Lyken17/SparseNet#7.
type Published struct {
	Preset     string  `json:"preset"`
	Parameters string  `json:"parameters"`              // as printed, in millions: "0.76M"
	FLOPs      string  `json:"flops,omitempty"`         // as printed, in thousand millions: "3.46G"
	Error      float64 `json:"error"`                   // in %: CIFAR-100 with augmentation, ImageNet top-1; 0 where none is known
	Error10    float64 `json:"error_cifar10,omitempty"` // in %: CIFAR-10 with augmentation
	Classes    int     `json:"classes"`                 // of the count that fits
	Explained  string  `json:"explained,omitempty"`
}

const tenClasses = "printed for 10 classes"

// published holds the table of NETWORKS: CIFAR-100 first, then ImageNet.
var published = []Published{
	{Preset: "dense-40-12", Parameters: "1.1M", Error: 24.79, Error10: 5.24, Classes: 100},
	{Preset: "dense-100-12", Parameters: "7.2M", Error: 20.97, Error10: 4.10, Classes: 100},
	{Preset: "dense-100-24", Parameters: "28.28M", Error: 19.61, Error10: 3.74, Classes: 100},
	{Preset: "dense-bc-100-12", Parameters: "0.8M", Error: 22.62, Error10: 4.51, Classes: 100},
	{Preset: "dense-bc-250-24", Parameters: "15.3M", Error: 17.6, Error10: 3.62, Classes: 10, Explained: tenClasses},
	{Preset: "dense-bc-190-40", Parameters: "25.6M", Error: 17.53, Error10: 3.46, Classes: 10, Explained: tenClasses},
	{Preset: "sparse-40-24", Parameters: "0.76M", Error: 24.65, Error10: 5.47, Classes: 100},
	{Preset: "sparse-100-24", Parameters: "2.52M", Classes: 100},
	{Preset: "sparse-100-36", Parameters: "5.65M", Error: 20.50, Classes: 100},
	{Preset: "sparse-100-16x32x64", Parameters: "7.22M", Error: 19.49, Classes: 100},
	{Preset: "sparse-bc-100-24", Parameters: "1.46M", Error: 22.12, Classes: 100},
	{Preset: "sparse-bc-100-16x32x64", Parameters: "4.38M", Error: 19.71, Classes: 100, Explained: "printed with 64 initial channels, it seems: 4,376,852"},
	{Preset: "sparse-bc-100-32x64x128", Parameters: "16.72M", Error: 17.71, Classes: 100, Explained: "nothing natural gives the printed count; others get 17.34M too"},
	{Preset: "imagenet-sparse-121-32-paper", Parameters: "4.51M", FLOPs: "3.46G", Error: 25.6, Classes: 1000},
	{Preset: "imagenet-sparse-169-32-paper", Parameters: "6.23M", FLOPs: "3.74G", Error: 24.2, Classes: 1000},
	{Preset: "imagenet-sparse-201-32-paper", Parameters: "7.22M", FLOPs: "4.13G", Error: 23.1, Classes: 1000},
	{Preset: "imagenet-sparse-201-48-paper", Parameters: "14.91M", FLOPs: "9.19G", Error: 22.1, Classes: 1000},
	{Preset: "imagenet-dense-121-32", Parameters: "7.98M", FLOPs: "5.70G", Error: 25.0, Classes: 1000},
	{Preset: "imagenet-dense-169-32", Parameters: "14.15M", FLOPs: "6.76G", Error: 23.6, Classes: 1000},
	{Preset: "imagenet-dense-201-32", Parameters: "20.01M", FLOPs: "8.63G", Error: 22.5, Classes: 1000},
}

// PublishedFor returns what was published about a preset.
func PublishedFor(preset string) (Published, bool) {
	for _, p := range published {
		if p.Preset == preset {
			return p, true
		}
	}
	return Published{}, false
}

// Agrees reports whether c, counted with p.Classes classes, has every printed
// digit of p.
func (p Published) Agrees(c Counts) bool {
	return printed(p.Parameters, c.Parameters) && (p.FLOPs == "" || printed(p.FLOPs, c.FLOPs()))
}

// printed reports whether n, rounded to the digits of s, reads as s.
func printed(s string, n int64) bool {
	unit := map[string]float64{"M": 1e6, "G": 1e9}[s[len(s)-1:]]
	_, digits, _ := strings.Cut(s[:len(s)-1], ".")
	return strconv.FormatFloat(float64(n)/unit, 'f', len(digits), 64)+s[len(s)-1:] == s
}

// String writes the numbers as they were printed.
func (p Published) String() string {
	s := p.Parameters
	if p.FLOPs != "" {
		s += ", " + p.FLOPs
	}
	if p.Classes == 10 || p.Classes == 100 {
		s += fmt.Sprintf(" (%d classes)", p.Classes)
	}
	return s
}
