// Package sparsenet describes SparseNets and DenseNets and runs them. A
// [Config] says which network; [Build] lays it out as a [Graph] of feature maps
// and nodes with named parameters, which counts and tables are taken from and
// which both engines are built from.
//
// A layer reads earlier maps of its stage as its [Wiring] says: [Powers](2) reads
// the maps 1, 2, 4, 8, … back, which makes a SparseNet (Zhu, Deng, Maire, Deng,
// Mori, Tan, Sparsely Aggregated Convolutional Networks, ECCV 2018,
// arXiv:1801.05895), and [Dense] all of them, which makes a DenseNet. Any other
// function will do. It reads them side by side, or in the form [Sum] their sum,
// which makes a SparseNet[+] or a ResNet.
//
// The package neither reads data sets nor trains; that is package train.
package sparsenet
