#version 450
#extension GL_GOOGLE_include_directive : require

// conv_fwd: convolution, optionally of batch norm and ReLU, read in place.
//
//     y[k,n,p,q] = b[k] + Σ_{c,r,s} w[k,c,r,s] · z[c, n, p·STRIDE+r-PAD, q·STRIDE+s-PAD]
//     z[c] = ACT ? max(gamma[c]·(x[c]-mean[c])·istd[c] + beta[c], 0) : x[c]
//
// 0 <= k < p.k, c_lo <= c < c_hi; z is 0 outside of the image, and averaged 2x2
// first with POOL. Where the plane of channel c lies, and its four numbers, are
// in links. An invocation makes a tile of KT channels by PY by PX pixels
// (tile.glsl) and adds in the order c, r, s, which depends on nothing else.
// CPU reference: ops/ref.Conv. Host: ops.Conv.

#define Y_ACCESS writeonly
#include "conv_fwd.glsl"

void main() {
    Spot t = spot();
    if (t.n >= p.n)
        return;
    uint k0 = gl_WorkGroupID.y * KT;
    sum(t, k0);
    [[unroll]] for (uint o = 0; o < KT; o++) {
        float bias = BIAS ? b[p.b_base + min(k0 + o, p.k - 1)] : 0.0;
        [[unroll]] for (uint i = 0; i < PY; i++)
            [[unroll]] for (uint j = 0; j < PX; j++)
                if (k0 + o < p.k && wanted(t, i, j))
                    y[place(t, k0 + o, i, j)] = map_store(acc[(o * PY + i) * PX + j] + bias);
    }
}
