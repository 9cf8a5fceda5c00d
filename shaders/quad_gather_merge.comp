#version 450
#extension GL_GOOGLE_include_directive : require
#include "lanes.glsl"

// quad_gather_merge: the batch-norm gradients of a map's readers, and the
// coefficients of the gradient of the map, if every reader has an even number of
// partial sums. The form for software drivers with 8 or 16 lanes: two pairs of
// partial sums at a time, a texel.
//
//     dbeta_j[c], dgamma_j[c] = Σ_{part, group} partial_j[part][c][group]
//     s1[c] = Σ_j gamma_j[c]·dbeta_j[c]     s2[c] = Σ_j gamma_j[c]·dgamma_j[c]
//     coef[c] = (istd, -istd²·m2, istd·(mean·istd·m2 - m1), 0)   m1 = s1/M, m2 = s2/M
//
// 0 <= c < p.c; a workgroup makes one channel. A lane adds every LANES-th texel of a
// reader in order, then the lanes are added as a tree. If the readers do not fit one
// dispatch, coef holds (s1, s2) until the last.
// CPU reference: ops/ref.Gather. Host: ops.Gather.

layout(push_constant) uniform Push {
    uint readers; // entries of the table
    uint table;   // first texel of the first entry
    uint first;   // 1: coef holds nothing yet
    uint last;    // 1: make the coefficients
    uint m;       // elements per plane
    uint stats;   // texel of the statistics of channel 0
    uint coef;    // coef[0]
} p;

layout(binding = 0) uniform samplerBuffer table; // ops.mergeEntry: partial, groups, parts, part, link, dgamma, dbeta, 0
layout(binding = 1) uniform samplerBuffer partial;
layout(binding = 2) uniform samplerBuffer links;
layout(binding = 3) uniform samplerBuffer stats; // mean, variance, istd
layout(binding = 4) buffer Coef { vec4 coef[]; };
layout(binding = 5) writeonly buffer Grad { float grad[]; };

void main() {
    uint c = gl_WorkGroupID.x, lane = gl_SubgroupInvocationID;
    vec2 s = p.first != 0 ? vec2(0.0) : coef[p.coef + c].xy;
    for (uint j = 0; j < p.readers; j++) {
        uvec4 sums = floatBitsToUint(texelFetch(table, int(p.table + 2 * j)));
        uvec4 to = floatBitsToUint(texelFetch(table, int(p.table + 2 * j + 1)));
        vec2 d = vec2(0.0);
        for (uint part = 0; part < sums.z; part++) {
            int first = int((sums.x + part * sums.w + c * sums.y) / 2);
            for (uint t = lane; t < sums.y / 2; t += LANES) {
                vec4 v = texelFetch(partial, first + int(t));
                d += v.xy + v.zw;
            }
        }
        d = vec2(lanes_total(d.x), lanes_total(d.y));
        s += texelFetch(links, int(2 * (to.x + c))).w * d;
        if (lane == 0) {
            grad[to.z + c] = d.x;
            grad[to.y + c] = d.y;
        }
    }
    if (lane != 0)
        return;
    vec4 st = texelFetch(stats, int(p.stats + c));
    vec2 m = s / float(p.m);
    coef[p.coef + c] = p.last == 0 ? vec4(s, 0.0, 0.0) : vec4(st.z, -st.z * st.z * m.y, st.z * (st.x * st.z * m.y - m.x), 0.0);
}
