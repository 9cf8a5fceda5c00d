// Package spirv reads from a SPIR-V compute module what the host must agree
// with: bindings and who may write them, push constants, specialization
// constants, workgroup size and shared memory. It also hashes GLSL sources
// together with what they include. Only tools/compile_shaders.go and tests use
// it; a program that trains carries the results, generated, in package shaders.
//
// Source: SPIR-V 1.6 specification, sections 2.3 (layout of a module), 3
// (operands) and 3.49 (instructions).
package spirv
