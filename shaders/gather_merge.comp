#version 450
#extension GL_GOOGLE_include_directive : require
#include "view.glsl"

// gather_merge: the batch-norm gradients of a map's readers, and the
// coefficients of the gradient of the map.
//
//     dbeta_j[c], dgamma_j[c] = Σ_{part, group} partial_j[part][c][group]
//     s1[c] = Σ_j gamma_j[c]·dbeta_j[c]     s2[c] = Σ_j gamma_j[c]·dgamma_j[c]
//     coef[c] = (istd, -istd²·m2, istd·(mean·istd·m2 - m1), 0)   m1 = s1/M, m2 = s2/M
//
// 0 <= c < p.c; a workgroup makes one channel, adding the partial sums of a
// reader in 64 interleaved runs, every eighth of these, and the eight in order.
// If the readers do not fit one dispatch, coef holds (s1, s2) until the last.
// CPU reference: ops/ref.Gather. Host: ops.Gather.

layout(local_size_x = 64) in;
const uint LANES = 64;

layout(push_constant) uniform Push {
    uint readers; // entries of the table
    uint table;   // first word of the first entry
    uint first;   // 1: coef holds nothing yet
    uint last;    // 1: make the coefficients
    uint m;       // elements per plane
    uint stats;   // first word of the statistics of channel 0
    uint coef;    // first element of coef[0]
} p;

layout(binding = 0) readonly buffer Table { uint table[]; };
layout(binding = 1) readonly buffer Partial { vec2 partial[]; };
layout(binding = 2) readonly buffer Links { uvec4 links[]; };
layout(binding = 3) readonly buffer Stats { float stats[]; };
layout(binding = 4) buffer Coef { float coef[]; };
layout(binding = 5) writeonly buffer Grad { float grad[]; };

// Words of a table entry, ops.mergeEntry.
const uint PARTIAL = 0; // index of the first partial sums of the reader
const uint GROUPS = 1;  // partial sums per channel and part
const uint PARTS = 2;
const uint PART = 3;    // partial sums from a part to the next
const uint LINK = 4;    // index among the links of the map's first channel
const uint DGAMMA = 5;  // first element among the gradients
const uint DBETA = 6;
const uint WORDS = 8;

const uint STAT_WORDS = 4, MEAN = 0, ISTD = 2; // of a plane's statistics: ops.StatMean and following

shared vec2 sums[LANES];
shared vec2 eighths[8];

// total returns the sum of reader at's partial sums of channel c, to every invocation.
vec2 total(uint at, uint c) {
    uint groups = table[at + GROUPS], lane = gl_LocalInvocationID.x;
    vec2 s = vec2(0.0);
    for (uint i = lane; i < groups * table[at + PARTS]; i += LANES)
        s += partial[table[at + PARTIAL] + i / groups * table[at + PART] + c * groups + i % groups];
    sums[lane] = s;
    barrier();
    if (lane < 8) {
        for (uint i = lane + 8; i < LANES; i += 8)
            s += sums[i];
        eighths[lane] = s;
    }
    barrier();
    s = eighths[0];
    for (uint i = 1; i < 8; i++)
        s += eighths[i];
    return s;
}

void main() {
    uint c = gl_WorkGroupID.x, lane = gl_LocalInvocationID.x, k = p.coef + 4 * c;
    vec2 s = p.first != 0 ? vec2(0.0) : vec2(coef[k], coef[k + 1]);
    for (uint j = 0; j < p.readers; j++) {
        uint at = p.table + j * WORDS;
        vec2 d = total(at, c);
        s += uintBitsToFloat(links[2 * (table[at + LINK] + c)].w) * d;
        if (lane == 0) {
            grad[table[at + DBETA] + c] = d.x;
            grad[table[at + DGAMMA] + c] = d.y;
        }
    }
    barrier(); // every invocation has read coef
    if (lane != 0)
        return;
    if (p.last == 0) {
        coef[k] = s.x;
        coef[k + 1] = s.y;
        return;
    }
    float mean = stats[p.stats + c * STAT_WORDS + MEAN], istd = stats[p.stats + c * STAT_WORDS + ISTD];
    vec2 m = s / float(p.m);
    coef[k] = istd;
    coef[k + 1] = -istd * istd * m.y;
    coef[k + 2] = istd * (mean * istd * m.y - m.x);
    coef[k + 3] = 0.0;
}
