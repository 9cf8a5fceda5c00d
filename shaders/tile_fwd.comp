#version 450
#extension GL_GOOGLE_include_directive : require

// tile_fwd: 3x3 or 1x1 convolution, optionally of batch norm and ReLU, read in
// place. The form for GPUs (patch.glsl).
//
//     y[k,n,p,q] = Σ_{c,r,s} w[k,c,r,s] · z[c, n, p+r-KS/2, q+s-KS/2]
//     z[c] = ACT ? max(gamma[c]·(x[c]-mean[c])·istd[c] + beta[c], 0) : x[c]
//     tiles[k,t] = (mean, M2) of the pixels of y[k] that workgroup t made       with STATS
//
// 0 <= k < p.k, 0 <= c < p.c; z is 0 outside of the image, and averaged 2x2 first
// with POOL. An invocation adds in the order c, r, s, or with WINOGRAD c, r, which
// depends on nothing else. No two invocations write the same y.
// CPU reference: ops/ref.Conv. Host: ops.Conv.

#define Y_ACCESS writeonly
#define BEFORE(at) 0.0
layout(binding = 2) restrict readonly buffer Weights { float w[]; };
#include "patch.glsl"
#include "tile_fwd.glsl"

void main() { run(); }
