#version 450
#extension GL_GOOGLE_include_directive : require

// quad_point_fwd: 1x1 convolution, optionally of batch norm and ReLU, read
// in place. The form for software drivers with 8 or 16 lanes (quad_point.glsl).
//
//     y[k,i] = Σ_c w[k,c] · z[c,i]
//     z[c] = ACT ? max(gamma[c]·(x[c]-mean[c])·istd[c] + beta[c], 0) : x[c]
//     tiles[k,t] = (mean, M2) of the pixels of y[k] that subgroup t made       with STATS
//
// 0 <= k < p.k <= OUTS, 0 <= c < p.c, in the order of c. The weights are texels
// [c/4][k] of four channels each (quad_pack.comp).
// CPU reference: ops/ref.Conv. Host: ops.Conv.

vec4 sum_with(uint i, vec4 v);
#include "quad_point_fwd.glsl"

vec4 sum_with(uint i, vec4 v) { return v; }

void main() { run(); }
