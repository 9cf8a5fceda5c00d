#version 450
#extension GL_GOOGLE_include_directive : require
#include "map.glsl"
#include "view.glsl"

// pool_global_fwd: mean of every image of every plane.
//
//     y[i] = Σ_j x[i·area + j] / area        0 <= i < images, 0 <= j < area
//
// An invocation takes every stride-th image. Sums of 32 elements are summed, in
// index order. CPU reference: ops/ref.GlobalAvgPool. Host: ops.GlobalAvgPool.

layout(local_size_x = 128) in;

layout(push_constant) uniform Push {
    uint images; // planes·N
    uint area;   // H·W
    View x;
    View y;
} p;

layout(binding = 0) readonly buffer X { MAP x[]; };
layout(binding = 1) writeonly buffer Y { float y[]; };

void main() {
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint i = gl_GlobalInvocationID.x; i < p.images; i += stride) {
        uint src = at(p.x, i * p.area);
        float sum = 0.0;
        for (uint lo = 0; lo < p.area; lo += 32) {
            float part = 0.0;
            for (uint j = lo; j < min(lo + 32, p.area); j++)
                part += map_load(x[src + j]);
            sum += part;
        }
        y[at(p.y, i)] = sum / float(p.area);
    }
}
