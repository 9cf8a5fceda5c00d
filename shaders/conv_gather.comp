#version 450
#extension GL_GOOGLE_include_directive : require

// conv_gather: what a map receives from readers of one geometry.
//
//     D_j     = W_jᵀ·dy_j (conv_bwd_data), or dy_j/(H·W) for a head
//     g[c]    = Σ_j gamma_j[c]·[z_j > 0]·D_j
//     partial[j][c][group] = Σ over the group's pixels of [z_j > 0]·D_j·(1, xhat)
//
// 0 <= c < p.c, over the readers of the table, in order; z_j = gamma_j·xhat +
// beta_j. An invocation makes a tile of KT channels by PY by PX pixels, a
// workgroup 64 of them; gather_merge adds the partial sums.
// CPU reference: ops/ref.Gather. Host: ops.Gather.

#define G_ACCESS writeonly
void put(uint i, float v);
#include "conv_gather.glsl"

void put(uint i, float v) { g[i] = v; }

void main() { run(); }
