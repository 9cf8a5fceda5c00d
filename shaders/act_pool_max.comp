#version 450
#extension GL_GOOGLE_include_directive : require
#include "map.glsl"
#include "view.glsl"
#include "act.glsl"
#include "pool.glsl"

// act_pool_max: largest activated element of each window; padding never wins.
//
//     y[c,n,o,q] = max of max(gamma[c]·(x[c,n,i,j]-mean[c])·istd[c] + beta[c], 0) over the window of (o, q)
//
// 0 <= c < rows_out / (n·h_out), counted from channel c_lo of the links, which say
// where the plane of a channel lies, and its four numbers. Invocations take every
// stride-th row and column of the output.
// CPU reference: ops/ref.BNPool. Host: ops.ActMaxPool.

layout(local_size_x = 8, local_size_y = 16) in;

layout(push_constant) uniform Push {
    uint rows_out; // channels·N·h_out
    uint c_lo;     // first channel of the links
    uint n;        // images
    uint h;
    uint w;
    uint h_out;
    uint w_out;
    View y; // from channel c_lo on
} p;

layout(binding = 0) readonly buffer X { MAP x[]; };
layout(binding = 1) readonly buffer Links { uvec4 links[]; };
layout(binding = 2) writeonly buffer Y { MAP y[]; };

void main() {
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.y;
    for (uint o = gl_WorkGroupID.x * gl_WorkGroupSize.y + gl_LocalInvocationID.y; o < p.rows_out; o += stride) {
        uint img = o / p.h_out, c = p.c_lo + img / p.n;
        Link l = link_unpack(links[2 * c], links[2 * c + 1]);
        uint top = l.plane + img % p.n * p.h * p.w;
        uvec2 ys = window(o - img * p.h_out, R, p.h);
        for (uint q = gl_LocalInvocationID.x; q < p.w_out; q += gl_WorkGroupSize.x) {
            uvec2 xs = window(q, S, p.w);
            float best = 0.0; // no activated element is less
            for (uint r = ys.x; r < ys.y; r++)
                for (uint s = xs.x; s < xs.y; s++)
                    best = max(best, link_act(l, map_load(x[top + r * p.w + s])));
            y[at(p.y, o * p.w_out + q)] = map_store(best);
        }
    }
}
