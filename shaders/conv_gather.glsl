#ifndef CONV_GATHER_GLSL
#define CONV_GATHER_GLSL
// The gather of conv_gather.comp and conv_gather_acc.comp.
#include "view.glsl"
#include "act.glsl"
#include "conv_bwd.glsl"

// GLOBAL: the readers are heads, batch norm - ReLU - global average pooling -
// linear; their dy is the gradient of the pooled features, [c][n].
layout(constant_id = 9) const bool GLOBAL = false;

const uint LANES = 64;
const uint GY = PY * FACE, GX = PX * FACE; // a tile in pixels of the map

layout(push_constant) uniform Push {
    View x;       // c planes: the map
    View g;       // c planes
    uint c;       // channels of the map
    uint table;   // first word of the first entry
    uint readers; // entries
    uint n;       // images
    uint h;       // height and width of the map
    uint w;
    uint p;       // height and width of every dy
    uint q;
} p;

layout(binding = 2) restrict readonly buffer Links { uvec4 links[]; };
layout(binding = 3) restrict readonly buffer X { float x[]; };
layout(binding = 4) restrict readonly buffer Table { uint table[]; };
layout(binding = 5) restrict G_ACCESS buffer G { float g[]; };
layout(binding = 6) restrict writeonly buffer Partial { vec2 partial[]; };

// Words of a table entry, ops.gatherEntry.
const uint DY_BASE = 0;  // first element of dy[0]; GLOBAL: of the map's first channel
const uint DY_COUNT = 1; // planes of dy
const uint W_BASE = 2;   // first element of w[0] at the map's first channel
const uint W_ROW = 3;    // elements from w[k] to w[k+1]
const uint LINK = 4;     // index among the links of the map's first channel
const uint PARTIAL = 5;  // index of the first partial sums: [channel][group]
const uint WORDS = 6;

float total[KT * GY * GX];  // G of the tile
shared vec2 sums[KT * LANES]; // (dbeta, dgamma) of each invocation, then of 16 each

// pooled fills acc with the gradient that global average pooling hands back.
void pooled(uint dy_base, uint n, uint c0) {
    [[unroll]] for (uint o = 0; o < KT; o++) {
        float v = dy[dy_base + min(c0 + o, p.c - 1) * p.n + n] / float(p.h * p.w);
        [[unroll]] for (uint i = 0; i < PY * PX; i++)
            acc[o * PY * PX + i] = v;
    }
}

// fold masks acc, adds gamma·acc to total, and leaves the sums of the masked
// gradient and of its product with xhat.
void fold(uint first, Spot t, uint c0) {
    [[unroll]] for (uint o = 0; o < KT; o++) {
        uint c = min(c0 + o, p.c - 1);
        Link l = link_unpack(links[2 * (first + c)], links[2 * (first + c) + 1]);
        vec2 s = vec2(0.0);
        [[unroll]] for (uint i = 0; i < GY; i++)
            [[unroll]] for (uint j = 0; j < GX; j++) {
                uint y = t.y * GY + i, qx = t.x * GX + j;
                bool inside = t.n < p.n && y < p.h && qx < p.w;
                float xhat = link_xhat(l, x[px(p.x, c, inside ? (t.n * p.h + y) * p.w + qx : 0)]);
                float d = SHARE * acc[(o * PY + i / FACE) * PX + j / FACE];
                d = inside && link_pre(l, xhat) > 0.0 ? d : 0.0;
                total[(o * GY + i) * GX + j] += l.gamma * d;
                s += vec2(d, d * xhat);
            }
        sums[o * LANES + gl_LocalInvocationID.x] = s;
    }
}

// reduce adds the invocations' sums, runs of 16 and then the four runs, and
// writes them.
void reduce(uint at, uint groups, uint group, uint c0) {
    uint lane = gl_LocalInvocationID.x;
    barrier();
    for (uint i = lane; i < KT * 4; i += LANES) {
        vec2 s = sums[i * 16];
        for (uint j = 1; j < 16; j++)
            s += sums[i * 16 + j];
        sums[i * 16] = s;
    }
    barrier();
    for (uint o = lane; o < KT; o += LANES)
        if (c0 + o < p.c) {
            uint i = o * LANES;
            partial[at + (c0 + o) * groups + group] = ((sums[i] + sums[i + 16]) + sums[i + 32]) + sums[i + 48];
        }
    barrier();
}

void run() {
    Extents e = Extents(p.n, p.h, p.w, p.p, p.q);
    Spot t = bwd_spot(e);
    uint groups = gl_NumWorkGroups.x * gl_NumWorkGroups.z, group = gl_WorkGroupID.z * gl_NumWorkGroups.x + gl_WorkGroupID.x;
    uint c0 = gl_WorkGroupID.y * KT;
    Spot in_map = Spot(min(t.n, p.n - 1), t.y, t.x);
    [[unroll]] for (uint i = 0; i < KT * GY * GX; i++)
        total[i] = 0.0;
    for (uint r = 0; r < p.readers; r++) {
        uint at = p.table + r * WORDS;
        if (GLOBAL)
            pooled(table[at + DY_BASE], in_map.n, c0);
        else
            gradient(Source(table[at + DY_BASE], table[at + DY_COUNT], table[at + W_BASE], table[at + W_ROW]), in_map, e, c0, p.c);
        fold(table[at + LINK], t, c0);
        reduce(table[at + PARTIAL], groups, group, c0);
    }
    [[unroll]] for (uint o = 0; o < KT; o++)
        [[unroll]] for (uint i = 0; i < GY; i++)
            [[unroll]] for (uint j = 0; j < GX; j++) {
                uint y = t.y * GY + i, qx = t.x * GX + j;
                if (t.n < p.n && c0 + o < p.c && y < p.h && qx < p.w)
                    put(px(p.g, c0 + o, (t.n * p.h + y) * p.w + qx), total[(o * GY + i) * GX + j]);
            }
}
#endif
