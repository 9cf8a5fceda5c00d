#version 450
#extension GL_GOOGLE_include_directive : require
#include "map.glsl"
#include "view.glsl"

// finalise: the gradient of a map, written over the map.
//
//     x[c][i] = A·g[c][i] + B·x[c][i] + K + (PLUS ? plus[c][i] : 0)        0 <= i < N·H·W
//
// with (A, B, K) = coef[c]. A row of workgroups (y) takes one plane, an
// invocation every stride-th element of it.
// CPU reference: ops/ref.Finalise. Host: ops.Finalise.

layout(local_size_x = 64) in;

layout(constant_id = 0) const bool PLUS = false;

layout(push_constant) uniform Push {
    View x;
    View g;
    View plus;
    uint coef; // first of four elements of the first plane
} p;

layout(binding = 0) buffer X { MAP x[]; };
layout(binding = 1) readonly buffer G { float g[]; };
layout(binding = 2) readonly buffer Plus { MAP plus[]; };
layout(binding = 3) readonly buffer Coef { float coef[]; };

void main() {
    uint c = gl_WorkGroupID.y, k = p.coef + 4 * c, stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    float ca = coef[k], cb = coef[k + 1], ck = coef[k + 2];
    for (uint i = gl_GlobalInvocationID.x; i < p.x.plane; i += stride) {
        uint at = px(p.x, c, i);
        float v = ca * g[px(p.g, c, i)] + (cb * map_load(x[at]) + ck);
        x[at] = map_store(PLUS ? v + map_load(plus[px(p.plus, c, i)]) : v);
    }
}
