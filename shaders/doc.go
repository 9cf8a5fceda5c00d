// Package shaders holds the compute kernels: GLSL, the compiled SPIR-V
// (embedded), and a generated Go description of each. It knows no device.
//
// To add a kernel: write name.comp with a header comment (see relu_bwd.comp),
// run go generate ./shaders, and commit the .comp, spv/name.spv and
// kernels_gen.go together. The file name conv_bwd_data.comp becomes the
// variable ConvBwdData and, for its push constants, the struct
// ConvBwdDataPush.
//
// A kernel that touches maps includes map.glsl, whose macros its buffers, loads
// and stores of maps go through. It is then compiled for every [Precision] of
// maps, and [Kernel.In] returns its forms.
//
// A push constant of type BufferAddress (quad_store.glsl), called y_at, is a binding
// y without a descriptor, behind those that have one: what is written through it
// must lie in the view that a step binds to it.
//
// What every kernel promises: the qualifiers readonly and writeonly are true;
// push blocks hold only uint, int, float and structs of these, at most 128
// bytes; nothing that changes between training steps is a push constant;
// there are no float atomics, and every reduction has a fixed order.
package shaders

//go:generate go run ../tools/compile_shaders.go
