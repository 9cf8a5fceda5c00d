#ifndef CONV_FWD_GLSL
#define CONV_FWD_GLSL
// The forward convolution of conv_fwd.comp and conv_fwd_acc.comp.
#extension GL_EXT_control_flow_attributes : require
#define STEP STRIDE
#include "view.glsl"
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

layout(binding = 0) restrict readonly buffer X { float x[]; };
layout(binding = 1) restrict readonly buffer Links { uvec4 links[]; };
layout(binding = 2) restrict readonly buffer W { float w[]; };
layout(binding = 3) restrict readonly buffer B { float b[]; };
layout(binding = 4) restrict Y_ACCESS buffer Y { float y[]; };

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

void store(Spot t, uint k0) {
    [[unroll]] for (uint o = 0; o < KT; o++) {
        uint k = k0 + o;
        float bias = BIAS ? b[p.b_base + min(k, p.k - 1)] : 0.0;
        [[unroll]] for (uint i = 0; i < PY; i++)
            [[unroll]] for (uint j = 0; j < PX; j++) {
                uint qy = t.y * PY + i, qx = t.x * PX + j;
                if (k < p.k && qy < p.p && qx < p.q)
                    put(px(p.y, k, (t.n * p.p + qy) * p.q + qx), acc[(o * PY + i) * PX + j] + bias);
            }
    }
}

void run() {
    Spot t = tile_spot((p.p + PY - 1) / PY, (p.q + PX - 1) / PX);
    if (t.n >= p.n)
        return;
    uint k0 = gl_WorkGroupID.y * KT;
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
    store(t, k0);
}
#endif
