#version 450
#extension GL_GOOGLE_include_directive : require
#include "view.glsl"

// swap: exchanges x and y.
//
//     x[i], y[i] = y[i], x[i]        0 <= i < n
//
// Words, not floats: bits stay as they are. No two invocations touch the same
// element. CPU reference: none. Host: ops.Swap.

layout(local_size_x = 128) in;

layout(push_constant) uniform Push {
    uint n; // words
    View x;
    View y;
} p;

layout(binding = 0) buffer X { uint x[]; };
layout(binding = 1) buffer Y { uint y[]; };

void main() {
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint i = gl_GlobalInvocationID.x; i < p.n; i += stride) {
        uint was = x[at(p.x, i)];
        x[at(p.x, i)] = y[at(p.y, i)];
        y[at(p.y, i)] = was;
    }
}
