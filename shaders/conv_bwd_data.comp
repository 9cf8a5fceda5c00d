#version 450
#extension GL_GOOGLE_include_directive : require

// conv_bwd_data: gradient of a convolution with respect to its input.
//
//     dx[c,n,y,x] = Σ_{k,r,s} w[k,c,r,s] · dy[k, n, (y+PAD-r)/STRIDE, (x+PAD-s)/STRIDE]
//
// 0 <= c < p.c, 0 <= k < p.k, over taps whose quotients are whole and inside dy;
// with POOL a quarter of it at each of the four pooled pixels. An invocation
// makes a tile of KT channels by PY by PX pixels, adding in the order k, r, s.
// CPU reference: ops/ref.ConvBackwardData. Host: ops.Conv.

#define DX_ACCESS writeonly
#include "conv_bwd_data.glsl"

void main() {
    Spot t = spot();
    if (t.n >= p.n)
        return;
    uint c0 = gl_WorkGroupID.y * KT;
    sum(t, c0);
    [[unroll]] for (uint o = 0; o < KT; o++)
        [[unroll]] for (uint i = 0; i < GY; i++)
            [[unroll]] for (uint j = 0; j < GX; j++)
                if (c0 + o < p.c && wanted(t, i, j))
                    dx[place(t, c0 + o, i, j)] = map_store(SHARE * acc[(o * PY + i / FACE) * PX + j / FACE]);
}
