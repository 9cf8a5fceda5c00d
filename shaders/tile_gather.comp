#version 450
#extension GL_GOOGLE_include_directive : require

// tile_gather: what a map receives from the 3x3 or 1x1 convolutions that read it.
// The form for GPUs (patch.glsl).
//
//     D_j[c,n,y,x] = Σ_{k,r,s} w_j[k,c,KS-1-r,KS-1-s] · dy_j[k, n, y+r-KS/2, x+s-KS/2]
//     g[c]         = (add ? g[c] : 0) + Σ_j gamma_j[c]·[z_j > 0]·D_j[c]     z_j = gamma_j[c]·xhat[c] + beta_j[c]
//     partial[j][c][group] = Σ over the group's pixels of [z_j > 0]·D_j·(1, xhat)
//
// 0 <= c < p.c, over the readers of the table, in order; with POOL the pixels are
// those of dy, and each hands a quarter to four of the map. The sums over readers
// stay in registers until the end, and nobody else touches their part of g.
// gather_merge adds the partial sums.
// CPU reference: ops/ref.Gather. Host: ops.Gather.

layout(binding = 1) restrict readonly buffer Weights { float w[]; };
#include "patch.glsl"

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

layout(binding = 0) restrict readonly buffer DY { MAP dy[]; };
layout(binding = 2) restrict readonly buffer Links { uvec4 links[]; };
layout(binding = 3) restrict readonly buffer X { MAP x[]; };
layout(binding = 4) restrict readonly buffer Table { uint table[]; };
layout(binding = 5) restrict buffer G { float g[]; };
layout(binding = 6) restrict writeonly buffer Partial { vec2 partial[]; };

// Words of a table entry, ops.gatherEntry.
const uint DY_BASE = 0;  // first element of dy[0]
const uint DY_COUNT = 1; // planes of dy
const uint W_BASE = 2;   // first element of w[0] at the map's first channel
const uint W_ROW = 3;    // elements from w[k] to w[k+1]
const uint LINK = 4;     // index among the links of the map's first channel
const uint PARTIAL = 5;  // index of the first partial sums: [channel][group]
const uint WORDS = 6;

const uint FACE = POOL ? 4 : 1;        // pixels of the map for one of dy
const float SHARE = POOL ? 0.25 : 1.0;

float sums[TK * TP * FACE]; // over the readers, of this invocation's part of g

// map_pixel returns where face f of pixel q of dy lies in a plane of the map.
uint map_pixel(uint q, uint f) {
    return POOL ? (q / (W * H) * p.h + 2 * (q / W % H) + f / 2) * p.w + 2 * (q % W) + f % 2 : q;
}

// load loads the elements of planes of dy from k on; base is the first of plane k,
// and planes are left.
void load(uint base, uint planes) {
    uint k = lane / PER;
    inside = 0;
    [[unroll]] for (uint i = 0; i < LOADS; i++) {
        uint q = k < planes && lane < CB * PER ? patch_place(lane % PER + i * PER, p.n) : ~0u;
        inside |= q != ~0u ? 1u << i : 0u;
        ahead[i] = map_load(dy[base + (q != ~0u ? k * p.n * H * W + q : 0)]);
    }
}

// keep puts them into the patch.
void keep() {
    [[unroll]] for (uint i = 0; i < LOADS; i++) {
        uint e = lane % PER + i * PER;
        if (e < PATCH && lane < CB * PER)
            patch_[lane / PER * PATCH + e] = (inside >> i & 1u) != 0 ? ahead[i] : 0.0;
    }
}

// convolve fills acc with the gradient that the reader at table entry at hands back.
void convolve(uint at, uint c0) {
    uint base = table[at + DY_BASE], planes = table[at + DY_COUNT], row = table[at + W_ROW], first = table[at + W_BASE] + c0 * KK;
    acc_clear();
    for (uint k = 0; k < planes + CB; k += CB) { // loads planes from k on and multiplies those before
        if (k > 0) {
            barrier();
            keep();
            weights_keep(true);
            barrier();
        }
        if (k < planes) {
            load(base + k * p.n * H * W, planes - k);
            weights_load(first + k * row, KK, row, p.c - c0, planes - k, true);
        }
        if (k > 0)
            multiply();
    }
    acc_finish();
}

// fold masks acc, adds gamma·acc to the sums, and leaves the sums over the
// workgroup of the masked gradient and of its product with xhat.
void fold(uint at, uint c0, uint group, uint groups) {
    barrier();
    [[unroll]] for (uint o = 0; o < TK; o++) {
        uint c = min(c0 + kg * TK + o, p.c - 1), first = 2 * (table[at + LINK] + c);
        Link l = link_unpack(links[first], links[first + 1]);
        vec2 s = vec2(0.0);
        [[unroll]] for (uint j = 0; j < TP; j++)
            [[unroll]] for (uint f = 0; f < FACE; f++) {
                bool in_ = exists(unit, j, p.n);
                float xhat = link_xhat(l, map_load(x[px(p.x, c, in_ ? map_pixel(pixel(unit, j), f) : 0)]));
                float d = in_ && link_pre(l, xhat) > 0.0 ? SHARE * acc[o * TP + j] : 0.0;
                s += in_ ? vec2(d, d * xhat) : vec2(0.0);
                sums[(o * TP + j) * FACE + f] += l.gamma * d;
            }
        uint i = 2 * ((kg * TK + o) * (GU + 1) + unit);
        patch_[i] = s.x;
        patch_[i + 1] = s.y;
    }
    barrier();
    for (uint o = lane; o < BK; o += LANES) {
        vec2 s = vec2(0.0);
        for (uint u = 0; u < GU; u++)
            s += vec2(patch_[2 * (o * (GU + 1) + u)], patch_[2 * (o * (GU + 1) + u) + 1]);
        if (c0 + o < p.c)
            partial[table[at + PARTIAL] + (c0 + o) * groups + group] = s;
    }
}

// swap reads (before any reader) or writes this invocation's part of g.
void swap(uint c0, bool read) {
    [[unroll]] for (uint o = 0; o < TK; o++)
        [[unroll]] for (uint j = 0; j < TP; j++)
            [[unroll]] for (uint f = 0; f < FACE; f++) {
                uint c = c0 + kg * TK + o, i = (o * TP + j) * FACE + f;
                bool in_ = c < p.c && exists(unit, j, p.n);
                uint at = px(p.g, in_ ? c : 0, in_ ? map_pixel(pixel(unit, j), f) : 0);
                if (read)
                    sums[i] = in_ ? g[at] : 0.0;
                else if (in_)
                    g[at] = sums[i];
            }
}

void main() {
    uint groups = gl_NumWorkGroups.x * gl_NumWorkGroups.z, group = gl_WorkGroupID.z * gl_NumWorkGroups.x + gl_WorkGroupID.x;
    uint c0 = gl_WorkGroupID.y * BK;
    patch_begin(group);
    if (p.add != 0)
        swap(c0, true);
    else
        [[unroll]] for (uint i = 0; i < TK * TP * FACE; i++)
            sums[i] = 0.0;
    for (uint r = 0; r < p.readers; r++) {
        convolve(p.table + r * WORDS, c0);
        fold(p.table + r * WORDS, c0, group, groups);
    }
    swap(c0, false);
}
