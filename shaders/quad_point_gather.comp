#version 450
#extension GL_GOOGLE_include_directive : require

// quad_point_gather: what a map receives from the 1x1 convolutions that read it,
// or with POOL from those that read its 2x2 means. The form for software drivers
// with 8 lanes (quad_point.glsl).
//
//     D_j[c]       = Σ_k w_j[k,c] · dy_j[k], with POOL a quarter of it to each of four pixels
//     g[c]         = Σ_j gamma_j[c]·[z_j > 0]·D_j[c]     z_j = gamma_j[c]·xhat[c] + beta_j[c]
//     partial_j[c,t] = (Σ [z_j > 0]·D_j, Σ [z_j > 0]·D_j·xhat) over the pixels of subgroup t
//
// 0 <= c < p.k <= OUTS. Readers and their planes k are taken in the order of the
// table, so the sums have one order.
// CPU reference: ops/ref.Gather. Host: ops.Gather.

vec4 begun(uint i);
#include "quad_point_gather.glsl"

vec4 begun(uint i) { return vec4(0.0); }

void main() { run(); }
