#version 450
#extension GL_GOOGLE_include_directive : require

// matrix_wgrad: weight gradient of a 3x3 or 1x1 convolution, optionally of batch
// norm and ReLU. The form for devices that multiply cooperative matrices.
//
//     dst[split][k,c,r,s] = Σ_{n,p,q} dy[k,n,p,q] · z[c, n, p+r-KS/2, q+s-KS/2]
//
// over the positions of the split (matrix_place.glsl); z as in matrix_fwd, rounded
// to float16, sums float32. A workgroup makes FK·TM output by CB input channels, in
// steps of BP positions. A product has TM output by TN input channels, of TD
// positions. Each tap of TN input channels is an item, and a subgroup makes every
// SG-th of them. conv_reduce adds the splits.
// CPU reference: ops/ref.ConvBackwardWeights. Host: ops.Conv.
#include "matrix.glsl"

layout(constant_id = 13) const uint FK = 1;     // runs of output channels
layout(constant_id = 14) const uint ITEMS = 1;  // of a subgroup
layout(constant_id = 15) const uint BP = 64;    // positions of a step
layout(constant_id = 16) const bool ACT = true; // batch norm and ReLU on load

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

const uint FC = CB / TN;
const uint BK = FK * TM;
const uint ROW = BP + PAD; // halves of an output channel

shared float16_t grad[BK * ROW];
shared f16vec2 patch_[PATCH * CBP / 2];
shared uvec4 near[2 * CB]; // the links of the input channels
shared float stage[SG * TM * TN];

#define SUM coopmat<float, gl_ScopeSubgroup, TM, TN, gl_MatrixUseAccumulator>
SUM sums[ITEMS * FK];

// fill_grad puts dy at the positions of the step into shared memory.
void fill_grad(uint k0) {
    for (uint i = gl_LocalInvocationID.x; i < BP * BK; i += LANES) {
        uint k = i / BP, at = pixel_at(i % BP, p.n);
        bool in_ = k0 + k < p.k && at != ~0u;
        float d = map_load(dy[in_ ? px(p.dy, k0 + k, at) : p.dy.base]);
        grad[k * ROW + i % BP] = float16_t(in_ ? d : 0.0);
    }
}

// input_at returns z of channel c of the workgroup at pixel q.
float input_at(uint c, uint q) {
    Link l = link_unpack(near[2 * c], near[2 * c + 1]);
    uint at = l.plane + (POOL ? (q / (W * H) * p.h + 2 * (q / W % H)) * p.w + 2 * (q % W) : q);
    float v[4];
    [[unroll]] for (uint i = 0; i < (POOL ? 4 : 1); i++) {
        v[i] = map_load(x[at + i / 2 * p.w + i % 2]);
        v[i] = ACT ? link_act(l, v[i]) : v[i];
    }
    return POOL ? 0.25 * ((v[0] + v[1]) + (v[2] + v[3])) : v[0];
}

// fill_input puts z around the positions of the step into shared memory.
void fill_input(uint c0) {
    for (uint i = gl_LocalInvocationID.x; i < PATCH * (CB / 2); i += LANES) {
        uint e = i % PATCH, c = i / PATCH * 2, from = patch_place(e, p.n), q = from != ~0u ? from : 0;
        bvec2 in_ = bvec2(from != ~0u && c0 + c < p.c, from != ~0u && c0 + c + 1 < p.c);
        vec2 z = vec2(input_at(c, q), input_at(c + 1, q));
        patch_[e * (CBP / 2) + c / 2] = f16vec2(mix(vec2(0.0), z, in_));
    }
}

// multiply adds the products of all positions of the step.
void multiply() {
    [[dont_unroll]] for (uint q = 0; q < BP; q += TD) {
        coopmat<float16_t, gl_ScopeSubgroup, TM, TD, gl_MatrixUseA> d[FK];
        coopmat<float16_t, gl_ScopeSubgroup, TD, TN, gl_MatrixUseB> z;
        [[unroll]] for (uint k = 0; k < FK; k++)
            coopMatLoad(d[k], grad, k * TM * ROW + q, ROW, gl_CooperativeMatrixLayoutRowMajor);
        uint from = element(q);
        [[unroll]] for (uint i = 0; i < ITEMS; i++) {
            uint item = i * SG + gl_SubgroupID, tap = item / FC;
            if (item < KK * FC) {
                coopMatLoad(z, patch_, ((from + tap / KS * W1 + tap % KS) * CBP + item % FC * TN) / 2, CBP / 2, gl_CooperativeMatrixLayoutRowMajor);
                [[unroll]] for (uint k = 0; k < FK; k++)
                    sums[i * FK + k] = coopMatMulAdd(d[k], z, sums[i * FK + k]);
            }
        }
    }
}

// store writes the sums, by way of shared memory.
void store(uint k0, uint c0) {
    uint at = gl_SubgroupID * TM * TN;
    [[unroll]] for (uint i = 0; i < ITEMS * FK; i++) {
        uint item = i / FK * SG + gl_SubgroupID, tap = item / FC;
        barrier();
        coopMatStore(sums[i], stage, at, TN, gl_CooperativeMatrixLayoutRowMajor);
        barrier();
        for (uint e = gl_SubgroupInvocationID; e < TM * TN; e += SUB) {
            uint k = k0 + i % FK * TM + e / TN, c = c0 + item % FC * TN + e % TN;
            if (item < KK * FC && k < p.k && c < p.c)
                dst[p.dst + gl_WorkGroupID.z * p.split + k * p.row + c * KK + tap] = stage[at + e];
        }
    }
}

void main() {
    uint c0 = gl_WorkGroupID.x * CB, k0 = gl_WorkGroupID.y * BK;
    for (uint i = gl_LocalInvocationID.x; i < 2 * CB; i += LANES)
        near[i] = links[2 * (p.link + min(c0 + i / 2, p.c - 1)) + i % 2];
    [[unroll]] for (uint i = 0; i < ITEMS * FK; i++)
        sums[i] = SUM(0.0);
    for (uint n = 0; n < p.steps; n++) {
        place_begin((gl_WorkGroupID.z * p.steps + n) * BP);
        barrier();
        fill_grad(k0);
        fill_input(c0);
        barrier();
        multiply();
    }
    store(k0, c0);
}
