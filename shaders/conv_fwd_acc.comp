#version 450
#extension GL_GOOGLE_include_directive : require

// conv_fwd_acc: conv_fwd, added to what y holds.
//
//     y[k,n,p,q] += Σ_{c,r,s} w[k,c,r,s] · z[c, n, p·STRIDE+r-PAD, q·STRIDE+s-PAD]
//
// For inputs that are larger than a bound range: conv_fwd takes the first
// segment of channels, this kernel the others, in order.
// CPU reference: ops/ref.Conv. Host: ops.Conv.

#define Y_ACCESS
#define HELD
#include "conv_fwd.glsl"

void main() {
    Spot t = spot();
    if (t.n >= p.n)
        return;
    uint k0 = gl_WorkGroupID.y * KT;
    sum(t, k0);
    tile_hold(1.0);
    [[dont_unroll]] for (uint o = 0; o < KT; o++) {
        float bias = BIAS ? b[p.b_base + min(k0 + o, p.k - 1)] : 0.0;
        [[dont_unroll]] for (uint i = 0; i < PY * PX; i++)
            if (k0 + o < p.k && wanted(t, i / PX, i % PX))
                map_add(y[place(t, k0 + o, i / PX, i % PX)], tile_held(o, i / PX, i % PX) + bias);
    }
}
