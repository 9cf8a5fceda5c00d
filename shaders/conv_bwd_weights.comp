#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "map.glsl"
#include "view.glsl"

// conv_bwd_weights: gradient of a convolution with respect to its weights.
//
//     dst[i][k,c,r,s] = Σ_{n,p,q} dy[k,n,p,q] · z[c, n, p·STRIDE+r-PAD, q·STRIDE+s-PAD]
//
// over the i-th of the splits of all strips of PX pixels; z as in conv_fwd,
// activated again while loading. A workgroup makes CT input channels by KT
// output channels by RT rows of taps; an invocation sums every 64th strip, then
// the 64 sums are added in order of the invocations. conv_reduce adds the splits.
// CPU reference: ops/ref.ConvBackwardWeights. Host: ops.Conv.

layout(local_size_x = 64) in;
const uint LANES = 64;

layout(constant_id = 0) const uint KT = 6;
layout(constant_id = 1) const uint CT = 1;
layout(constant_id = 2) const uint RT = 3; // rows of taps per workgroup, divides R
layout(constant_id = 3) const uint PX = 4;
layout(constant_id = 4) const uint R = 3;
layout(constant_id = 5) const uint S = 3;
layout(constant_id = 6) const uint STRIDE = 1;
layout(constant_id = 7) const uint PAD = 1;
layout(constant_id = 8) const bool POOL = false;
layout(constant_id = 9) const bool ACT = true;

layout(push_constant) uniform Push {
    uint dy_base; // first element of dy[0]
    uint k;       // output channels
    uint c_lo;    // input channels [c_lo, c_hi) of the links
    uint c_hi;
    uint c;       // input channels of w
    uint dst;     // first element of split 0 at the first of the k output channels
    uint split;   // elements from a split to the next
    uint strips;  // strips per split
    uint n;       // images
    uint h;       // input height and width
    uint w;
    uint p;       // output height and width
    uint q;
} p;

layout(binding = 0) restrict readonly buffer X { MAP x[]; };
layout(binding = 1) restrict readonly buffer Links { uvec4 links[]; };
layout(binding = 2) restrict readonly buffer DY { MAP dy[]; };
layout(binding = 3) restrict writeonly buffer Dst { float dst[]; };

#include "input.glsl"

const uint VW = (PX - 1) * STRIDE + S;

float sums[CT * RT * KT * S];
float grad[KT * PX];
float row[VW];
shared float lanes[CT * RT * KT * S * (LANES + 1)]; // [sum][invocation]; one more, so that neighbours lie in other banks

// add_strip adds the products of the strip of dy at row y, column x0 of image n.
void add_strip(Link l[CT], uint r0, uint k0, uint n, uint y, uint x0) {
    [[unroll]] for (uint k = 0; k < KT; k++) {
        uint at = p.dy_base + ((min(k0 + k, p.k - 1) * p.n + n) * p.p + y) * p.q;
        [[unroll]] for (uint j = 0; j < PX; j++) {
            float v = map_load(dy[at + min(x0 + j, p.q - 1)]);
            grad[k * PX + j] = x0 + j < p.q ? v : 0.0;
        }
    }
    [[unroll]] for (uint c = 0; c < CT; c++)
        [[unroll]] for (uint r = 0; r < RT; r++) {
            [[unroll]] for (uint j = 0; j < VW; j++)
                row[j] = input_at(l[c], n, int(y * STRIDE + r0 + r) - int(PAD), int(x0 * STRIDE + j) - int(PAD), p.h, p.w);
            [[unroll]] for (uint k = 0; k < KT; k++)
                [[unroll]] for (uint s = 0; s < S; s++)
                    [[unroll]] for (uint j = 0; j < PX; j++)
                        sums[((c * RT + r) * KT + k) * S + s] += grad[k * PX + j] * row[j * STRIDE + s];
        }
}

// write adds the lanes' sums and writes them. All go to shared memory at once:
// sums that live on across a barrier are kept in memory by lavapipe all along.
void write(uint c0, uint r0, uint k0) {
    uint lane = gl_LocalInvocationID.x, dst0 = p.dst + gl_WorkGroupID.z * p.split;
    [[unroll]] for (uint i = 0; i < CT * RT * KT * S; i++)
        lanes[i * (LANES + 1) + lane] = sums[i];
    barrier();
    for (uint i = lane; i < CT * RT * KT * S; i += LANES) {
        float v = 0.0;
        for (uint j = 0; j < LANES; j++)
            v += lanes[i * (LANES + 1) + j];
        uint s = i % S, k = k0 + i / S % KT, r = r0 + i / (S * KT) % RT, c = c0 + i / (S * KT * RT);
        if (k < p.k && c < p.c_hi)
            dst[dst0 + ((k * p.c + c) * R + r) * S + s] = v;
    }
}

void main() {
    uint r0 = gl_WorkGroupID.x % (R / RT) * RT, c0 = p.c_lo + gl_WorkGroupID.x / (R / RT) * CT, k0 = gl_WorkGroupID.y * KT;
    Link l[CT];
    [[unroll]] for (uint c = 0; c < CT; c++) {
        uint at = 2 * min(c0 + c, p.c_hi - 1);
        l[c] = link_unpack(links[at], links[at + 1]);
    }
    [[unroll]] for (uint i = 0; i < CT * RT * KT * S; i++)
        sums[i] = 0.0;
    uint cols = (p.q + PX - 1) / PX;
    uint end = min((gl_WorkGroupID.z + 1) * p.strips, p.n * p.p * cols);
    for (uint i = gl_WorkGroupID.z * p.strips + gl_LocalInvocationID.x; i < end; i += LANES)
        add_strip(l, r0, k0, i / (p.p * cols), i / cols % p.p, i % cols * PX);
    write(c0, r0, k0);
}
