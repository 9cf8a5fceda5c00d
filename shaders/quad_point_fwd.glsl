#ifndef QUAD_POINT_FWD_GLSL
#define QUAD_POINT_FWD_GLSL
// The convolution of quad_point_fwd.comp and quad_point_fwd_acc.comp.
#include "quad_point.glsl"

layout(constant_id = 5) const uint ACT = 1;   // 1: batch norm and ReLU on load
layout(constant_id = 6) const uint STATS = 0; // 1: leave the statistics of every tile

layout(push_constant) uniform Push {
    uint quads; // quads per plane of y
    uint c;     // input channels
    uint k;     // output channels, <= OUTS
    uint w;     // first texel of the weights
    uint link;  // first texel of the links
    uint tiles; // first pair of the statistics
    View y;
    BufferAddress y_at;
    BufferAddress tiles_at;
} p;

layout(binding = 0) uniform samplerBuffer x;
layout(binding = 1) uniform samplerBuffer w;
layout(binding = 2) uniform samplerBuffer links;

#define MADE a
#define OWN QUADS
#include "quad_stats.glsl"

// fetch returns quad i of a channel, activated.
vec4 fetch(int i, vec4 link, float beta) {
    vec4 q = texelFetch(x, (floatBitsToInt(link.x) >> 2) + i);
    return ACT != 0 ? activate(q, link, beta) : q;
}

// Channel e of the four whose links lie in the lanes of both.
#define INPUT(e)                                                                                        \
    {                                                                                                   \
        vec4 link = subgroupBroadcast(both, 2 * e);                                                     \
        float beta = subgroupBroadcast(both.x, 2 * e + 1);                                              \
        [[unroll]] for (uint q = 0; q < QUADS; q++)                                                     \
            z[e][q] = fetch(own[q], link, beta);                                                        \
    }

void run() {
    int lane = int(gl_SubgroupInvocationID), first = int(gl_WorkGroupID.x * LANES * QUADS) + lane;
    int own[QUADS];
    [[unroll]] for (uint q = 0; q < QUADS; q++)
        own[q] = TAIL != 0 ? min(first + int(q * LANES), int(p.quads) - 1) : first + int(q * LANES);
    no_sums();
    for (int c = 0; c < int(p.c); c += 4) {
        int l = 2 * c + lane % 8;
        if (TAIL != 0)
            l = min(l, 2 * int(p.c) - 2 + lane % 2);
        vec4 both = texelFetch(links, int(p.link) + l);
        [[unroll]] for (uint f = 0; f < FETCHES; f++)
            t[f] = texelFetch(w, int(p.w) + lane + (c / 4 * int(FETCHES) + int(f)) * int(LANES));
        INPUT(0) INPUT(1) INPUT(2) INPUT(3)
        add_inputs(QUADS);
    }
    [[unroll]] for (uint j = 0; j < OUTS; j++)
        [[unroll]] for (uint q = 0; q < QUADS; q++) {
            uint i = first + q * LANES, at = px(p.y, j, 0) / 4 + i;
            if (TAIL != 0)
                at = px(p.y, min(j, p.k - 1), 0) / 4 + min(i, p.quads - 1);
            a[j][q] = sum_with(at, a[j][q]);
            if (TAIL == 0 || (i < p.quads && j < p.k))
                quad_store(p.y_at, at, a[j][q]);
        }
    if (STATS != 0)
        measure();
}
#endif
