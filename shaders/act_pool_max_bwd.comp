#version 450
#extension GL_GOOGLE_include_directive : require
#include "map.glsl"
#include "view.glsl"
#include "act.glsl"
#include "pool.glsl"

// act_pool_max_bwd: gradient of act_pool_max with respect to the activated input
// z, gathered per element.
//
//     dz[c,n,i,j] = Σ dy[c,n,o,q] over the windows (o, q) whose first largest element of z is (i, j)
//
// 0 <= c < rows / (n·h), counted from channel link of the links. The winner of a
// window is found again from x, in row-major order, so that no index is stored.
// Windows are taken in row-major order, and no two invocations write the same dz.
// Of a window that is 0 everywhere the first element wins, as in frameworks; the
// mask of the ReLU, which the gather applies, drops its gradient.
// CPU reference: ops/ref.MaxPoolBackward. Host: ops.ActMaxPool.

layout(local_size_x = 8, local_size_y = 16) in;

layout(push_constant) uniform Push {
    uint rows; // channels·N·h
    uint link; // the first channel's number among the links
    uint n;    // images
    uint h;
    uint w;
    uint h_out;
    uint w_out;
    View x;
    View dy;
    View dz;
} p;

layout(binding = 0) readonly buffer X { MAP x[]; };
layout(binding = 1) readonly buffer Links { uvec4 links[]; };
layout(binding = 2) readonly buffer DY { MAP dy[]; };
layout(binding = 3) writeonly buffer DZ { MAP dz[]; };

// winner returns where the first largest activated element of a window is,
// counted from the image's first element at top.
uint winner(Link l, uint top, uvec2 ys, uvec2 xs) {
    uint where = 0;
    float best = -1.0; // every activated element is larger
    for (uint r = ys.x; r < ys.y; r++)
        for (uint s = xs.x; s < xs.y; s++) {
            float v = link_act(l, map_load(x[top + r * p.w + s]));
            if (v > best) {
                best = v;
                where = r * p.w + s;
            }
        }
    return where;
}

void main() {
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.y;
    for (uint row = gl_WorkGroupID.x * gl_WorkGroupSize.y + gl_LocalInvocationID.y; row < p.rows; row += stride) {
        uint img = row / p.h, i = row - img * p.h, c = p.link + img / p.n;
        Link l = link_unpack(links[2 * c], links[2 * c + 1]);
        uint top = at(p.x, img * p.h * p.w), grad = at(p.dy, img * p.h_out * p.w_out);
        uvec2 os = covering(i, R, p.h_out);
        for (uint j = gl_LocalInvocationID.x; j < p.w; j += gl_WorkGroupSize.x) {
            uvec2 qs = covering(j, S, p.w_out);
            float sum = 0.0;
            for (uint o = os.x; o < os.y; o++)
                for (uint q = qs.x; q < qs.y; q++)
                    if (winner(l, top, window(o, R, p.h), window(q, S, p.w)) == i * p.w + j)
                        sum += map_load(dy[grad + o * p.w_out + q]);
            dz[at(p.dz, row * p.w + j)] = map_store(sum);
        }
    }
}
