#version 450
#extension GL_GOOGLE_include_directive : require
#include "map.glsl"
#include "view.glsl"
#include "pool.glsl"

// pool_avg_fwd: mean of each window. Windows lie inside the image (PAD is 0).
//
//     y[o,q] = Σ x[img·h + y, x] / (R·S) over the window of (o, q)        0 <= o < rows_out, 0 <= q < w_out
//
// where row o of the output belongs to image img = o / h_out; sums are in
// row-major order. Invocations take every stride-th row and column.
// CPU reference: ops/ref.AvgPool. Host: ops.AvgPool.

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
        uint img = o / p.h_out;
        uint top = at(p.x, (img * p.h + (o - img * p.h_out) * STRIDE) * p.w);
        for (uint q = gl_LocalInvocationID.x; q < p.w_out; q += gl_WorkGroupSize.x) {
            float sum = 0.0;
            for (uint r = 0; r < R; r++)
                for (uint s = 0; s < S; s++)
                    sum += map_load(x[top + r * p.w + q * STRIDE + s]);
            y[at(p.y, o * p.w_out + q)] = map_store(sum * (1.0 / float(R * S)));
        }
    }
}
