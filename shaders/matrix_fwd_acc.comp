#version 450
#extension GL_GOOGLE_include_directive : require

// matrix_fwd_acc: the convolution of matrix_fwd.comp, added to what y holds: further
// input channels of one that is bound in segments, or a gradient of several readers.
//
//     y[k,n,p,q] += Σ_{c,r,s} w[k,c,r,s] · z[c, n, p+r-KS/2, q+s-KS/2]
//
// CPU reference: ops/ref.Conv. Host: ops.Conv.

#define Y_ACCESS
#define BEFORE(at) map_load(y[at])
layout(binding = 2) restrict readonly buffer Weights { float w[]; };
#include "matrix_patch.glsl"
#include "tile_fwd.glsl"

void main() { run(); }
