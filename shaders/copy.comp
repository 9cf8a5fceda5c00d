#version 450
#extension GL_GOOGLE_include_directive : require
#include "map.glsl"
#include "view.glsl"

// copy: copies elements.
//
//     y[i] = x[i]        0 <= i < n
//
// An invocation takes every stride-th element, so any group count works. Words
// are copied as bits, so any 4-byte element will do.
// CPU reference: ops/ref.Concat. Host: ops.Copy.

layout(local_size_x = 128) in;

layout(push_constant) uniform Push {
    uint n; // elements
    View x;
    View y;
} p;

layout(binding = 0) readonly buffer X { MAP_WORD x[]; };
layout(binding = 1) writeonly buffer Y { MAP_WORD y[]; };

void main() {
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint i = gl_GlobalInvocationID.x; i < p.n; i += stride)
        y[at(p.y, i)] = x[at(p.x, i)];
}
