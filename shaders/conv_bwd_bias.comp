#version 450
#extension GL_GOOGLE_include_directive : require
#include "map.glsl"
#include "view.glsl"
#include "reduce.glsl"

// conv_bwd_bias: gradient of a convolution with respect to its bias.
//
//     db[k] = Σ_i dy[k][i]        0 <= i < N·P·Q
//
// A workgroup makes one k: an invocation sums every 128th element in runs of 64
// terms, then group_sum adds the invocations in its fixed order.
// CPU reference: ops/ref.ConvBackwardBias. Host: ops.Conv.

layout(local_size_x = 128) in;

layout(push_constant) uniform Push {
    View dy; // a plane per workgroup
    View db;
} p;

layout(binding = 0) readonly buffer DY { MAP dy[]; };
layout(binding = 1) writeonly buffer DB { float db[]; };

void main() {
    uint k = gl_WorkGroupID.x;
    float all = 0.0;
    for (uint lo = gl_LocalInvocationID.x; lo < p.dy.plane; lo += 64 * LANES) {
        float part = 0.0;
        for (uint i = lo; i < min(lo + 64 * LANES, p.dy.plane); i += LANES)
            part += map_load(dy[px(p.dy, k, i)]);
        all += part;
    }
    float v = group_sum(all);
    if (gl_LocalInvocationID.x == 0)
        db[at(p.db, k)] = v;
}
