// Package ops describes the layers of a network as data: which kernels to run
// over which planes of memory. It needs no device; package record turns its
// steps into a recording, and tests, plans and counts read the same steps.
//
// # Letters
//
//	N        images in a batch
//	C, H, W  channels, height and width of an input
//	K, P, Q  channels, height and width of an output
//	R, S     height and width of a convolution or pooling window
//	x, y     input and output; w, b weights and bias
//	dx, dy   gradients of the loss with respect to x and y; dw, db likewise
//
// # Layout
//
// Elements are stored [C][N][H][W]. A plane is one channel over the whole
// batch, N·H·W contiguous elements, pixel p = (n·H + y)·W + x. A [Block] is a
// tensor with a place in the arena, a [View] is planes [Lo, Hi) of a block, and
// a concatenation is a list of views: [Planes]. Only View and shaders/view.glsl
// know this order.
//
// # Adding an op
//
// Write the formula in ops/ref, the kernel in shaders, the op here under the
// same root name, its table of shapes in the test, and register the cases with
// package optest so that selftest runs them too.
package ops
