#version 450
#extension GL_GOOGLE_include_directive : require
#include "map.glsl"
#include "view.glsl"
#include "pool.glsl"

// pool_avg_bwd: gradient of pool_avg_fwd, gathered per input element.
//
//     dx[i,j] = Σ dy[o,q] / (R·S) over the windows (o, q) that hold (i, j)        0 <= i < rows, 0 <= j < w
//
// added to dx if ACC. Windows are taken in row-major order, and no two
// invocations write the same dx. CPU reference: ops/ref.AvgPoolBackward. Host: ops.AvgPool.

layout(local_size_x = 8, local_size_y = 16) in;
layout(constant_id = 4) const uint ACC = 0;

layout(push_constant) uniform Push {
    uint rows; // planes·N·h
    uint h;
    uint w;
    uint h_out;
    uint w_out;
    View dy;
    View dx;
} p;

layout(binding = 0) readonly buffer DY { MAP dy[]; };
layout(binding = 1) buffer DX { MAP dx[]; };

void main() {
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.y;
    for (uint row = gl_WorkGroupID.x * gl_WorkGroupSize.y + gl_LocalInvocationID.y; row < p.rows; row += stride) {
        uint img = row / p.h, grad = at(p.dy, img * p.h_out * p.w_out);
        uvec2 os = covering(row - img * p.h, R, p.h_out);
        for (uint j = gl_LocalInvocationID.x; j < p.w; j += gl_WorkGroupSize.x) {
            uvec2 qs = covering(j, S, p.w_out);
            float sum = 0.0;
            for (uint o = os.x; o < os.y; o++)
                for (uint q = qs.x; q < qs.y; q++)
                    sum += map_load(dy[grad + o * p.w_out + q]);
            sum *= 1.0 / float(R * S);
            uint dst = at(p.dx, row * p.w + j);
            dx[dst] = map_store(ACC != 0 ? map_load(dx[dst]) + sum : sum);
        }
    }
}
