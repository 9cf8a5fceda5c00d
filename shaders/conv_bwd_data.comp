#version 450
#extension GL_GOOGLE_include_directive : require

// conv_bwd_data: gradient of a convolution with respect to its input.
//
//     dx[c,n,y,x] = Σ_{k,r,s} w[k,c,r,s] · dy[k, n, (y+PAD-r)/STRIDE, (x+PAD-s)/STRIDE]
//
// 0 <= c < p.c, 0 <= k < p.k, over taps whose quotients are whole and inside dy;
// with POOL a quarter of it at each of the four pooled pixels. An invocation
// makes a tile of KT channels by PY by PX pixels, adding in the order k, r, s.
// CPU reference: ops/ref.ConvBackwardData. Host: ops.Conv.

#define DX_ACCESS writeonly
void put(uint i, float v);
#include "conv_bwd_data.glsl"

void put(uint i, float v) { dx[i] = v; }

void main() { run(); }
