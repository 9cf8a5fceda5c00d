#ifndef CONV_FWD_GLSL
#define CONV_FWD_GLSL
// The forward convolution of conv_fwd.comp and conv_fwd_acc.comp.
#extension GL_EXT_control_flow_attributes : require
#define STEP STRIDE
#include "view.glsl"
#include "map.glsl"
#include "tile.glsl"

layout(constant_id = 8) const bool ACT = true;
layout(constant_id = 9) const bool BIAS = false;

layout(push_constant) uniform Push {
    View y;      // k planes
    uint k;      // output channels
    uint c_lo;   // input channels [c_lo, c_hi) of the links
    uint c_hi;
    uint c;      // input channels of w
    uint w_base; // first element of w[0]
    uint b_base; // first element of b
    uint n;      // images
    uint h;      // input height and width
    uint w;
    uint p;      // output height and width
    uint q;
} p;

layout(binding = 0) restrict readonly buffer X { MAP x[]; };
layout(binding = 1) restrict readonly buffer Links { uvec4 links[]; };
layout(binding = 2) restrict readonly buffer W { float w[]; };
layout(binding = 3) restrict readonly buffer B { float b[]; };
layout(binding = 4) restrict Y_ACCESS buffer Y { MAP y[]; };

#include "input.glsl"

uint row_of[KT]; // first weight of each output channel at the current input channel

float weight(uint o, uint r, uint s) { return w[row_of[o] + r * S + s]; }

// load fills the window for row r of the taps.
void load(Link l, Spot t, uint r) {
    int y0 = int(t.y * PY * STRIDE + r) - int(PAD), x0 = int(t.x * PX * STRIDE) - int(PAD);
    [[unroll]] for (uint i = 0; i < PY; i++)
        [[unroll]] for (uint j = 0; j < VW; j++)
            window[i * VW + j] = input_at(l, t.n, y0 + int(i * STRIDE), x0 + int(j), p.h, p.w);
}

// sum fills acc with the sums of tile t for output channels from k0 on.
void sum(Spot t, uint k0) {
    tile_clear();
    for (uint c = p.c_lo; c < p.c_hi; c++) {
        Link l = link_unpack(links[2 * c], links[2 * c + 1]);
        [[unroll]] for (uint o = 0; o < KT; o++)
            row_of[o] = p.w_base + (min(k0 + o, p.k - 1) * p.c + c) * R * S;
        for (uint r = 0; r < R; r++) {
            load(l, t, r);
            tile_multiply(r);
        }
    }
}

// spot returns the tile of this invocation.
Spot spot() { return tile_spot((p.p + PY - 1) / PY, (p.q + PX - 1) / PX); }

// wanted reports whether row i and column j of a tile are in the output; place
// returns the element of channel k.
bool wanted(Spot t, uint i, uint j) { return t.y * PY + i < p.p && t.x * PX + j < p.q; }
uint place(Spot t, uint k, uint i, uint j) { return px(p.y, k, (t.n * p.p + t.y * PY + i) * p.q + t.x * PX + j); }
#endif
