#version 450
#extension GL_GOOGLE_include_directive : require

// quad_fwd: 3x3 convolution, optionally of batch norm and ReLU, read in place.
// The form for software drivers with 8 or 16 lanes (quad.glsl).
//
//     y[k,n,p,q] = Σ_{c,r,s} w[k,c,r,s] · z[c, n, p+r-1, q+s-1]
//     z[c] = ACT ? max(gamma[c]·(x[c]-mean[c])·istd[c] + beta[c], 0) : x[c]
//     tiles[k,t] = (mean, M2) of the pixels of y[k] that subgroup t made       with STATS
//
// 0 <= k < p.k <= OUTS, 0 <= c < p.c; z is 0 outside of the image. Winograd's
// F(4,3) along x, plain taps along y (winograd.glsl): the sums stay transformed
// until the loop over c ends, which fixes their order. The weights are filter
// rows [c][k][r] of three taps, a texel each (quad_pack.comp).
// CPU reference: ops/ref.Conv. Host: ops.Conv.

vec4 sum_with(uint i, vec4 v);
#include "quad_fwd.glsl"

vec4 sum_with(uint i, vec4 v) { return v; }

void main() { run(); }
