#version 450
#extension GL_GOOGLE_include_directive : require

// quad_gather: what a map receives from the 3x3 convolutions that read it. The
// form for software drivers with 8 lanes (quad.glsl).
//
//     D_j[c,n,y,x] = Σ_{k,r,s} w_j[k,c,2-r,2-s] · dy_j[k, n, y+r-1, x+s-1]
//     g[c]         = Σ_j gamma_j[c]·[z_j > 0]·D_j[c]     z_j = gamma_j[c]·xhat[c] + beta_j[c]
//     partial_j[c,t] = (Σ [z_j > 0]·D_j, Σ [z_j > 0]·D_j·xhat) over the pixels of subgroup t
//
// 0 <= c < p.k <= OUTS. Readers and their planes k are taken in the
// order of the table, so the sums have one order. Winograd's F(4,3) along x
// (winograd.glsl); the weights are filter rows [k][c][r] with the taps turned
// round (quad_pack.comp).
// CPU reference: ops/ref.Gather. Host: ops.Gather.

vec4 begun(uint i);
#include "quad_gather.glsl"

vec4 begun(uint i) { return vec4(0.0); }

void main() { run(); }
