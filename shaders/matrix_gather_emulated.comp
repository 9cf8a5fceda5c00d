#version 450
#extension GL_GOOGLE_include_directive : require

// matrix_gather_emulated: matrix_gather.comp with products by ordinary arithmetic
// (matrix_emulated.glsl), for tests of products that the device does not have.
//
//     D_j[c,n,y,x] = Σ_{k,r,s} w_j[k,c,KS-1-r,KS-1-s] · dy_j[k, n, y+r-KS/2, x+s-KS/2]
//     g[c]         = (add ? g[c] : 0) + Σ_j gamma_j[c]·[z_j > 0]·D_j[c]     z_j = gamma_j[c]·xhat[c] + beta_j[c]
//     partial[j][c][group] = Σ over the group's pixels of [z_j > 0]·D_j·(1, xhat)
//
// CPU reference: ops/ref.Gather. Host: ops.Gather.

#define EMULATED
layout(binding = 1) restrict readonly buffer Weights { float w[]; };
#include "matrix_patch.glsl"
#include "tile_gather.glsl"

void main() { run(); }
