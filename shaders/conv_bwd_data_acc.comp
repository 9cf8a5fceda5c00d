#version 450
#extension GL_GOOGLE_include_directive : require

// conv_bwd_data_acc: conv_bwd_data, added to what dx holds.
//
//     dx[c,n,y,x] += Σ_{k,r,s} w[k,c,r,s] · dy[k, n, (y+PAD-r)/STRIDE, (x+PAD-s)/STRIDE]
//
// For a dx that several readers share, and for further segments of output channels.
// CPU reference: ops/ref.ConvBackwardData. Host: ops.Conv.

#define DX_ACCESS
#define HELD
#include "conv_bwd_data.glsl"

void main() {
    Spot t = spot();
    if (t.n >= p.n)
        return;
    uint c0 = gl_WorkGroupID.y * KT;
    sum(t, c0);
    tile_hold(SHARE);
    [[dont_unroll]] for (uint o = 0; o < KT; o++)
        [[dont_unroll]] for (uint i = 0; i < GY * GX; i++)
            if (c0 + o < p.c && wanted(t, i / GX, i % GX))
                map_add(dx[place(t, c0 + o, i / GX, i % GX)], tile_held(o, i / GX / FACE, i % GX / FACE));
}
