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

layout(binding = 2) restrict DX_ACCESS buffer DX { MAP dx[]; };

// sum fills acc with the sums of tile t for input channels from c0 on.
void sum(Spot t, uint c0) {
    gradient(Source(p.dy_base, p.k, p.w_base, p.w_row), t, Extents(p.n, p.h, p.w, p.p, p.q), c0, p.c);
}

// spot returns the tile of this invocation.
Spot spot() { return bwd_spot(Extents(p.n, p.h, p.w, p.p, p.q)); }

// wanted reports whether row i and column j of a tile are in the map; place
// returns the element of channel c.
bool wanted(Spot t, uint i, uint j) { return t.y * GY + i < p.h && t.x * GX + j < p.w; }
uint place(Spot t, uint c, uint i, uint j) { return px(p.dx, c, (t.n * p.h + t.y * GY + i) * p.w + t.x * GX + j); }
#endif
