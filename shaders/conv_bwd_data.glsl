#ifndef CONV_BWD_DATA_GLSL
#define CONV_BWD_DATA_GLSL
// The plain data gradient of conv_bwd_data.comp and conv_bwd_data_acc.comp.
#include "view.glsl"
#include "conv_bwd.glsl"

layout(push_constant) uniform Push {
    View dx;      // c planes
    uint c;       // input channels of this dispatch
    uint dy_base; // first element of dy[0]
    uint k;       // output channels
    uint w_base;  // first weight of channel 0 of dx at k = 0
    uint w_row;   // elements from one k to the next
    uint n;       // images
    uint h;       // input height and width
    uint w;
    uint p;       // output height and width
    uint q;
} p;

layout(binding = 2) restrict DX_ACCESS buffer DX { float dx[]; };

void run() {
    Extents e = Extents(p.n, p.h, p.w, p.p, p.q);
    Spot t = bwd_spot(e);
    if (t.n >= p.n)
        return;
    uint c0 = gl_WorkGroupID.y * KT;
    gradient(Source(p.dy_base, p.k, p.w_base, p.w_row), t, e, c0, p.c);
    [[unroll]] for (uint o = 0; o < KT; o++)
        [[unroll]] for (uint i = 0; i < PY * FACE; i++)
            [[unroll]] for (uint j = 0; j < PX * FACE; j++) {
                uint y = t.y * PY * FACE + i, x = t.x * PX * FACE + j;
                if (c0 + o < p.c && y < p.h && x < p.w)
                    put(px(p.dx, c0 + o, (t.n * p.h + y) * p.w + x), SHARE * acc[(o * PY + i / FACE) * PX + j / FACE]);
            }
}
#endif
