// Package onnx writes a trained network as an ONNX model, in the form for
// evaluation, that other runtimes execute: Conv, BatchNormalization, Relu, Concat,
// AveragePool, MaxPool, GlobalAveragePool, Gemm.
//
// It writes what sparsenet.Build lays out, with PyTorch's names for the parameters.
// It reads no model and opens no device; cmd/sparsenet uses it. Format: onnx.proto
// and Operators.md of https://github.com/onnx/onnx, IR version 8, opset 17.
package onnx
