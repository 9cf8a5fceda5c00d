#version 450
#extension GL_GOOGLE_include_directive : require
#include "view.glsl"

// roof_copy: the device's copy bandwidth, a roof over every kernel's traffic.
//
//     y[i] = x[i]        0 <= i < 4·quads
//
// An invocation takes every stride-th quad of elements, the widest access that
// there is, so any group count works. Words are copied as bits.
// CPU reference: none: it moves bits. Host: ops.RoofCopy.

layout(local_size_x = 128) in;

layout(push_constant) uniform Push {
    uint quads; // of elements
    View x;     // begins at a multiple of 4 elements
    View y;
} p;

layout(binding = 0) readonly buffer X { uvec4 x[]; };
layout(binding = 1) writeonly buffer Y { uvec4 y[]; };

void main() {
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint i = gl_GlobalInvocationID.x; i < p.quads; i += stride)
        y[at(p.y, 0) / 4 + i] = x[at(p.x, 0) / 4 + i];
}
