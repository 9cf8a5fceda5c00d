#version 450
#extension GL_GOOGLE_include_directive : require

// matrix_fwd_acc_emulated: matrix_fwd_acc.comp with products by ordinary arithmetic
// (matrix_emulated.glsl), for tests of products that the device does not have.
//
//     y[k,n,p,q] += Σ_{c,r,s} w[k,c,r,s] · z[c, n, p+r-KS/2, q+s-KS/2]
//
// CPU reference: ops/ref.Conv. Host: ops.Conv.

#define EMULATED
#define Y_ACCESS
#define BEFORE(at) map_load(y[at])
layout(binding = 2) restrict readonly buffer Weights { float w[]; };
#include "matrix_patch.glsl"
#include "tile_fwd.glsl"

void main() { run(); }
