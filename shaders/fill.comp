#version 450
#extension GL_GOOGLE_include_directive : require
#include "map.glsl"
#include "view.glsl"

// fill: writes one value everywhere.
//
//     y[i] = value        0 <= i < n
//
// An invocation takes every stride-th element, so any group count works.
// CPU reference: ops/ref.Fill. Host: ops.Fill.

layout(local_size_x = 128) in;

layout(push_constant) uniform Push {
    uint n;     // elements
    uint value; // bits
    View y;
} p;

layout(binding = 0) writeonly buffer Y { MAP_WORD y[]; };

void main() {
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint i = gl_GlobalInvocationID.x; i < p.n; i += stride)
        y[at(p.y, i)] = MAP_WORD(p.value);
}
