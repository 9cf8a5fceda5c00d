#version 450
#extension GL_GOOGLE_include_directive : require

// quad_point_gather_acc: quad_point_gather, added to what g holds.
//
//     g[c] += Σ_j gamma_j[c]·[z_j > 0]·D_j
//
// For the readers of the second and further geometries of a map, in order.
// CPU reference: ops/ref.Gather. Host: ops.Gather.

vec4 begun(uint i);
#include "quad_point_gather.glsl"

layout(binding = 8) uniform samplerBuffer before; // g: a fetch is one call, a read of g eight branches

vec4 begun(uint i) { return texelFetch(before, int(i)); }

void main() { run(); }
