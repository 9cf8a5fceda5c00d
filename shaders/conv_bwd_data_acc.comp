#version 450
#extension GL_GOOGLE_include_directive : require

// conv_bwd_data_acc: conv_bwd_data, added to what dx holds.
//
//     dx[c,n,y,x] += Σ_{k,r,s} w[k,c,r,s] · dy[k, n, (y+PAD-r)/STRIDE, (x+PAD-s)/STRIDE]
//
// For a dx that several readers share, and for further segments of output channels.
// CPU reference: ops/ref.ConvBackwardData. Host: ops.Conv.

#define DX_ACCESS
void put(uint i, float v);
#include "conv_bwd_data.glsl"

void put(uint i, float v) { dx[i] += v; }

void main() { run(); }
