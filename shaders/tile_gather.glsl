#ifndef TILE_GATHER_GLSL
#define TILE_GATHER_GLSL
// The gather of the tile and the matrix forms. The includer declares the weights and
// includes patch.glsl or matrix_patch.glsl.
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
    uint k = lane / PER * SIDE;
    inside = 0;
    [[unroll]] for (uint i = 0; i < LOADS; i++) {
        uint q = lane < CB / SIDE * PER ? patch_place(lane % PER + i * PER, p.n) : ~0u;
        inside |= q != ~0u ? 1u << i : 0u;
        [[unroll]] for (uint s = 0; s < SIDE; s++)
            ahead[i * SIDE + s] = map_load(dy[base + (q != ~0u && k + s < planes ? (k + s) * p.n * H * W + q : 0)]);
    }
}

// keep puts those of the planes that were left into the patch.
void keep(uint planes) {
    uint left = planes - min(lane / PER * SIDE, planes);
    [[unroll]] for (uint i = 0; i < LOADS; i++) {
        float v[SIDE];
        [[unroll]] for (uint s = 0; s < SIDE; s++)
            v[s] = (inside >> i & 1u) != 0 && s < left ? ahead[i * SIDE + s] : 0.0;
        if (lane % PER + i * PER < PATCH && lane < CB / SIDE * PER)
            patch_put(lane % PER + i * PER, v);
    }
}

// convolve fills acc with the gradient that the reader at table entry at hands back.
void convolve(uint at, uint c0) {
    uint base = table[at + DY_BASE], planes = table[at + DY_COUNT], row = table[at + W_ROW], first = table[at + W_BASE] + c0 * KK;
    acc_clear();
    for (uint k = 0; k < planes + CB; k += CB) { // loads planes from k on and multiplies those before
        if (k > 0) {
            barrier();
            keep(planes - (k - CB));
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

#include "tile_fold.glsl"

void run() {
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
#endif
