#version 450
#extension GL_GOOGLE_include_directive : require
#include "map.glsl"
#include "view.glsl"
#include "math.glsl"
#include "pool.glsl"

// pool_max_fwd: largest element of each window; padding never wins, NaN does.
//
//     y[o,q] = max x[img·h + y, x] over the window of (o, q)        0 <= o < rows_out, 0 <= q < w_out
//
// where row o of the output belongs to image img = o / h_out. Invocations take
// every stride-th row and column. CPU reference: ops/ref.MaxPool. Host: ops.MaxPool.

layout(local_size_x = 8, local_size_y = 16) in;

layout(push_constant) uniform Push {
    uint rows_out; // planes·N·h_out
    uint h;
    uint w;
    uint h_out;
    uint w_out;
    View x;
    View y;
} p;

layout(binding = 0) readonly buffer X { MAP x[]; };
layout(binding = 1) writeonly buffer Y { MAP y[]; };

void main() {
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.y;
    for (uint o = gl_WorkGroupID.x * gl_WorkGroupSize.y + gl_LocalInvocationID.y; o < p.rows_out; o += stride) {
        uint img = o / p.h_out, top = at(p.x, img * p.h * p.w);
        uvec2 ys = window(o - img * p.h_out, R, p.h);
        for (uint q = gl_LocalInvocationID.x; q < p.w_out; q += gl_WorkGroupSize.x) {
            uvec2 xs = window(q, S, p.w);
            float best = map_load(x[top + ys.x * p.w + xs.x]);
            for (uint r = ys.x; r < ys.y; r++)
                for (uint s = xs.x; s < xs.y; s++) {
                    float v = map_load(x[top + r * p.w + s]);
                    best = v > best || is_nan(v) ? v : best;
                }
            y[at(p.y, o * p.w_out + q)] = map_store(best);
        }
    }
}
