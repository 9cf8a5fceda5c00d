// Package convert brings the tensors of other programs to a network's names and
// back: checkpoints of PyTorch and safetensors files, with the names of the official
// SparseNet implementation, which are this project's own, or of torchvision's
// DenseNet.
//
// It knows names, shapes and element types; it reads no pickle (package torch does)
// and opens no device. cmd/sparsenet uses it.
package convert
