#version 450
#extension GL_GOOGLE_include_directive : require

// conv_fwd: convolution, optionally of batch norm and ReLU, read in place.
//
//     y[k,n,p,q] = b[k] + Σ_{c,r,s} w[k,c,r,s] · z[c, n, p·STRIDE+r-PAD, q·STRIDE+s-PAD]
//     z[c] = ACT ? max(gamma[c]·(x[c]-mean[c])·istd[c] + beta[c], 0) : x[c]
//
// 0 <= k < p.k, c_lo <= c < c_hi; z is 0 outside of the image, and averaged 2x2
// first with POOL. Where the plane of channel c lies, and its four numbers, are
// in links. An invocation makes a tile of KT channels by PY by PX pixels
// (tile.glsl) and adds in the order c, r, s, which depends on nothing else.
// CPU reference: ops/ref.Conv. Host: ops.Conv.

#define Y_ACCESS writeonly
void put(uint i, float v);
#include "conv_fwd.glsl"

void put(uint i, float v) { y[i] = v; }

void main() { run(); }
