#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require

// conv_gather: what a map receives from readers of one geometry.
//
//     D_j   = W_jᵀ·dy_j (conv_bwd_data), dy_j/(H·W) for a head, or dy_j itself
//     g[c]  = (add ? g[c] : 0) + Σ_j gamma_j[c]·[z_j > 0]·D_j
//     partial[j][c][group] = Σ over the group's pixels of [z_j > 0]·D_j·(1, xhat)
//
// 0 <= c < p.c, over the readers of the table, in order; z_j = gamma_j·xhat +
// beta_j. An invocation makes a tile of KT channels by PY by PX pixels for one
// reader after the other, and nobody else touches its part of g; a workgroup
// makes 64 tiles. gather_merge adds the partial sums.
// CPU reference: ops/ref.Gather. Host: ops.Gather.

#include "view.glsl"
#define HELD
#include "act.glsl"
#include "conv_bwd.glsl"

// SOURCE is what the readers are, ops.source: convolutions; heads (batch norm -
// ReLU - global average pooling - linear), whose dy is the gradient of the pooled
// features, [c][n]; or direct ones, whose dy is the gradient of what they read.
layout(constant_id = 8) const uint SOURCE = 0;
const uint CONV = 0, HEAD = 1;

const uint LANES = 64;

layout(push_constant) uniform Push {
    View x;       // c planes: the map
    View g;       // c planes
    uint c;       // channels of the map
    uint table;   // first word of the first entry
    uint readers; // entries
    uint add;     // 1: g holds the sum over earlier readers
    uint n;       // images
    uint h;       // height and width of the map
    uint w;
    uint p;       // height and width of every dy
    uint q;
} p;

layout(binding = 2) restrict readonly buffer Links { uvec4 links[]; };
layout(binding = 3) restrict readonly buffer X { MAP x[]; };
layout(binding = 4) restrict readonly buffer Table { uint table[]; };
layout(binding = 5) restrict buffer G { float g[]; };
layout(binding = 6) restrict writeonly buffer Partial { vec2 partial[]; };

// Words of a table entry, ops.gatherEntry.
const uint DY_BASE = 0;  // first element of dy[0]; without convolution, of the map's first channel
const uint DY_COUNT = 1; // planes of dy
const uint W_BASE = 2;   // first element of w[0] at the map's first channel
const uint W_ROW = 3;    // elements from w[k] to w[k+1]
const uint LINK = 4;     // index among the links of the map's first channel
const uint PARTIAL = 5;  // index of the first partial sums: [channel][group]
const uint WORDS = 6;

shared vec2 sums[KT * LANES]; // (dbeta, dgamma) of each invocation, then of 16 each

// handed fills acc with the gradient that a reader without convolution hands back.
void handed(uint dy_base, Spot t, uint c0) {
    [[unroll]] for (uint o = 0; o < KT; o++)
        [[unroll]] for (uint i = 0; i < PY * PX; i++) {
            uint c = min(c0 + o, p.c - 1), y = min(t.y * PY + i / PX, p.h - 1), qx = min(t.x * PX + i % PX, p.w - 1);
            uint at = SOURCE == HEAD ? c * p.n + t.n : ((c * p.n + t.n) * p.h + y) * p.w + qx;
            acc[o * PY * PX + i] = map_load(dy[dy_base + at]) / (SOURCE == HEAD ? float(p.h * p.w) : 1.0);
        }
}

// fold masks acc, writes gamma·acc to g or adds it, and leaves the sums of the
// masked gradient and of its product with xhat.
void fold(uint first, bool add, Spot t, uint c0) {
    uint lane = gl_LocalInvocationID.x;
    tile_hold(SHARE);
    [[dont_unroll]] for (uint o = 0; o < KT; o++) {
        uint c = min(c0 + o, p.c - 1);
        Link l = link_unpack(links[2 * (first + c)], links[2 * (first + c) + 1]);
        vec2 s = vec2(0.0);
        [[dont_unroll]] for (uint i = 0; i < GY * GX; i++) {
            uint ty = i / GX, tx = i % GX, y = t.y * GY + ty, qx = t.x * GX + tx;
            if (t.n >= p.n || c0 + o >= p.c || y >= p.h || qx >= p.w)
                continue;
            uint pixel = (t.n * p.h + y) * p.w + qx, at = px(p.g, c, pixel);
            float xhat = link_xhat(l, map_load(x[px(p.x, c, pixel)]));
            float d = tile_held(o, ty / FACE, tx / FACE);
            d = link_pre(l, xhat) > 0.0 ? d : 0.0;
            s += vec2(d, d * xhat);
            float v = l.gamma * d;
            if (add)
                v += g[at];
            g[at] = v;
        }
        sums[o * LANES + lane] = s;
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

void main() {
    Extents e = Extents(p.n, p.h, p.w, p.p, p.q);
    Spot t = bwd_spot(e);
    uint groups = gl_NumWorkGroups.x * gl_NumWorkGroups.z, group = gl_WorkGroupID.z * gl_NumWorkGroups.x + gl_WorkGroupID.x;
    uint c0 = gl_WorkGroupID.y * KT;
    Spot in_map = Spot(min(t.n, p.n - 1), t.y, t.x);
    for (uint r = 0; r < p.readers; r++) {
        uint at = p.table + r * WORDS;
        if (SOURCE == CONV)
            gradient(Source(table[at + DY_BASE], table[at + DY_COUNT], table[at + W_BASE], table[at + W_ROW]), in_map, e, c0, p.c);
        else
            handed(table[at + DY_BASE], in_map, c0);
        fold(table[at + LINK], p.add != 0 || r > 0, t, c0);
        reduce(table[at + PARTIAL], groups, group, c0);
    }
}
