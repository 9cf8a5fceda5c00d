#ifndef CONV_BWD_GLSL
#define CONV_BWD_GLSL
// The data gradient of one convolution on a register tile, for the
// conv_bwd_data and conv_gather kernels:
//
//     acc[c,y,x] = Σ_{k,r,s} w[k,c,r,s] · dy[k, n, (y+PAD-r)/STRIDE, (x+PAD-s)/STRIDE]
//
// over the taps for which both quotients are whole and inside dy. It is a
// convolution with the taps turned round over dy with STRIDE-1 zeros between its
// elements. With POOL the tile is in pooled pixels, and each of its sums belongs
// to FACE by FACE pixels of the map, a quarter each.
#extension GL_EXT_control_flow_attributes : require
#define STEP 1
#include "map.glsl"
#include "tile.glsl"

const uint FACE = POOL ? 2 : 1;
const uint GY = PY * FACE, GX = PX * FACE; // a tile in pixels of the map
const float SHARE = POOL ? 0.25 : 1.0;

layout(binding = 0) restrict readonly buffer DY { MAP dy[]; };
layout(binding = 1) restrict readonly buffer W { float w[]; };

uint row_of[KT]; // first weight of each channel of the tile at the current k

float weight(uint o, uint r, uint s) { return w[row_of[o] + (R - 1 - r) * S + (S - 1 - s)]; }

// A Source is a convolution seen from the map that it reads.
struct Source {
    uint dy;    // first element of dy[0]
    uint k;     // planes of dy
    uint w;     // first element of w[0] at the map's first channel
    uint w_row; // elements from w[k] to w[k+1]
};

// Extents of the map and of dy.
struct Extents {
    uint n, h, w;
    uint p, q;
};

// load fills the window from plane i of dy for turned row r of the taps.
void load(uint plane, Spot t, Extents e, uint r) {
    [[unroll]] for (uint i = 0; i < PY; i++) {
        int uy = int(t.y * PY + r + i) + int(PAD) - int(R - 1);
        bool in_y = uy >= 0 && uint(uy) % STRIDE == 0 && uint(uy) / STRIDE < e.p;
        uint row = plane + (t.n * e.p + (in_y ? uint(uy) / STRIDE : 0)) * e.q;
        [[unroll]] for (uint j = 0; j < VW; j++) {
            int ux = int(t.x * PX + j) + int(PAD) - int(S - 1);
            bool inside = in_y && ux >= 0 && uint(ux) % STRIDE == 0 && uint(ux) / STRIDE < e.q;
            float v = map_load(dy[row + (inside ? uint(ux) / STRIDE : 0)]);
            window[i * VW + j] = inside ? v : 0.0;
        }
    }
}

// gradient fills acc for channels [c0, c0+KT) of the map's channels.
void gradient(Source g, Spot t, Extents e, uint c0, uint channels) {
    tile_clear();
    for (uint k = 0; k < g.k; k++) {
        [[unroll]] for (uint o = 0; o < KT; o++)
            row_of[o] = g.w + k * g.w_row + min(c0 + o, channels - 1) * R * S;
        for (uint r = 0; r < R; r++) {
            load(g.dy + k * e.n * e.p * e.q, t, e, r);
            tile_multiply(r);
        }
    }
}

// bwd_spot returns this invocation's tile in the map.
Spot bwd_spot(Extents e) { return tile_spot((e.h + GY - 1) / GY, (e.w + GX - 1) / GX); }
#endif
