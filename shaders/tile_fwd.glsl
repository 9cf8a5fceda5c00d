#ifndef TILE_FWD_GLSL
#define TILE_FWD_GLSL
// The convolution of the tile and the matrix forms. The includer declares the weights
// and includes patch.glsl or matrix_patch.glsl.

layout(constant_id = FREE) const bool ACT = true;        // batch norm and ReLU on load
layout(constant_id = FREE + 1) const bool STATS = false;  // leave the statistics of every tile
layout(constant_id = FREE + 2) const bool TURNED = false; // taps run backwards: a data gradient

layout(push_constant) uniform Push {
    View y;      // k planes
    uint k;      // output channels
    uint c;      // input channels of this dispatch
    uint link;   // index of the first of their links
    uint w_base; // first weight
    uint w_out;  // elements from an output channel to the next
    uint w_in;   // elements from an input channel to the next
    uint n;      // images
    uint h;      // height and width of the input
    uint w;
    uint tiles;  // first pair of the statistics
} p;

layout(binding = 0) restrict readonly buffer X { MAP x[]; };
layout(binding = 1) restrict readonly buffer Links { uvec4 links[]; };
layout(binding = 3) restrict Y_ACCESS buffer Y { MAP y[]; };
layout(binding = 4) restrict writeonly buffer Tiles { vec2 tiles[]; };

Link link[SIDE]; // of the channels that this invocation loads

float activated(uint side, float v) { return ACT ? link_act(link[side], v) : v; }

// load loads the elements of input channels from c0 on. With POOL they are
// activated at once, since the mean comes after.
void load(uint c0) {
    uint c = c0 + lane / PER * SIDE;
    [[unroll]] for (uint s = 0; s < SIDE; s++) {
        uint at = 2 * (p.link + min(c + s, p.c - 1));
        link[s] = link_unpack(links[at], links[at + 1]);
    }
    inside = 0;
    [[unroll]] for (uint i = 0; i < LOADS; i++) {
        uint q = c < p.c && lane < CB / SIDE * PER ? patch_place(lane % PER + i * PER, p.n) : ~0u;
        inside |= q != ~0u ? 1u << i : 0u;
        q = q != ~0u ? q : 0;
        [[unroll]] for (uint s = 0; s < SIDE; s++) {
            if (POOL) {
                uint a = link[s].plane + (q / (W * H) * p.h + 2 * (q / W % H)) * p.w + 2 * (q % W);
                ahead[i * SIDE + s] = 0.25 * ((activated(s, map_load(x[a])) + activated(s, map_load(x[a + 1]))) +
                                              (activated(s, map_load(x[a + p.w])) + activated(s, map_load(x[a + p.w + 1]))));
            } else
                ahead[i * SIDE + s] = map_load(x[link[s].plane + q]);
        }
    }
}

// keep puts those of p.c - c0 channels into the patch.
void keep(uint c0) {
    uint left = p.c - c0 - min(lane / PER * SIDE, p.c - c0);
    [[unroll]] for (uint i = 0; i < LOADS; i++) {
        float v[SIDE];
        [[unroll]] for (uint s = 0; s < SIDE; s++) {
            float z = POOL ? ahead[i * SIDE + s] : activated(s, ahead[i * SIDE + s]);
            v[s] = (inside >> i & 1u) != 0 && s < left ? z : 0.0;
        }
        if (lane % PER + i * PER < PATCH && lane < CB / SIDE * PER)
            patch_put(lane % PER + i * PER, v);
    }
}

// store writes the sums, and leaves in acc what readers will see.
void store(uint k0) {
    [[unroll]] for (uint o = 0; o < TK; o++)
        [[unroll]] for (uint j = 0; j < TP; j++) {
            uint k = k0 + channel(o);
            if (k < p.k && exists(unit, j, p.n)) {
                uint to = px(p.y, k, pixel(unit, j));
                acc[o * TP + j] = map_round(acc[o * TP + j] + BEFORE(to));
                y[to] = map_store(acc[o * TP + j]);
            }
        }
}

#include "tile_stats.glsl"

void run() {
    uint groups = gl_NumWorkGroups.x * gl_NumWorkGroups.z, group = gl_WorkGroupID.z * gl_NumWorkGroups.x + gl_WorkGroupID.x;
    uint k0 = gl_WorkGroupID.y * BK;
    patch_begin(group);
    acc_clear();
    for (uint c0 = 0; c0 < p.c + CB; c0 += CB) { // loads channels from c0 on and multiplies those before
        if (c0 > 0) {
            barrier();
            keep(c0 - CB);
            weights_keep(TURNED);
            barrier();
        }
        if (c0 < p.c) {
            load(c0);
            weights_load(p.w_base + k0 * p.w_out + c0 * p.w_in, p.w_out, p.w_in, p.k - k0, p.c - c0, TURNED);
        }
        if (c0 > 0)
            multiply();
    }
    acc_finish();
    store(k0);
    if (STATS)
        measure(k0, group, groups);
}
#endif
