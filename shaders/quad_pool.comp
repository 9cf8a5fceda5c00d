#version 450
#extension GL_GOOGLE_include_directive : require

// quad_pool: what a transition's convolution reads of some channels: the 2x2 means
// of their batch norm and ReLU. The form for software drivers with 8 or 16 lanes
// (quad_point.glsl): it stages channels once for all the outputs that read them.
//
//     z[c] = mean2x2(u[c])
//     u[c] = ACT ? max(gamma[c]·(x[c]-mean[c])·istd[c] + beta[c], 0) : x[c]
//
// A row of workgroups (y) takes one channel; an invocation owns QUADS quads of it, a
// subgroup apart.
// CPU reference: ops/ref.Conv. Host: ops.Conv.

#include "quad_point.glsl"

layout(constant_id = 5) const uint ACT = 1; // 1: batch norm and ReLU on load

layout(push_constant) uniform Push {
    uint quads; // quads per plane of z
    uint row;   // quads per row of z
    uint link;  // first texel of the links
    uint skip;  // texels between where the links count planes from and x
    View z;
    BufferAddress z_at;
} p;

layout(binding = 0) uniform samplerBuffer x;
layout(binding = 1) uniform samplerBuffer links;

void main() {
    int c = int(gl_WorkGroupID.y), link = int(p.link) + 2 * c, row = 2 * int(p.row);
    vec4 l = texelFetch(links, link);
    float beta = texelFetch(links, link + 1).x;
    [[unroll]] for (uint q = 0; q < QUADS; q++) {
        int i = int((gl_WorkGroupID.x * QUADS + q) * LANES + gl_SubgroupInvocationID);
        int from = (floatBitsToInt(l.x) >> 2) - int(p.skip) + unpooled(TAIL != 0 ? min(i, int(p.quads) - 1) : i, int(p.row));
        vec4 v[4];
        [[unroll]] for (int n = 0; n < 4; n++) {
            v[n] = texelFetch(x, from + n % 2 + n / 2 * row);
            if (ACT != 0)
                v[n] = activate(v[n], l, beta);
        }
        if (TAIL == 0 || i < int(p.quads))
            quad_store(p.z_at, px(p.z, uint(c), 0) / 4 + uint(i), pool(v[0], v[1], v[2], v[3]));
    }
}
