#version 450
#extension GL_GOOGLE_include_directive : require
#include "map.glsl"
#include "view.glsl"

// relu_fwd: rectified linear unit.
//
//     y[i] = max(x[i], 0)        0 <= i < n
//
// An invocation takes every stride-th element, so any group count works. x and
// y may be the same elements. No two invocations write the same y[i].
// CPU reference: ops/ref.ReLU. Host: ops.ReLU.

layout(local_size_x = 128) in;

layout(push_constant) uniform Push {
    uint n; // elements
    View x;
    View y;
} p;

layout(binding = 0) readonly buffer X { MAP x[]; };
layout(binding = 1) writeonly buffer Y { MAP y[]; };

void main() {
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint i = gl_GlobalInvocationID.x; i < p.n; i += stride)
        y[at(p.y, i)] = map_store(max(map_load(x[at(p.x, i)]), 0.0));
}
