#version 450
#extension GL_GOOGLE_include_directive : require
#include "map.glsl"
#include "view.glsl"
#include "math.glsl"
#include "pool.glsl"

// pool_max_bwd: gradient of pool_max_fwd, gathered per input element.
//
//     dx[i,j] = Σ dy[o,q] over the windows (o, q) whose first largest element is (i, j)
//
// with 0 <= i < rows, 0 <= j < w, added to dx if ACC. The winner of a window is
// found again from x, in row-major order, so no index is stored. Windows are
// taken in row-major order, and no two invocations write the same dx.
// CPU reference: ops/ref.MaxPoolBackward. Host: ops.MaxPool.

layout(local_size_x = 8, local_size_y = 16) in;
layout(constant_id = 4) const uint ACC = 0;

layout(push_constant) uniform Push {
    uint rows; // planes·N·h
    uint h;
    uint w;
    uint h_out;
    uint w_out;
    View x;
    View dy;
    View dx;
} p;

layout(binding = 0) readonly buffer X { MAP x[]; };
layout(binding = 1) readonly buffer DY { MAP dy[]; };
layout(binding = 2) buffer DX { MAP dx[]; };

// winner returns where the first largest element of a window is, counted from
// the image's first element at top.
uint winner(uint top, uvec2 ys, uvec2 xs) {
    uint where = ys.x * p.w + xs.x;
    float best = map_load(x[top + where]);
    for (uint r = ys.x; r < ys.y; r++)
        for (uint s = xs.x; s < xs.y; s++) {
            float v = map_load(x[top + r * p.w + s]);
            if (v > best || is_nan(v)) {
                best = v;
                where = r * p.w + s;
            }
        }
    return where;
}

void main() {
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.y;
    for (uint row = gl_WorkGroupID.x * gl_WorkGroupSize.y + gl_LocalInvocationID.y; row < p.rows; row += stride) {
        uint img = row / p.h, i = row - img * p.h;
        uint top = at(p.x, img * p.h * p.w), grad = at(p.dy, img * p.h_out * p.w_out);
        uvec2 os = covering(i, R, p.h_out);
        for (uint j = gl_LocalInvocationID.x; j < p.w; j += gl_WorkGroupSize.x) {
            uvec2 qs = covering(j, S, p.w_out);
            float sum = 0.0;
            for (uint o = os.x; o < os.y; o++)
                for (uint q = qs.x; q < qs.y; q++)
                    if (winner(top, window(o, R, p.h), window(q, S, p.w)) == i * p.w + j)
                        sum += map_load(dy[grad + o * p.w_out + q]);
            uint dst = at(p.dx, row * p.w + j);
            dx[dst] = map_store(ACC != 0 ? map_load(dx[dst]) + sum : sum);
        }
    }
}
