#version 450
#extension GL_GOOGLE_include_directive : require
#include "map.glsl"
#include "view.glsl"

// add: accumulates elements.
//
//     y[i] += x[i]        0 <= i < n
//
// An invocation takes every stride-th element, so any group count works. No two
// invocations touch the same y[i].
// CPU reference: ops/ref.ConcatBackward. Host: ops.Concat.

layout(local_size_x = 128) in;

layout(push_constant) uniform Push {
    uint n; // elements
    View x;
    View y;
} p;

layout(binding = 0) readonly buffer X { MAP x[]; };
layout(binding = 1) buffer Y { MAP y[]; };

void main() {
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint i = gl_GlobalInvocationID.x; i < p.n; i += stride)
        map_add(y[at(p.y, i)], map_load(x[at(p.x, i)]));
}
