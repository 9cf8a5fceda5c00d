#version 450
#extension GL_GOOGLE_include_directive : require

// matrix_fwd_emulated: matrix_fwd.comp with products by ordinary arithmetic
// (matrix_emulated.glsl), for tests of products that the device does not have.
//
//     y[k,n,p,q] = Σ_{c,r,s} w[k,c,r,s] · z[c, n, p+r-KS/2, q+s-KS/2]
//     z[c] = ACT ? max(gamma[c]·(x[c]-mean[c])·istd[c] + beta[c], 0) : x[c]
//     tiles[k,t] = (mean, M2) of the pixels of y[k] that workgroup t made       with STATS
//
// CPU reference: ops/ref.Conv. Host: ops.Conv.

#define EMULATED
#define Y_ACCESS writeonly
#define BEFORE(at) 0.0
layout(binding = 2) restrict readonly buffer Weights { float w[]; };
#include "matrix_patch.glsl"
#include "tile_fwd.glsl"

void main() { run(); }
