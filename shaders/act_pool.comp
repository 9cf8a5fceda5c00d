#version 450
#extension GL_GOOGLE_include_directive : require
#include "map.glsl"
#include "view.glsl"
#include "act.glsl"

// act_pool: global average of the activated input, the head of a network.
//
//     y[c,n] = Σ_j max(gamma[c]·(x[c,n,j]-mean[c])·istd[c] + beta[c], 0) / area
//
// c_lo <= c < c_hi, 0 <= n < images, 0 <= j < area. Where the plane of channel c
// lies, and its four numbers, are in links. An invocation takes every stride-th
// image of a plane and sums 32 elements at a time, in index order, so that the
// result depends on nothing else.
// CPU reference: ops/ref.ActPool. Host: ops.ActPool.

layout(local_size_x = 64) in;

layout(push_constant) uniform Push {
    uint c_lo;   // input channels [c_lo, c_hi) of the links
    uint c_hi;
    uint images; // N
    uint area;   // H·W
    View y;      // all channels; a plane is one value per image
} p;

layout(binding = 0) readonly buffer X { MAP x[]; };
layout(binding = 1) readonly buffer Links { uvec4 links[]; };
layout(binding = 2) writeonly buffer Y { float y[]; };

void main() {
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint i = gl_GlobalInvocationID.x; i < (p.c_hi - p.c_lo) * p.images; i += stride) {
        uint c = p.c_lo + i / p.images, n = i % p.images;
        Link l = link_unpack(links[2 * c], links[2 * c + 1]);
        uint src = l.plane + n * p.area;
        float sum = 0.0;
        for (uint lo = 0; lo < p.area; lo += 32) {
            float part = 0.0;
            for (uint j = lo; j < min(lo + 32, p.area); j++)
                part += link_act(l, map_load(x[src + j]));
            sum += part;
        }
        y[px(p.y, c, n)] = sum / float(p.area);
    }
}
