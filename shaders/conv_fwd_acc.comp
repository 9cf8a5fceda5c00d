#version 450
#extension GL_GOOGLE_include_directive : require

// conv_fwd_acc: conv_fwd, added to what y holds.
//
//     y[k,n,p,q] += Σ_{c,r,s} w[k,c,r,s] · z[c, n, p·STRIDE+r-PAD, q·STRIDE+s-PAD]
//
// For inputs that are larger than a bound range: conv_fwd takes the first
// segment of channels, this kernel the others, in order.
// CPU reference: ops/ref.Conv. Host: ops.Conv.

#define Y_ACCESS
void put(uint i, float v);
#include "conv_fwd.glsl"

void put(uint i, float v) { y[i] += v; }

void main() { run(); }
