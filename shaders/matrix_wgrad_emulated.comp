#version 450
#extension GL_GOOGLE_include_directive : require

// matrix_wgrad_emulated: matrix_wgrad.comp with products by ordinary arithmetic
// (matrix_emulated.glsl), for tests of products that the device does not have.
//
//     dst[split][k,c,r,s] = Σ_{n,p,q} dy[k,n,p,q] · z[c, n, p+r-KS/2, q+s-KS/2]
//
// CPU reference: ops/ref.ConvBackwardWeights. Host: ops.Conv.
//
//     dst[split][k,c,r,s] = Σ_{n,p,q} dy[k,n,p,q] · z[c, n, p+r-KS/2, q+s-KS/2]
//
// CPU reference: ops/ref.ConvBackwardWeights. Host: ops.Conv.

#define EMULATED
#include "matrix_wgrad.glsl"

void main() { run(); }
