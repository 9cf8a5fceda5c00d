#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "view.glsl"
#include "map.glsl"
#include "act.glsl"

// tile_wgrad: weight gradient of a 3x3 or 1x1 convolution, optionally of batch
// norm and ReLU. The form for GPUs.
//
//     dst[split][k,c,r,s] = Σ_{n,p,q} dy[k,n,p,q] · z[c, n, p+r-KS/2, q+s-KS/2]
//
// over the pixels of the split; z as in tile_fwd. A workgroup makes GK·TK output by
// GC·TC input channels; an invocation TK by TC by a row of KS taps. In steps of
// PIXELS, whole rows with KS = 3, shared memory holds dy and z with four channels
// side by side, z with a column of zeros before each row and a row of zeros before
// each image (as in patch.glsl), so that a tap is a step in it. An invocation adds
// the pixels in order. conv_reduce adds the splits.
// CPU reference: ops/ref.ConvBackwardWeights. Host: ops.Conv.

layout(local_size_x = 72, local_size_x_id = 0) in;
layout(constant_id = 0) const uint LANES = 72; // GK·GC·KS
layout(constant_id = 1) const uint TK = 4;     // output channels of an invocation, a multiple of 4
layout(constant_id = 2) const uint TC = 4;     // input channels of an invocation, a multiple of 4
layout(constant_id = 3) const uint GK = 6;     // groups of output channels
layout(constant_id = 4) const uint GC = 4;     // groups of input channels
layout(constant_id = 5) const uint KS = 3;     // window: 3 or 1
layout(constant_id = 6) const bool POOL = false; // KS = 1: the mean of 2x2 pixels
layout(constant_id = 7) const uint H = 32;     // height and width of dy
layout(constant_id = 8) const uint W = 32;
layout(constant_id = 9) const uint PIXELS = 32; // of a step
layout(constant_id = 10) const uint ROWS = 3;   // KS = 3: rows of z for a step
layout(constant_id = 11) const uint AT_ONCE = 4; // pixels unrolled, divides a row (KS = 3) or PIXELS
layout(constant_id = 12) const bool ACT = true; // batch norm and ReLU on load

layout(push_constant) uniform Push {
    View dy;
    uint k;     // output channels of this dispatch
    uint c;     // input channels of this dispatch
    uint link;  // index of the first of their links
    uint steps; // of a split
    uint row;   // elements of dst from an output channel to the next
    uint dst;   // first element of split 0 at the first channels
    uint split; // elements from a split to the next
    uint n;     // images
    uint h;     // height and width of the input
    uint w;
} p;

layout(binding = 0) restrict readonly buffer X { MAP x[]; };
layout(binding = 1) restrict readonly buffer Links { uvec4 links[]; };
layout(binding = 2) restrict readonly buffer DY { MAP dy[]; };
layout(binding = 3) restrict writeonly buffer Dst { float dst[]; };

const uint KK = KS * KS;
const uint BK = GK * TK, BC = GC * TC;
const uint W1 = W + 1;
const uint PATCH = KS == 3 ? ROWS * W1 + 1 : PIXELS;
const uint KP = BK / 4 + 1, CP = BC / 4 + 1; // vec4 of a pixel; one more, so that neighbours lie in other banks

shared vec4 grad[PIXELS * KP];
shared vec4 input_[PATCH * CP];
shared uvec4 near[2 * BC]; // the links of the input channels

float sums[TK * TC * KS];

uint padded(uint row) { return row + row / H + 1; }

// fill_grad puts dy at the pixels from first on into shared memory.
void fill_grad(uint first, uint k0) {
    for (uint i = gl_LocalInvocationID.x; i < PIXELS * (BK / 4); i += LANES) {
        uint at = i % PIXELS, q = i / PIXELS;
        vec4 v = vec4(0.0);
        [[unroll]] for (uint e = 0; e < 4; e++) {
            uint k = k0 + 4 * q + e;
            bool in_ = k < p.k && first + at < p.n * H * W;
            float d = map_load(dy[in_ ? px(p.dy, k, first + at) : p.dy.base]);
            v[e] = in_ ? d : 0.0;
        }
        grad[at * KP + q] = v;
    }
}

// place returns the pixel at element e of the patch of a step that begins at pixel
// first, or ~0 if it is 0.
uint place(uint e, uint first) {
    if (KS == 3) {
        uint r = e / W1, x = e % W1, row = padded(first / W) - 1 + r, y = row % (H + 1), i = row / (H + 1);
        return r < ROWS && x > 0 && y > 0 && i < p.n ? (i * H + y - 1) * W + x - 1 : ~0u;
    }
    return first + e < p.n * H * W ? first + e : ~0u;
}

float activated(Link l, uint at) { return ACT ? link_act(l, map_load(x[at])) : map_load(x[at]); }

// input_at returns z of one channel at pixel q.
float input_at(Link l, uint q) {
    if (!POOL)
        return activated(l, l.plane + q);
    uint a = l.plane + (q / (W * H) * p.h + 2 * (q / W % H)) * p.w + 2 * (q % W);
    return 0.25 * ((activated(l, a) + activated(l, a + 1)) + (activated(l, a + p.w) + activated(l, a + p.w + 1)));
}

// fill_input puts z around the pixels from first on into shared memory.
void fill_input(uint first, uint c0) {
    for (uint i = gl_LocalInvocationID.x; i < PATCH * (BC / 4); i += LANES) {
        uint at = i % PATCH, q = i / PATCH, from = place(at, first);
        vec4 v = vec4(0.0);
        [[unroll]] for (uint e = 0; e < 4; e++) {
            uint c = 4 * q + e;
            float z = input_at(link_unpack(near[2 * c], near[2 * c + 1]), from != ~0u ? from : 0);
            v[e] = from != ~0u && c0 + c < p.c ? z : 0.0;
        }
        input_[at * CP + q] = v;
    }
}

// multiply adds AT_ONCE pixels from pixel at on, whose first tap reads the patch from
// element from on.
void multiply(uint at, uint from, uint kg, uint cg) {
    vec4 z[AT_ONCE + 2][TC / 4];
    [[unroll]] for (uint i = 0; i < AT_ONCE + KS - 1; i++)
        [[unroll]] for (uint q = 0; q < TC / 4; q++)
            z[i][q] = input_[(from + i) * CP + cg * (TC / 4) + q];
    [[unroll]] for (uint i = 0; i < AT_ONCE; i++)
        [[unroll]] for (uint o = 0; o < TK / 4; o++) {
            vec4 d = grad[(at + i) * KP + kg * (TK / 4) + o];
            [[unroll]] for (uint k = 0; k < 4; k++)
                [[unroll]] for (uint c = 0; c < TC; c++)
                    [[unroll]] for (uint s = 0; s < KS; s++) {
                        uint t = ((4 * o + k) * TC + c) * KS + s;
                        sums[t] = fma(d[k], z[i + s][c / 4][c % 4], sums[t]);
                    }
        }
}

void main() {
    uint lane = gl_LocalInvocationID.x, r = lane % KS, cg = lane / KS % GC, kg = lane / (KS * GC);
    uint c0 = gl_WorkGroupID.x * BC, k0 = gl_WorkGroupID.y * BK;
    for (uint i = lane; i < 2 * BC; i += LANES)
        near[i] = links[2 * (p.link + min(c0 + i / 2, p.c - 1)) + i % 2];
    [[unroll]] for (uint i = 0; i < TK * TC * KS; i++)
        sums[i] = 0.0;
    for (uint n = 0; n < p.steps; n++) {
        uint first = (gl_WorkGroupID.z * p.steps + n) * PIXELS;
        barrier();
        fill_grad(first, k0);
        fill_input(first, c0);
        barrier();
        [[dont_unroll]] for (uint at = 0; at < PIXELS; at += AT_ONCE) {
            uint from = at;
            if (KS == 3)
                from = (padded((first + at) / W) - padded(first / W) + r) * W1 + at % W;
            multiply(at, from, kg, cg);
        }
    }
    [[unroll]] for (uint k = 0; k < TK; k++)
        [[unroll]] for (uint c = 0; c < TC; c++)
            [[unroll]] for (uint s = 0; s < KS; s++)
                if (k0 + kg * TK + k < p.k && c0 + cg * TC + c < p.c)
                    dst[p.dst + gl_WorkGroupID.z * p.split + (k0 + kg * TK + k) * p.row + (c0 + cg * TC + c) * KK + r * KS + s] = sums[(k * TC + c) * KS + s];
}
