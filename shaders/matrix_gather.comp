#version 450
#extension GL_GOOGLE_include_directive : require

// matrix_gather: what a map receives from the 3x3 or 1x1 convolutions that read it.
// The form for devices that multiply cooperative matrices (matrix_patch.glsl).
//
//     D_j[c,n,y,x] = Σ_{k,r,s} w_j[k,c,KS-1-r,KS-1-s] · dy_j[k, n, y+r-KS/2, x+s-KS/2]
//     g[c]         = (add ? g[c] : 0) + Σ_j gamma_j[c]·[z_j > 0]·D_j[c]     z_j = gamma_j[c]·xhat[c] + beta_j[c]
//     partial[j][c][group] = Σ over the group's pixels of [z_j > 0]·D_j·(1, xhat)
//
// 0 <= c < p.c, over the readers of the table, in order; with POOL the pixels are
// those of dy, and each hands a quarter to four of the map. w is rounded to float16,
// sums are float32; those over readers stay in registers until the end.
// gather_merge adds the partial sums.
// CPU reference: ops/ref.Gather. Host: ops.Gather.

layout(binding = 1) restrict readonly buffer Weights { float w[]; };
#include "matrix_patch.glsl"
#include "tile_gather.glsl"

void main() { run(); }
