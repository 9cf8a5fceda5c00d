#version 450
#extension GL_GOOGLE_include_directive : require
#include "map.glsl"
#include "view.glsl"

// relu_bwd: gradient of y = max(x, 0).
//
//     dx[i] = dy[i] · [y[i] > 0]        0 <= i < n
//
// The mask is taken from y, not x, so that x may be overwritten; the
// derivative at 0 is 0. dy and dx may be the same elements. An invocation
// takes every stride-th element, so any group count works, and no two
// invocations write the same dx[i].
// CPU reference: ops/ref.ReLUBackward. Host: ops.ReLU.

layout(local_size_x = 128) in;

layout(push_constant) uniform Push {
    uint n; // elements
    View y;
    View dy;
    View dx;
} p;

layout(binding = 0) readonly buffer Y { MAP y[]; };
layout(binding = 1) readonly buffer DY { MAP dy[]; };
layout(binding = 2) writeonly buffer DX { MAP dx[]; };

void main() {
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint i = gl_GlobalInvocationID.x; i < p.n; i += stride)
        dx[at(p.dx, i)] = map_store(map_load(y[at(p.y, i)]) > 0.0 ? map_load(dy[at(p.dy, i)]) : 0.0);
}
