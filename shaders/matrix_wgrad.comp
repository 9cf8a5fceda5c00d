#version 450
#extension GL_GOOGLE_include_directive : require

// matrix_wgrad: weight gradient of a 3x3 or 1x1 convolution, optionally of batch
// norm and ReLU. The form for devices that multiply cooperative matrices.
//
//     dst[split][k,c,r,s] = Σ_{n,p,q} dy[k,n,p,q] · z[c, n, p+r-KS/2, q+s-KS/2]
//
// over the positions of the split (matrix_place.glsl); z as in matrix_fwd, rounded
// to float16, sums float32. A workgroup makes FK·TM output by CB input channels, in
// steps of BP positions. A product has TM output by TN input channels, of TD
// positions. Each tap of TN input channels is an item, and a subgroup makes every
// SG-th of them. conv_reduce adds the splits.
// CPU reference: ops/ref.ConvBackwardWeights. Host: ops.Conv.

#include "matrix_wgrad.glsl"

void main() { run(); }
